"""Named image statistics around spots, without a model."""
