"""Which kubeconfigs and service accounts lead to an API server, and how others are refused."""

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from kubernetes.client import Configuration

from hooks.http.deadline import Deadline
from hooks.kube.client import ApiServer, KubeUnreachable
from hooks.settings.api_server import is_pod, read_own_kubeconfig, read_service_account
from tests.certificates import make_certificates
from tests.controlplane.polling import PATIENCE
from tests.unit.api_server import serving

TOKEN = "very-secret-token"


def kubeconfig(cluster: Any = None, user: Any = None, **changes: Any) -> str:
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "clusters": [{"name": "c", "cluster": cluster or {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": user or {"token": TOKEN}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        **changes,
    }
    return json.dumps(content)


def with_authority(**authority: str) -> str:
    return kubeconfig({"server": "https://127.0.0.1:1", **authority})


def test_the_kubeconfig_that_is_named_is_used(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    with serving(lambda _: (200, {"ok": True})) as server:
        path.write_text(kubeconfig({"server": server.url}))
        kube = ApiServer.of(read_own_kubeconfig(str(path)))
        assert kube.get("/x", deadline=Deadline(5)) == {"ok": True}
    assert server.calls[0].headers["Authorization"] == f"Bearer {TOKEN}"


PROGRAM = """#!/bin/sh
if [ -e asked ]; then for _ in $(seq 600); do [ -e go-on ] && break; sleep 0.1; done; fi
touch asked
echo '{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
  "status": {"token": "from-a-program", "expirationTimestamp": "2020-01-01T00:00:00Z"}}'
"""


def test_a_program_that_gives_the_token_holds_no_request_past_its_deadline(tmp_path: Path) -> None:
    program, path = tmp_path / "program", tmp_path / "kubeconfig"
    program.write_text(PROGRAM)
    program.chmod(0o700)
    run = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(program)}
    with serving(lambda _: (200, {"ok": True})) as server:
        path.write_text(kubeconfig({"server": server.url}, {"exec": run}))
        kube = ApiServer.of(read_own_kubeconfig(str(path)))
        with pytest.raises(KubeUnreachable, match="credential cannot be read"):
            kube.get("/x", deadline=Deadline(0.5))
        (tmp_path / "go-on").touch()  # it still ran
        assert kube.get("/x", deadline=Deadline(PATIENCE)) == {"ok": True}
    assert server.calls[0].headers["Authorization"] == "Bearer from-a-program"


NO_KUBECONFIG = "is not a kubeconfig"
NO_URL = "the server of its current context is not an http or https URL"
NO_CERTIFICATE = "its certificates cannot be used: "


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        pytest.param("", NO_KUBECONFIG, id="empty"),
        pytest.param(TOKEN, NO_KUBECONFIG, id="a scalar"),
        pytest.param(f"[1, {TOKEN}]", NO_KUBECONFIG, id="a list"),
        pytest.param(f"a: [{TOKEN}", NO_KUBECONFIG, id="broken YAML"),
        pytest.param("\0", NO_KUBECONFIG, id="a zero byte"),
        pytest.param(bytes(range(256)), NO_KUBECONFIG, id="binary"),
        pytest.param(kubeconfig().encode("utf-16"), NO_KUBECONFIG, id="UTF-16"),
        pytest.param(f"{kubeconfig()}\n---\n{kubeconfig()}", NO_KUBECONFIG, id="two documents"),
        pytest.param("!!python/object/apply:os.system [x]", NO_KUBECONFIG, id="a YAML tag"),
        pytest.param(kubeconfig(clusters={"a": "b"}), NO_KUBECONFIG, id="clusters of no list"),
        pytest.param(kubeconfig(**{"current-context": "d"}), NO_KUBECONFIG, id="no such context"),
        pytest.param(kubeconfig({"server": 7}), NO_KUBECONFIG, id="a number as server"),
        pytest.param(kubeconfig({"x": 1}), NO_URL, id="no server"),
        pytest.param(kubeconfig({"server": TOKEN}), NO_URL, id="no URL"),
        pytest.param(
            kubeconfig({"server": "https://a", "proxy-url": "http://b"}),
            "clusters[c].cluster.proxy-url: a proxy is not supported",
            id="a proxy",
        ),
        pytest.param(
            kubeconfig(users=[{"name": "u", "user": {"token": token}} for token in ("a", TOKEN)]),
            "users: has 2 entries named 'u'; each must have its own name",
            id="two users of a name",
        ),
        pytest.param(kubeconfig({"server": "ftp://a"}), NO_URL, id="another scheme"),
        pytest.param(
            with_authority(**{"certificate-authority": "/no/ca"}),
            f"{NO_KUBECONFIG}: File does not exist: /no/ca",
            id="no such authority",
        ),
        pytest.param(
            with_authority(**{"certificate-authority": "/etc"}),
            f"{NO_KUBECONFIG}: File does not exist: /etc",
            id="a folder as authority",
        ),
        pytest.param(
            with_authority(**{"certificate-authority": "/etc/passwd"}),
            NO_CERTIFICATE,
            id="a file that is no authority",
        ),
        pytest.param(
            with_authority(**{"certificate-authority-data": "!!!"}),
            NO_CERTIFICATE,
            id="data that is no authority",
        ),
        pytest.param(
            kubeconfig(user={"client-certificate": "/no/cert", "client-key": "/no/key"}),
            f"{NO_KUBECONFIG}: File does not exist: /no/cert",
            id="no such certificate",
        ),
        pytest.param(
            kubeconfig(user={"tokenFile": "/no/token"}),
            "names a file that cannot be read: /no/token",
            id="no such token file",
        ),
    ],
)
def test_another_file_is_refused_without_a_secret(
    tmp_path: Path, content: str | bytes, problem: str
) -> None:
    path = tmp_path / "kubeconfig"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=f"^{re.escape(problem)}") as refusal:
        read_own_kubeconfig(str(path))
    assert TOKEN not in str(refusal.value)


