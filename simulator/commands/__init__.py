"""One module for each family of CloudStack commands."""
