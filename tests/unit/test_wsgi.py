import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from hooks.cloudstack import Cloud, CloudConfig
from hooks.wsgi import HOOKS, newest_cloud
from tests.controlplane.polling import PATIENCE
from tests.serving import PROJECT
from tools.api_server import kubeconfig

LOADED = """
import json, os, sys
from hooks import wsgi
wsgi.process.boot(os.environ)
wsgi.application()
print(json.dumps([name for name in sys.modules if name.startswith("hooks.")]))
"""


def loaded(environ: dict[str, str]) -> set[str]:
    """Build the application in a process of its own; return the modules of ours it loaded."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED],
        cwd=PROJECT,
        env=environ,
        check=True,
        capture_output=True,
        timeout=60,
    )
    names: list[str] = json.loads(done.stdout)
    return set(names)


@pytest.mark.parametrize("hook", sorted(HOOKS))
def test_only_the_package_of_the_hook_that_is_asked_for_is_loaded(
    hook: str, tmp_path: Path
) -> None:
    path = tmp_path / "cloud-config"
    path.write_text("[Global]\napi-url = http://127.0.0.1:1/\napi-key = a\nsecret-key = b\n")
    kubeconfig_file = tmp_path / "kubeconfig"
    kubeconfig_file.write_text(json.dumps(kubeconfig("http://127.0.0.1:9")))
    environ = {"HOOKS": hook, "CLOUD_CONFIG": str(path), "KUBECONFIG_FILE": str(kubeconfig_file)}
    names = loaded({**environ, "HOME": str(tmp_path)})
    assert f"hooks.{hook}" in names
    assert not names & {f"hooks.{other}" for other in HOOKS if other != hook}


def test_a_cloud_that_a_new_cloud_config_replaces_is_closed_once_no_call_uses_it() -> None:
    closed: dict[str, threading.Event] = {}

    class WatchedCloud(Cloud):
        def close(self) -> None:
            super().close()
            closed[self.config.api_key].set()

    def make(config: CloudConfig) -> Cloud:
        closed[config.api_key] = threading.Event()
        return WatchedCloud(config)

    keys = ["first"]
    url = "http://127.0.0.1:9/client/api"
    newest = newest_cloud(lambda: CloudConfig(url, keys[-1], "secret"), make, closing_delay=0.3)
    first = newest()
    assert newest() is first
    keys.append("second")
    second = newest()
    assert newest() is second
    assert second.config.api_key == "second"
    assert not closed["first"].is_set()
    assert closed["first"].wait(PATIENCE)
    assert not closed["second"].is_set()
    second.close()
