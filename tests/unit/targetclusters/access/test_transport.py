import socket
import threading
import time
import tracemalloc
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from hooks.http.answer_memory import AnswerBounds
from hooks.http.deadline import Deadline
from hooks.kube.client import ApiServer, KubeError, KubeUnreachable
from hooks.targetclusters.access import connector
from hooks.targetclusters.access.kubeconfig import Kubeconfig, read_untrusted_kubeconfig
from hooks.targetclusters.access.kubeconfig_fields import BadKubeconfig
from tests.controlplane.polling import SLACK
from tests.targets import servers
from tests.targets.certificates import Authority, Certificate
from tests.targets.objects import ON_LOOPBACK, encoded, kubeconfig

TIMEOUT = 0.5
MAX_ANSWER_BYTES = 1_000_000
_CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
AUTHORITY = Authority()


def connected(kubeconfig: Kubeconfig) -> AbstractContextManager[ApiServer]:
    return connector.connect(
        kubeconfig,
        connector.tls_context(kubeconfig),
        user_agent="target-cluster-operator",
        bounds=AnswerBounds(MAX_ANSWER_BYTES),
        destinations=ON_LOOPBACK,
    )


@pytest.mark.parametrize(
    "behaviour",
    [
        pytest.param(servers.black_hole, id="never-answers"),
        pytest.param(servers.dripping_headers, id="headers-drip"),
        pytest.param(servers.dripping_body, id="body-drips"),
        pytest.param(servers.endless_body, id="body-does-not-end"),
        pytest.param(servers.answering(b"<html>"), id="no-json"),
        pytest.param(servers.answering(b"[1]"), id="no-object"),
        pytest.param(servers.answering(b"[" * 100_000), id="deep-json"),
        pytest.param(servers.answering(b'{"a": 1'), id="cut-json"),
        pytest.param(servers.answering(b"x", headers=b"Content-Encoding: gzip\r\n"), id="no-gzip"),
        pytest.param(servers.sending(b"hello\r\n"), id="no-http"),
        pytest.param(servers.sending(b""), id="hangs-up"),
        pytest.param(servers.sending(b"HTTP/1.1 99999 Odd\r\n\r\n"), id="odd-status"),
        pytest.param(servers.sending(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000), id="long-header"),
        pytest.param(
            servers.sending(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200), id="many-headers"
        ),
        pytest.param(servers.sending(_CHUNKED + b"zz\r\n{}\r\n"), id="bad-chunks"),
        pytest.param(servers.sending(_CHUNKED + b"-5\r\n{}\r\n"), id="negative-chunks"),
        pytest.param(
            servers.sending(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"), id="length"
        ),
        pytest.param(servers.sending(b"HTTP/1.1 100 Continue\r\n\r\n" * 5000), id="goes-on-and-on"),
    ],
)
def test_an_answer_that_is_none_ends_in_an_error_in_time(behaviour: servers.Behaviour) -> None:
    with servers.serving(behaviour) as server, connected(Kubeconfig(server.url)) as api:
        began = time.monotonic()
        with pytest.raises(KubeUnreachable):
            api.get("/version", deadline=Deadline(TIMEOUT))
        assert time.monotonic() - began < TIMEOUT + SLACK


@pytest.mark.parametrize(
    "host", ["a..b", "x" * 64 + ".example", "xn--", "[::1", "%zz", "a b", "..", "☃", "1.2.3.4.5.6"]
)
def test_a_host_that_is_none_is_an_error_like_any_other(host: str) -> None:
    try:
        config = read_untrusted_kubeconfig(kubeconfig(f"http://{host}:1"))
    except BadKubeconfig:
        return
    with connected(config) as api, pytest.raises(KubeUnreachable):
        api.get("/version", deadline=Deadline(TIMEOUT))


def test_an_endless_answer_costs_little_memory() -> None:
    with (
        servers.serving(servers.endless_body) as server,
        connected(Kubeconfig(server.url)) as api,
    ):
        tracemalloc.start()
        try:
            with pytest.raises(KubeUnreachable, match="larger than 1000000 bytes"):
                api.get("/version", deadline=Deadline(30))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 3 * MAX_ANSWER_BYTES


def test_a_port_that_refuses_is_unreachable() -> None:
    with (
        servers.refusing() as url,
        connected(Kubeconfig(url)) as api,
        pytest.raises(KubeUnreachable, match="refused"),
    ):
        api.get("/version", deadline=Deadline(TIMEOUT))


@pytest.mark.parametrize("body", [b"", b'{"kind": "Status"}'], ids=["empty", "json"])
def test_a_redirect_is_not_followed(body: bytes) -> None:
    with servers.serving(servers.answering(b"{}")) as elsewhere:
        location = f"Location: {elsewhere.url}/\r\n".encode()
        moved = servers.answering(body, status="302 Found", headers=location)
        with (
            servers.serving(moved) as server,
            connected(Kubeconfig(server.url, authorization="Bearer hunter2")) as api,
            pytest.raises(KubeError),
        ):
            api.get("/version", deadline=Deadline(TIMEOUT))
        assert elsewhere.connections == 0


def test_the_authorization_is_sent(tmp_path: Path) -> None:
    certificate = AUTHORITY.issue("server", host="127.0.0.1")
    with servers.serving(servers.answering(b"{}"), tls=certificate, folder=tmp_path) as server:
        config = Kubeconfig(server.url, ca=AUTHORITY.pem, authorization="Bearer hunter2")
        with connected(config) as api:
            assert api.get("/version", deadline=Deadline(5)) == {}
        assert b"Authorization: Bearer hunter2\r\n" in server.requests[0]
        assert b"User-Agent: target-cluster-operator\r\n" in server.requests[0]


@pytest.mark.parametrize(
    ("certificate", "trusts", "server_name"),
    [
        pytest.param(AUTHORITY.issue(host="127.0.0.1"), Authority().pem, "", id="other-authority"),
        pytest.param(AUTHORITY.issue(host="127.0.0.1"), "", "", id="only-the-systems-authorities"),
        pytest.param(AUTHORITY.issue(host="other.example"), AUTHORITY.pem, "", id="other-host"),
        pytest.param(
            AUTHORITY.issue(host="127.0.0.1"), AUTHORITY.pem, "name.example", id="other-name"
        ),
        pytest.param(
            AUTHORITY.issue(host="127.0.0.1", ends=1600000000.0), AUTHORITY.pem, "", id="expired"
        ),
    ],
)
def test_a_server_that_is_not_the_right_one_is_told_nothing(
    certificate: Certificate, trusts: str, server_name: str, tmp_path: Path
) -> None:
    with servers.serving(servers.answering(b"{}"), tls=certificate, folder=tmp_path) as server:
        config = Kubeconfig(
            server.url, ca=trusts, server_name=server_name, authorization="Bearer hunter2"
        )
        with connected(config) as api, pytest.raises(KubeUnreachable, match="certificate"):
            api.get("/version", deadline=Deadline(5))
        assert server.requests == []


def test_texts_between_the_authorities_may_hold_anything(tmp_path: Path) -> None:
    certificate = AUTHORITY.issue("server", host="127.0.0.1")
    with servers.serving(servers.answering(b"{}"), tls=certificate, folder=tmp_path) as server:
        authority = {"certificate-authority-data": encoded(f"# Zürich — Wurzel\n{AUTHORITY.pem}")}
        config = read_untrusted_kubeconfig(kubeconfig(server.url, cluster=authority))
        with connected(config) as api:
            assert api.get("/version", deadline=Deadline(5)) == {}


def test_a_certificate_may_be_for_the_name_that_the_kubeconfig_gives(tmp_path: Path) -> None:
    certificate = AUTHORITY.issue(host="name.example")
    with servers.serving(servers.answering(b"{}"), tls=certificate, folder=tmp_path) as server:
        config = Kubeconfig(server.url, ca=AUTHORITY.pem, server_name="name.example")
        with connected(config) as api:
            assert api.get("/version", deadline=Deadline(5)) == {}


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
def test_a_server_need_not_prove_itself_where_the_kubeconfig_says_so(tmp_path: Path) -> None:
    certificate = AUTHORITY.issue(host="other.example")
    with servers.serving(servers.answering(b"{}"), tls=certificate, folder=tmp_path) as server:
        config = Kubeconfig(server.url, ca=AUTHORITY.pem, verify=False)
        with connected(config) as api:
            assert api.get("/version", deadline=Deadline(5)) == {}


def certificate_folders() -> set[Path]:
    return set(connector.memory_folder().glob("client-certificate-*"))


def test_the_client_certificate_is_shown_and_its_file_is_gone(tmp_path: Path) -> None:
    server_certificate = AUTHORITY.issue(host="127.0.0.1")
    client = AUTHORITY.issue("somebody")
    shown: list[object] = []
    before = certificate_folders()  # a process that was killed may have left one

    def note(connection: socket.socket, over: threading.Event) -> None:
        shown.append(connection.getpeercert())  # type: ignore[attr-defined]
        servers.answering(b"{}")(connection, over)

    with servers.serving(
        note, tls=server_certificate, folder=tmp_path, client_ca=AUTHORITY.pem
    ) as server:
        config = Kubeconfig(
            server.url, ca=AUTHORITY.pem, certificate=client.certificate, key=client.key
        )
        with connected(config) as api:
            assert api.get("/version", deadline=Deadline(5)) == {}
    assert "somebody" in str(shown[0])
    assert certificate_folders() <= before


def test_plain_text_is_read_with_its_code() -> None:
    body = b"[-]etcd failed: reason withheld"
    behaviour = servers.answering(body, status="500 Internal Server Error")
    with servers.serving(behaviour) as server, connected(Kubeconfig(server.url)) as api:
        assert api.read_text("/readyz", deadline=Deadline(5)) == (500, body.decode())
