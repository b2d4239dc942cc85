"""Somebody who follows a guide with helm, on a cluster that has nothing."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.controlplane.api import Object, Resource
from tests.deploy.checkout import run
from tests.deploy.pods import Pod, moved
from tests.deploy.site import Site
from tests.documented.pages import sections
from tests.documented.runs import HELM


@dataclass
class Reader(Site):
    """Somebody with the repository, kubectl, helm and an empty cluster, who follows the guide."""

    guide: Path = HELM

    def does(self, section: str, part: slice = slice(None)) -> None:
        """Run the commands of a section of the guide, or a part of its blocks."""
        for block in sections(self.guide)[section][part]:
            self.says(block.code)

    def says(self, command: str) -> None:
        """Run a command."""
        run(command, self.folder, self.cluster.kubeconfig)

    def resource(self, version: str, plural: str) -> Resource:
        return self.cluster.api.resource(version, plural)

    def deployment(self, of: tuple[str, str]) -> Object:
        """Return a Deployment as the API server has it."""
        namespace, name = of
        return self.resource("apps/v1", "deployments").get(name, namespace)

    @contextmanager
    def running(self, of: tuple[str, str], **settings: str) -> Iterator[Pod]:
        """Run the pod of a Deployment that is installed."""
        self.pods += 1
        folder = self.folder / f"pod-{self.pods}"
        # What listens for Prometheus at every address does so on loopback here.
        settings = {"METRICS_BIND": "127.0.0.1", **settings}
        with Pod(self.cluster, self.deployment(of), folder, settings=settings).running() as pod:
            yield pod

    def crds(self) -> set[str]:
        found = self.resource("apiextensions.k8s.io/v1", "customresourcedefinitions").list()
        return {crd["metadata"]["name"] for crd in found}


def move(files: Path) -> Mapping[int, int]:
    """Move the ports in all manifests of a chart; return where to."""
    texts = {file: file.read_text() for file in sorted(files.rglob("*.yaml"))}
    ports = moved("\n---\n".join(texts.values())).ports
    for file, manifests in texts.items():
        numbers = "|".join(map(str, ports))
        file.write_text(
            re.sub(rf"\b({numbers})\b", lambda found: str(ports[int(found[1])]), manifests)
        )
    return ports
