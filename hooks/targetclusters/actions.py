"""Starts the background work on clusters: probes, rounds of syncing, rounds of deleting."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import assert_never

from hooks.deadline import Deadline
from hooks.kube import Kube
from hooks.targetclusters.access import Access, NoAccess, opened
from hooks.targetclusters.background import Job
from hooks.targetclusters.facts import Jobs, job_key
from hooks.targetclusters.finalizing import DELETION, ROUND
from hooks.targetclusters.health import Fault, Probe, Stop
from hooks.targetclusters.inventory import Inventory
from hooks.targetclusters.metrics import ClusterMetrics
from hooks.targetclusters.plan import (
    Action,
    Facts,
    StartDeletion,
    StartProbe,
    StartRound,
    StopRound,
)
from hooks.targetclusters.probe import look
from hooks.targetclusters.schedule import milliseconds
from hooks.targetclusters.sources import SourceCache, gather
from hooks.targetclusters.spec import Spec
from hooks.targetclusters.sync import delete_inventory, sync_round
from hooks.targetclusters.sync_memory import SyncMemory
from hooks.targetclusters.sync_plan import DesiredSet, SyncReport, SyncTask
from hooks.targetclusters.syncing import Deletion, Round
from hooks.webhook import Json
