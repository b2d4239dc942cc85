"""The real gunicorn process with certificates."""

import json
import shutil
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from simulator.server import Simulator
from tests.certificates import Certificates, make_certificates
from tests.serving import PROJECT, Hooks, raw_call, write_cloud_config

NODE: dict[str, Any] = json.loads((PROJECT / "examples/01-node/request.json").read_text())


def client_context(
    authority: Path, cert: Path | None = None, key: Path | None = None
) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=authority)
    if cert and key:
        context.load_cert_chain(cert, key)
    return context


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return make_certificates(tmp_path / "certificates")


@pytest.fixture
def environ(tmp_path: Path, certificates: Certificates) -> Iterator[dict[str, str]]:
    with Simulator() as simulator:
        yield {
            "CLOUD_CONFIG": str(write_cloud_config(tmp_path / "cloud-config", simulator)),
            "TLS_CERT_FILE": str(certificates.server_cert),
            "TLS_KEY_FILE": str(certificates.server_key),
        }


@pytest.fixture
def served(tmp_path: Path, environ: dict[str, str], certificates: Certificates) -> Iterator[Hooks]:
    hooks = Hooks(tmp_path, environ)
    hooks.context = client_context(certificates.authority)
    with hooks:
        yield hooks


def serial(hooks: Hooks, authority: Path) -> str:
    """Return the serial number of the certificate that is served, by an authority."""
    hooks.context = client_context(authority)
    with hooks.connection() as connection:
        connection.connect()
        assert isinstance(connection.sock, ssl.SSLSocket)
        certificate = connection.sock.getpeercert()
    assert certificate is not None
    return str(certificate["serialNumber"])


def test_the_hooks_speak_tls_and_the_metrics_do_not(served: Hooks) -> None:
    assert served.post("/nodes/sync", NODE).code == 200
    assert served.scrape().code == 200
    assert served.metric("hook_calls_total", hook="nodes", outcome="ok") == 1


def test_plain_http_is_refused_on_the_hooks_port(served: Hooks) -> None:
    answer = raw_call(served.port, b"POST /nodes/sync HTTP/1.1\r\nHost: a\r\n\r\n")
    assert b"200 OK" not in answer
    assert served.calls() == []


def test_a_large_body_arrives_and_one_too_large_is_refused(served: Hooks) -> None:
    note = "x" * 8_000_000
    assert served.post("/nodes/sync", {**NODE, "note": note}).code == 200
    assert served.post("/nodes/sync", b" " * 20_000_000).code == 413


def test_old_protocols_are_refused(served: Hooks, certificates: Certificates) -> None:
    context = client_context(certificates.authority)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    served.context = context
    assert served.get("/healthz").code == 200
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = ssl.TLSVersion.TLSv1_1
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(OSError, match=r"(?i)version|protocol|reset"):
        served.get("/healthz")


def test_renewed_certificates_are_served_without_a_restart(
    served: Hooks, certificates: Certificates, tmp_path: Path
) -> None:
    before = serial(served, certificates.authority)
    renewed = make_certificates(tmp_path / "renewed")
    certificates.server_cert.write_text("half a certifi")
    assert serial(served, certificates.authority) == before
    assert served.metric("config_file_good", file="certificates") == 0
    shutil.copy(renewed.server_cert, certificates.server_cert)
    shutil.copy(renewed.server_key, certificates.server_key)
    assert serial(served, renewed.authority) != before
    assert served.metric("config_file_good", file="certificates") == 1
    with pytest.raises(ssl.SSLCertVerificationError):
        serial(served, certificates.authority)


def test_callers_need_a_certificate_and_probes_do_not(
    tmp_path: Path, environ: dict[str, str], certificates: Certificates
) -> None:
    strange = make_certificates(tmp_path / "strange")
    hooks = Hooks(tmp_path, {**environ, "TLS_CLIENT_CA_FILE": str(certificates.authority)})
    hooks.context = client_context(certificates.authority)
    with hooks:
        reply = hooks.post("/nodes/sync", NODE)
        assert (reply.code, reply.json["error"]) == (401, "a client certificate is needed")
        assert hooks.get("/readyz").code == 200
        assert hooks.scrape().code == 200
        hooks.context = client_context(
            certificates.authority, certificates.client_cert, certificates.client_key
        )
        assert hooks.post("/nodes/sync", NODE).code == 200
        hooks.context = client_context(
            certificates.authority, strange.client_cert, strange.client_key
        )
        with pytest.raises(OSError, match=r"(?i)unknown ca|reset|eof|broken pipe"):
            hooks.post("/nodes/sync", NODE)
        assert len(hooks.calls()) == 2


def test_callers_go_with_the_authority_that_let_them_in(
    tmp_path: Path, environ: dict[str, str], certificates: Certificates
) -> None:
    """An idle connection ends; a request that has begun is answered, and is the last one."""
    renewed = make_certificates(tmp_path / "renewed")
    hooks = Hooks(tmp_path, {**environ, "TLS_CLIENT_CA_FILE": str(certificates.authority)})
    hooks.context = client_context(
        certificates.authority, certificates.client_cert, certificates.client_key
    )
    body = json.dumps(NODE).encode()
    with hooks, hooks.connection() as idle, hooks.connection() as begun:
        idle.request("POST", "/nodes/sync", body)
        reply = idle.getresponse()
        assert (reply.status, reply.read() != b"", idle.sock is not None) == (200, True, True)
        begun.putrequest("POST", "/nodes/sync")
        begun.putheader("Content-Length", str(len(body)))
        begun.endheaders(body[:100])
        for kind in ("authority", "server_cert", "server_key"):
            shutil.copy(getattr(renewed, kind), getattr(certificates, kind))
        assert idle.sock.recv(1) == b""
        begun.send(body[100:])
        reply = begun.getresponse()
        assert (reply.status, reply.getheader("Connection")) == (200, "close")


def test_a_token_is_needed_besides_the_certificate(
    tmp_path: Path, environ: dict[str, str], certificates: Certificates
) -> None:
    (tmp_path / "tokens").write_text("TOKEN-1\n")
    more = {
        "TLS_CLIENT_CA_FILE": str(certificates.authority),
        "HOOKS_TOKEN_FILE": str(tmp_path / "tokens"),
    }
    hooks = Hooks(tmp_path, {**environ, **more})
    hooks.context = client_context(
        certificates.authority, certificates.client_cert, certificates.client_key
    )
    with hooks:
        assert hooks.post("/nodes/sync", NODE).code == 401
        token = {"Authorization": "Bearer TOKEN-1"}
        assert hooks.post("/nodes/sync", NODE, token).code == 200
        hooks.context = client_context(certificates.authority)
        assert hooks.post("/nodes/sync", NODE, token).code == 401


def test_hooks_and_metrics_answer_after_a_hangup(served: Hooks) -> None:
    served.reload()
    assert served.post("/nodes/sync", NODE).code == 200
    assert served.scrape().code == 200


def test_a_hangup_with_certificates_gone_bad_leaves_the_old_ones_at_work(
    served: Hooks, certificates: Certificates
) -> None:
    certificates.server_key.write_text("half a key")
    served.reload()
    assert served.post("/nodes/sync", NODE).code == 200
    assert served.metric("config_file_good", file="certificates") == 0
