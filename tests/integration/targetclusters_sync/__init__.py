"""The sync engine between two real API servers."""
