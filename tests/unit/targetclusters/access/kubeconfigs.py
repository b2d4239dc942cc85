"""Kubeconfigs that are refused, and what makes them."""

import pytest

from hooks.targetclusters.access.destinations import Destinations
from hooks.targetclusters.access.kubeconfig import read_untrusted_kubeconfig
from hooks.targetclusters.access.kubeconfig_fields import BadKubeconfig
from tests.targets.certificates import Authority

SERVER = "https://target.example:6443"
AUTHORITY = Authority()
NOWHERE = Destinations()


def refusal(text: str, destinations: Destinations = NOWHERE) -> BadKubeconfig:
    with pytest.raises(BadKubeconfig) as refused:
        read_untrusted_kubeconfig(text, destinations)
    return refused.value
