"""Decides which faults a cluster has, and for which a repair is due. Start with `decide`."""
