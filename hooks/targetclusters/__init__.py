"""TargetClusters: other clusters, watched, synced and healed.

Read in this order:

1. request, hook        a call: what came, what jobs have found, what is answered
2. plan.plan            which jobs are due, and what the status says: status of probes, syncing and
                        finalizing of rounds, healing of repairs
3. actions              starts jobs; clusters and jobs: what is kept, and where they run
4. a probe              access.connector, then health.probe; health.judge counts it
5. a sync or            round_lease, sources.reading, then sync.engine
   deletion round
6. a round of healing   healing.round, then healing.plan.decide
"""
