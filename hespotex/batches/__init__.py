"""From sections to a fold, and to the batches that a model gets."""
