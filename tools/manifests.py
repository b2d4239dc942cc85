"""`python -m tools.manifests`: writes provider.yaml, the cloud controller in one file.

A test fails when it is not what this would write. kubectl is the one that the tests use, which is
built once; KUBECTL names another.
"""

import os
import subprocess
from pathlib import Path

from tests.controlplane import binaries

PROJECT = Path(__file__).resolve().parent.parent
PROVIDER = PROJECT / "provider.yaml"
HEADER = """\
# The CloudStack cloud controller in one file; `make manifests` renders it from
# deploy/overlays/one-file.
# It needs the Secret cloudstack-secret in kube-system; docs/guides/install.md tells the rest.
"""


def main() -> None:
    """Write provider.yaml."""
    named = os.environ.get("KUBECTL")
    PROVIDER.write_text(provider(Path(named) if named else binaries.ensure().kubectl))


def provider(kubectl: Path) -> str:
    """Render the cloud controller with a kubectl, whose kustomize is the one that counts."""
    folder = PROJECT / "deploy" / "overlays" / "one-file"
    done = subprocess.run(
        [kubectl, "kustomize", folder], capture_output=True, text=True, check=True
    )
    return HEADER + done.stdout


if __name__ == "__main__":
    main()
