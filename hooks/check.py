"""`python -m hooks.check`: says once what the status page says is wrong; `helm test` runs it.

It ends with code 1 if nothing of ours is installed, if a pod of ours is not ready, or if something
does not work. What waits, is impaired or is only planned, it tells.
"""

import logging
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from logging.config import dictConfig

from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.http.texts import one_line
from hooks.kube.client import ApiServer, Kube, KubeError
from hooks.kube.kinds import Kind
from hooks.kube.objects import find_condition, part
from hooks.names import LABEL_PROJECT
from hooks.server.logs import logging_config
from hooks.settings.config import Config, from_environ
from hooks.settings.parsing import SettingsError
from hooks.status.collect import MAX_PROBLEM, READ_SECONDS, Collector
from hooks.status.model import NO_POD, Severity, Trouble
from hooks.status.trouble import judge, ranked
from hooks.wsgi import BAD_SETTINGS, HOOKS

DEPLOYMENT = Kind("apps/v1", "Deployment", "deployments", namespaced=True)
OURS = {"labelSelector": f"{LABEL_PROJECT}=cloudstack-metacontroller"}
#: The exit code of a process that found something that does not work.
NOT_WORKING = 1

_log = logging.getLogger("hooks.check")


def troubles(kube: Kube, config: Config, clock: Callable[[], float]) -> list[Trouble]:
    """Return everything that is wrong, the worst first.

    Args:
        kube: the API server.
        config: the settings of the status page.
        clock: epoch seconds.
    """
    deadline = Deadline(READ_SECONDS)
    collector = Collector(kube, config, clock=clock, monotonic=time.monotonic)
    snapshot = collector.snapshot(deadline)
    if not snapshot.read_at:
        return [_of_pods("cluster", "ListFailed", "the API server did not answer in time")]
    return ranked([*judge(snapshot, clock()), *_not_ready(kube, deadline)])


def _not_ready(kube: Kube, deadline: Deadline) -> Iterator[Trouble]:
    """Judge our Deployments, those of all shards too."""
    try:
        found = list(kube.list(DEPLOYMENT.path(), deadline=deadline, params=OURS))
    except KubeError as error:
        yield _of_pods("Deployments", "ListFailed", one_line(error, MAX_PROBLEM))
        return
    if not found:
        yield _of_pods("Deployments", "NotInstalled", "no Deployment of ours is installed")
    for deployment in found:
        metadata = part(deployment, "metadata")
        name = f"{metadata['namespace']}/{metadata['name']}"
        if not part(deployment, "spec").get("replicas", 1):
            stopped = _of_pods(name, "Stopped", "it is scaled to 0 pods, so nobody calls the hooks")
            yield replace(stopped, severity=Severity.WAITS)
        elif problem := _rollout(deployment):
            yield _of_pods(name, "PodsNotReady", problem)


def _rollout(deployment: Json) -> str:
    """Say what a rollout lacks, as `kubectl rollout status` waits for it; empty for nothing."""
    status, wanted = part(deployment, "status"), part(deployment, "spec").get("replicas", 1)
    ready, updated = status.get("readyReplicas", 0), status.get("updatedReplicas", 0)
    if ready < wanted:
        return f"{ready} of {wanted} pods are ready"
    if status.get("observedGeneration", 0) < part(deployment, "metadata").get("generation", 0):
        return "its new version is not rolled out yet"
    if updated < wanted or status.get("unavailableReplicas", 0):
        progressing = find_condition(deployment, "Progressing").get("reason") or "not ended"
        return f"{updated} of {wanted} pods are of its new version ({progressing})"
    return ""


def _of_pods(name: str, reason: str, message: str) -> Trouble:
    return Trouble(Severity.FAILS, "Deployment", (name,), reason, message, section=NO_POD)


def report(found: list[Trouble]) -> int:
    """Log each trouble; return the exit code."""
    for each in found:
        fails = each.severity is Severity.FAILS
        about = {"kind": each.kind, "names": each.names, "reason": each.reason}
        more = {"problem": each.message, "also": each.also, "helps": each.command}
        level = logging.ERROR if fails else logging.WARNING
        _log.log(level, each.severity.word, extra=about | more)
    if any(each.severity is Severity.FAILS for each in found):
        return NOT_WORKING
    _log.info("everything that is installed works")
    return 0


def main(environ: Mapping[str, str] = os.environ) -> int:
    """Check the cluster that the environment names; return the exit code."""
    dictConfig(logging_config("info"))
    try:
        config = from_environ(environ, known_hooks=HOOKS, warn=_log.warning)
    except SettingsError as error:
        for problem in error.problems:
            _log.error("setting refused", extra={"problem": problem})
        return BAD_SETTINGS
    return report(troubles(ApiServer.of(config.api_server), config, time.time))


if __name__ == "__main__":
    sys.exit(main())
