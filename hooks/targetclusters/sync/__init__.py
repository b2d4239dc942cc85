"""Syncs objects to a target cluster. Start with `engine`."""
