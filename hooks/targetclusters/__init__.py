"""TargetClusters: other clusters, watched, synced and repaired."""
