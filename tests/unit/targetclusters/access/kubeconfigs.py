"""Kubeconfigs that are refused, and what makes them."""

import pytest

from hooks.targetclusters.access.kubeconfig import (
    BadKubeconfig,
    read_untrusted_kubeconfig,
)
from tests.targets.certificates import Authority

SERVER = "https://target.example:6443"
AUTHORITY = Authority()


def refusal(text: str) -> BadKubeconfig:
    with pytest.raises(BadKubeconfig) as refused:
        read_untrusted_kubeconfig(text)
    return refused.value
