"""Lightning callbacks: provenance, seeds, progress, the training log, whole checkpoints."""
