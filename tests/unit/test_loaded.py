"""The hooks are loaded without what they do not use of their libraries."""

import subprocess
import sys

from tests.serving import PROJECT

LOADED = """
import sys
from pkgutil import resolve_name
import hooks.wsgi
for entry in hooks.wsgi.HOOKS.values():
    resolve_name(entry.path)
assert "kubernetes" in sys.modules
assert "aiohttp" not in sys.modules
"""


def test_no_asyncio_client_is_loaded() -> None:
    """It comes with the Kubernetes client, takes 10 MB and a quarter of the time to start."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED], cwd=PROJECT, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
