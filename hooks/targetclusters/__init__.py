"""TargetClusters: other clusters, watched and synced."""
