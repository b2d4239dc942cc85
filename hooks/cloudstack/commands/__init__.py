"""CloudStack's commands, one typed function each, under CloudStack's names in snake case."""
