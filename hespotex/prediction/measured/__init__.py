"""A slide of which some spots were measured, or spots of a serial section."""
