"""Every test, and the real parts they run on."""
