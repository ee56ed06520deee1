"""LightningModules: how each model is fitted and predicts."""
