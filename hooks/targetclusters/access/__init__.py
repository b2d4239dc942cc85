"""Access to a target cluster: its kubeconfig and the connection."""
