"""`make bench`: what waves of work cost, and how that grows; figures, no pass or fail."""
