"""Decides what changes in CloudStack for one load balancer. Start with `plan`."""
