"""The CloudStack API as typed commands and frozen models."""

from hooks.cloudstack.cache import Snapshot
from hooks.cloudstack.client import Client, Observer
from hooks.cloudstack.cloud import Cloud, open_cloud
from hooks.cloudstack.config import CloudConfig

__all__ = ["Client", "Cloud", "CloudConfig", "Observer", "Snapshot", "open_cloud"]
