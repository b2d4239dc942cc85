"""What deploy/ renders to, applied on a real API server and run as it says."""
