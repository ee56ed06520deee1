"""What a model saw: the few programmes behind its predictions, in genes and in words."""
