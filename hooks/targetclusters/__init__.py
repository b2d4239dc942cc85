"""TargetClusters: other clusters, watched and synced.

A call goes through hook, request, plan.plan and actions, which starts jobs. A job opens the
cluster by access.connector, then runs health.probe or sync.engine. The next call finds its result
in plan.facts; plan.status counts it by health.judge.
"""
