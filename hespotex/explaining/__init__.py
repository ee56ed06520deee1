"""What a model saw: the few programmes behind the predictions of a finished sweep."""
