"""Services of type LoadBalancer: each becomes a CloudStackLoadBalancer."""
