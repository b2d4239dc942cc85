"""Nodes: labels, provider ids, addresses, taints and deletion."""
