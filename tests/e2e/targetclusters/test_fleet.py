"""Many clusters at once, good, bad and hostile: the good are probed as asked, and memory holds."""

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.controlplane import ControlPlane
from tests.e2e import targets
from tests.e2e.targets import TargetHooks, TargetPlatform, says, source
from tests.targets import fake_cluster, servers
from tests.targets.fake_cluster import Crowded, Swelling
from tests.targets.objects import kubeconfig

INTERVAL = 3.0
SECONDS = 30.0
#: Bytes that the process may take; the Deployment's limit is twice this.
MEMORY = 256 * 1024 * 1024

HOSTILE = {
    "silent": servers.black_hole,
    "endless": servers.endless_body,
    "drips": servers.dripping_body,
    "drips-headers": servers.dripping_headers,
    "redirects": servers.answering(b"", status="302 Found", headers=b"Location: /\r\n"),
    "no-json": servers.answering(b"<html>"),
    "swells": servers.answering(b"[" + b"{}," * 1_300_000 + b"0]"),
}
EACH = 5


def watch(platform: TargetPlatform, name: str, url: str, **spec: Any) -> None:
    """Add a cluster with a Secret of its own."""
    platform.put_secret(name, kubeconfig(url))
    platform.make(name, kubeconfigSecret=name, **spec)


def peak(hooks: TargetHooks) -> int:
    """Return the most bytes of memory that the hooks have had so far."""
    lines = Path(f"/proc/{hooks.worker}/status").read_text().splitlines()
    [line] = [line for line in lines if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024


@pytest.mark.timeout(240)
def test_of_40_clusters_half_of_them_bad_the_good_ones_are_probed_as_asked(
    control_plane: ControlPlane, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        good = {f"good-{n:02}": stack.enter_context(fake_cluster.running()) for n in range(20)}
        bad = {
            f"hole-{n:02}": stack.enter_context(servers.serving(servers.black_hole)).url
            for n in range(10)
        }
        bad |= {f"refusing-{n:02}": stack.enter_context(servers.refusing()) for n in range(10)}
        platform = stack.enter_context(targets.running(control_plane, tmp_path))
        for name, url in {**bad, **{name: each.url for name, each in good.items()}}.items():
            watch(platform, name, url, monitorInterval=f"{INTERVAL:g}s")
        for name in good:
            platform.until_says(name, "Ready", "True Healthy")
        before, began = {name: each.probes for name, each in good.items()}, time.monotonic()
        time.sleep(SECONDS)  # what is measured is what happens meanwhile
        asked = (time.monotonic() - began) / INTERVAL
        for name, each in good.items():
            assert asked * 0.4 <= each.probes - before[name] <= asked * 1.06 + 1
        for name in bad:
            platform.until_says(name, "Ready", "False Unreachable")
        calls = {"hook": "targetclusters", "call": "sync"}
        count = platform.hooks.metric("hook_call_duration_seconds_count", **calls)
        quick = platform.hooks.metric("hook_call_duration_seconds_bucket", le="2.5", **calls)
        assert count is not None
        assert quick is not None
        assert count > len(good) * asked
        assert quick > 0.9 * count, "calls wait for clusters"


@pytest.mark.timeout(240)
def test_hostile_clusters_end_in_a_condition_and_not_in_memory(
    control_plane: ControlPlane, tmp_path: Path
) -> None:
    spec = {"failureThreshold": 1, "healthChecks": {"timeout": "2s"}}
    with ExitStack() as stack:
        urls = {
            f"{kind}-{number}": stack.enter_context(servers.serving(behaviour)).url
            for kind, behaviour in HOSTILE.items()
            for number in range(EACH)
        }
        swelling = {
            f"swells-later-{n}": stack.enter_context(fake_cluster.running(Swelling())).url
            for n in range(EACH)
        }
        crowded = stack.enter_context(fake_cluster.running(Crowded()))
        platform = stack.enter_context(targets.running(control_plane, tmp_path))
        for name, url in urls.items():
            watch(platform, name, url, **spec)
        platform.config_maps.create(source("swelling"))
        for name, url in swelling.items():
            watch(platform, name, url, resourceSyncPolicy={"enabled": True})
        watch(platform, "crowded", crowded.url, healthChecks={"timeout": "2m"})
        for name in urls:
            cluster = platform.until(name, lambda c: says(c, "Ready").startswith("False"))
            assert says(cluster, "Reachable").startswith("False"), name
            assert len(str(cluster["status"])) < 10_000
        for name in swelling:
            cluster = platform.until_says(name, "ResourcesSynced", "False Failed")
            (failed,) = cluster["status"]["sync"]["results"]
            assert "more than 262144 values" in failed["message"]
        counted = platform.until(
            "crowded", lambda c: c.get("status", {}).get("nodes", {}).get("total")
        )
        assert counted["status"]["nodes"]["summary"] == "45000/50000"
        assert len(counted["status"]["nodes"]["notReady"]) == 10
        assert peak(platform.hooks) < MEMORY
