"""The Kubernetes API, and what its objects have in common."""
