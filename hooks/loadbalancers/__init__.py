"""Load balancers: addresses, rules, members and firewall in CloudStack."""
