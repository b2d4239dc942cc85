"""CloudStack's commands that change something: a function each, named as CloudStack names it."""
