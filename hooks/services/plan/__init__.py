"""Decides the load balancer and the status of a Service. Start with `plan`."""
