"""Nodes: their labels, provider ids, addresses, taints and end."""
