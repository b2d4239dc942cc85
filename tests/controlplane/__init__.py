"""A real Kubernetes control plane on loopback, and Metacontroller or its stand-in, for the tests.

`ControlPlane.start` is the way in; `docs/explanation/testing.md` tells what each part is.
"""

from tests.controlplane.cluster import Cluster, ControlPlane

__all__ = ["Cluster", "ControlPlane"]
