import json
import stat
from pathlib import Path

from tests.controlplane.kubeconfig import kubeconfig, signing_key, write_private


def test_a_kubeconfig_holds_everything_inline(tmp_path: Path) -> None:
    ca = tmp_path / "ca.crt"
    ca.write_text("certificate")
    config = json.loads(kubeconfig("https://127.0.0.1:1", ca, "token"))
    (cluster,), (user,) = config["clusters"], config["users"]
    assert cluster["cluster"] == {
        "server": "https://127.0.0.1:1",
        "certificate-authority-data": "Y2VydGlmaWNhdGU=",
    }
    assert user["user"] == {"token": "token"}


def test_secrets_are_for_their_owner(tmp_path: Path) -> None:
    write_private(tmp_path / "secret", "x")
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600


def test_every_signing_key_is_new() -> None:
    assert signing_key() != signing_key()
