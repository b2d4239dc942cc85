"""Health of a target cluster: the probe and what follows from it."""
