"""What the sources of a TargetCluster want on its target; probes and sync rounds read it."""
