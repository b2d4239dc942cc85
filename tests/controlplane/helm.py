"""Knows where the pinned helm is: on the PATH, or built once from its Go module and cached."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.controlplane.gomodule import GoModule, Say

#: Apart from the control plane's go.mod: one set of versions for both would be neither's.
MODULE = GoModule(
    Path(__file__).parent / "helm_module",
    {"helm": "helm.sh/helm/v4/cmd/helm"},
    main="helm.sh/helm/v4",
    version_variable="helm.sh/helm/v4/internal/version.version",
    takes="3 minutes",
)


def ensure(say: Say = print, environ: Mapping[str, str] = os.environ) -> Path:
    """Return helm, building it where neither the PATH nor the cache holds it in its version."""
    place = locate(environ)
    MODULE.ensure({"helm": place}, say, environ)
    return place


def locate(environ: Mapping[str, str]) -> Path:
    """Return where helm is in its version, or will be once it is built."""
    found = shutil.which("helm", path=environ.get("PATH"))
    if found and _version(Path(found)) == MODULE.version():
        return Path(found)
    return MODULE.locate(environ)["helm"]


def _version(helm: Path) -> str:
    """Return what a helm calls itself, "v4.3.1"; one that cannot say so is of no version."""
    told = subprocess.run(
        [helm, "version", "--template", "{{.Version}}"], capture_output=True, text=True, check=False
    )
    return told.stdout.strip()
