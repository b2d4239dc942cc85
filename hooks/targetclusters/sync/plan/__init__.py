"""Decides what happens to each object on a target. Start with `model`."""
