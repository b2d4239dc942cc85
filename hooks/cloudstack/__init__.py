"""The CloudStack API as typed commands and frozen models."""

from hooks.cloudstack.client import Client, Clocks, Observer
from hooks.cloudstack.cloud import Cloud, Guest
from hooks.cloudstack.config import CloudConfig
from hooks.cloudstack.models.compute import Scope, Snapshot

__all__ = ["Client", "Clocks", "Cloud", "CloudConfig", "Guest", "Observer", "Scope", "Snapshot"]
