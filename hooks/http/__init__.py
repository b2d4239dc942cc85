"""HTTP to every server that is called, within bounds of time, bytes and values."""
