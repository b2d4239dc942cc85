"""The CloudStack library is loaded without what the hooks do not use of it."""

import subprocess
import sys

from tests.serving import PROJECT

LOADED = """
import sys
import hooks.wsgi
from cs import CloudStack
assert "aiohttp" not in sys.modules
import aiohttp
assert aiohttp.ClientSession
"""


def test_no_asyncio_client_is_loaded_and_others_may_still_load_one() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED], cwd=PROJECT, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