@contextmanager
def nobody() -> Iterator[None]:
    """Be an ordinary user for a while; root may read everything."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


def test_what_cannot_be_read_is_an_error_of_the_system(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(kubeconfig())
    path.chmod(0)
    with nobody(), pytest.raises(PermissionError):
        read_own_kubeconfig(str(path))
    with pytest.raises(IsADirectoryError):
        read_own_kubeconfig(str(tmp_path))
    with pytest.raises(FileNotFoundError):
        read_own_kubeconfig(str(tmp_path / "no-such-file"))


def authorization(configuration: Configuration) -> str:
    return str(configuration.auth_settings()["BearerToken"]["value"])


def test_a_token_file_is_read_again_and_its_last_token_kept(tmp_path: Path) -> None:
    token, path = tmp_path / "token", tmp_path / "kubeconfig"
    token.write_text("first\n")
    path.write_text(kubeconfig(user={"tokenFile": "token"}))
    environ = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}
    (tmp_path / "ca.crt").write_bytes(make_certificates(tmp_path).authority.read_bytes())
    both = (read_own_kubeconfig(str(path)), read_service_account(environ, str(tmp_path)))
    assert [authorization(each) for each in both] == ["Bearer first"] * 2
    token.write_text("second one\n")
    assert [authorization(each) for each in both] == ["Bearer second one"] * 2
    token.write_text("\n")
    assert [authorization(each) for each in both] == ["Bearer second one"] * 2
    token.unlink()
    assert [authorization(each) for each in both] == ["Bearer second one"] * 2
    token.write_text("third")
    assert [authorization(each) for each in both] == ["Bearer third"] * 2


def test_a_pods_service_account_is_used(tmp_path: Path) -> None:
    environ = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}
    assert not is_pod(environ, tmp_path)
    (tmp_path / "token").write_text(TOKEN)
    authority = make_certificates(tmp_path).authority
    (tmp_path / "ca.crt").write_bytes(authority.read_bytes())
    assert is_pod(environ, tmp_path)
    assert not is_pod({}, tmp_path)
    configuration = read_service_account(environ, str(tmp_path))
    assert configuration.host == "https://10.0.0.1:443"
    assert configuration.ssl_ca_cert == str(tmp_path / "ca.crt")
    assert TOKEN in str(configuration.auth_settings()["BearerToken"]["value"])


@pytest.mark.parametrize(
    ("missing", "problem"),
    [("port", "Service host/port is not set"), ("ca.crt", "certification file does not exist")],
)
def test_a_broken_service_account_is_refused(tmp_path: Path, missing: str, problem: str) -> None:
    environ = {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}
    if missing != "port":
        environ["KUBERNETES_SERVICE_PORT"] = "443"
    (tmp_path / "token").write_text(TOKEN)
    with pytest.raises(ValueError, match=problem):
        read_service_account(environ, str(tmp_path))
