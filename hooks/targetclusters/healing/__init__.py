"""Repairs of target clusters: which faults there are, what is due, and how a repair is made."""
