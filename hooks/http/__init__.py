"""HTTP to every server that is called, within a deadline."""
