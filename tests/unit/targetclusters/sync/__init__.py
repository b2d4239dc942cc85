"""The sync engine's decisions, row by row."""
