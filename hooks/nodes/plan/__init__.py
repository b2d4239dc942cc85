"""Decides what a Node becomes. Start with `plan`."""
