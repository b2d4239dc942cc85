"""Decides what a TargetCluster's sync returns. Start with `plan`."""
