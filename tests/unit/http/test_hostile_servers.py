"""No server, whatever it sends or leaves out, holds a caller for longer than it was given."""

import socket
import ssl
import threading
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from hooks.http.deadline import Deadline
from hooks.kube.client import KubeUnreachable
from hooks.targetclusters.access.kubeconfig import Kubeconfig
from tests.controlplane.polling import SLACK
from tests.targets import servers
from tests.unit.http.clients import AUTHORITY, CLIENTS, ERRORS, SERVER, Ask, connect

SECONDS = 0.6

_OK = b"HTTP/1.1 200 OK\r\n"
_CHUNKED = _OK + b"Transfer-Encoding: chunked\r\n\r\n"
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

clients = pytest.mark.parametrize("ask", CLIENTS.values(), ids=CLIENTS)
behaviours = pytest.mark.parametrize(
    "behaviour",
    [
        pytest.param(servers.black_hole, id="never answers"),
        pytest.param(servers.repeating(b"H"), id="a status line without end"),
        pytest.param(servers.repeating(b"x", after=_OK + b"X: "), id="a header without end"),
        pytest.param(servers.repeating(_CONTINUE), id="100 Continue again and again"),
        pytest.param(servers.repeating(_CONTINUE * 500, pause=0), id="100 Continue at full speed"),
        pytest.param(
            servers.repeating(b" ", after=_OK + b"Content-Length: 100000\r\n\r\n"), id="a body"
        ),
        pytest.param(servers.repeating(b" ", after=_OK + b"\r\n"), id="a body without a length"),
        pytest.param(servers.repeating(b"1\r\n \r\n", after=_CHUNKED), id="chunks"),
        pytest.param(servers.repeating(b"0", after=_CHUNKED), id="the size of a chunk"),
        pytest.param(servers.repeating(b"X: y\r\n", after=_CHUNKED + b"0\r\n"), id="trailers"),
    ],
)


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    path.write_text(AUTHORITY.pem)
    return path


@contextmanager
def ends_in_time() -> Iterator[None]:
    """See that a block ends in one of the clients' errors, in the time that it was given."""
    started = time.monotonic()
    with pytest.raises(ERRORS):
        yield
    assert time.monotonic() - started < SECONDS + SLACK


@clients
@behaviours
def test_a_server_that_drips_is_left_in_time(
    ask: Ask, behaviour: servers.Behaviour, ca: Path
) -> None:
    with servers.serving(behaviour) as server, ends_in_time():
        ask(server.url, SECONDS, ca)


@clients
@behaviours
def test_a_server_that_drips_over_tls_is_left_in_time(
    ask: Ask, behaviour: servers.Behaviour, ca: Path, tmp_path: Path
) -> None:
    with (
        servers.serving(behaviour, tls=SERVER, folder=tmp_path) as server,
        ends_in_time(),
    ):
        ask(server.url, SECONDS, ca)
    assert server.requests


@clients
@pytest.mark.parametrize(
    "behaviour",
    [
        pytest.param(servers.black_hole, id="never answers"),
        pytest.param(servers.repeating(b"\0", after=b"\x16\x03\x03\x3f\xff"), id="drips"),
        pytest.param(servers.repeating(b"\x15\x03\x03\0\x02\x01\x5a"), id="warns for ever"),
    ],
)
def test_a_tls_handshake_that_does_not_end_is_left_in_time(
    ask: Ask, behaviour: servers.Behaviour, ca: Path
) -> None:
    with servers.serving(behaviour) as server, ends_in_time():
        ask(server.url.replace("http:", "https:"), SECONDS, ca)


@contextmanager
def deaf() -> Iterator[str]:
    """Give the URL of a port whose queue of connections is full: the kernel answers nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        for one in waiting:
            one.close()


@clients
def test_a_connection_that_is_not_made_is_given_up_in_time(ask: Ask, ca: Path) -> None:
    with deaf() as url, ends_in_time():
        ask(url, SECONDS, ca)


@contextmanager
def never_reading(context: ssl.SSLContext | None) -> Iterator[str]:
    """Give the URL of a server that takes connections and reads nothing of what is sent."""
    taken = []

    def take(listener: socket.socket) -> None:
        # On a busy machine the client's time may be over before it has connected.
        with suppress(OSError):
            connection, _ = listener.accept()
            connection.settimeout(SECONDS)
            wrapped = context.wrap_socket(connection, server_side=True) if context else connection
            taken.append(wrapped)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(SECONDS + SLACK)
        thread = threading.Thread(target=take, args=(listener,))
        thread.start()
        scheme = "https" if context else "http"
        yield f"{scheme}://127.0.0.1:{listener.getsockname()[1]}"
        thread.join()
        for connection in taken:
            connection.close()


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
def test_a_server_that_reads_nothing_is_left_in_time(tls: bool, tmp_path: Path) -> None:
    context = None
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        pem = tmp_path / "server.pem"
        pem.write_text(SERVER.certificate + SERVER.key)
        context.load_cert_chain(pem)
    with never_reading(context) as url:
        kubeconfig = Kubeconfig(url, ca=AUTHORITY.pem)
        with connect(kubeconfig, 1_000_000) as api, ends_in_time():
            api.create("/api/v1/configmaps", {"x": "y" * 30_000_000}, deadline=Deadline(SECONDS))


@pytest.mark.parametrize(
    "behaviour",
    [
        pytest.param(servers.repeating(b"0" * 65536, after=_CHUNKED, pause=0), id="chunk size"),
        pytest.param(servers.repeating(b"x" * 65536, after=_OK + b"\r\n", pause=0), id="body"),
        pytest.param(servers.repeating(_CONTINUE * 5000, pause=0), id="100 Continue"),
        pytest.param(
            servers.repeating(b"1;" + b"x" * 60_000 + b"\r\n \r\n", after=_CHUNKED, pause=0),
            id="extensions of chunks",
        ),
        pytest.param(
            servers.repeating(b"1\r\n \r\n" * 5000, after=_CHUNKED, pause=0), id="tiny chunks"
        ),
    ],
)
def test_whatever_a_server_sends_without_end_is_cut_at_the_size_of_an_answer(
    behaviour: servers.Behaviour,
) -> None:
    with servers.serving(behaviour) as server, connect(Kubeconfig(server.url), 1_000_000) as api:
        tracemalloc.start()
        try:
            with pytest.raises(KubeUnreachable):
                api.get("/version", deadline=Deadline(30))
            assert tracemalloc.get_traced_memory()[1] < 8_000_000
        finally:
            tracemalloc.stop()


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(_CHUNKED + b"1\r\n \r\n" * 50_000 + b"2\r\n{}\r\n0\r\n\r\n", id="chunks"),
        pytest.param(_CONTINUE * 30_000 + _OK + b"Content-Length: 2\r\n\r\n{}", id="100 Continue"),
        pytest.param(
            _CHUNKED + b"2\r\n{}\r\n0\r\n" + b"X: y\r\n" * 50_000 + b"\r\n", id="trailers"
        ),
    ],
)
def test_an_answer_in_many_small_pieces_is_not_read_to_its_end(answer: bytes) -> None:
    with (
        servers.serving(servers.sending(answer)) as server,
        connect(Kubeconfig(server.url), 1_000_000) as api,
        pytest.raises(KubeUnreachable, match="comes in too many small pieces"),
    ):
        api.get("/version", deadline=Deadline(30))


def test_an_answer_in_pieces_of_a_hundred_bytes_is_read() -> None:
    answer = _CHUNKED + b"64\r\n" + b" " * 100 + b"\r\n"
    whole = answer + (b"64\r\n" + b" " * 100 + b"\r\n") * 5_000 + b"2\r\n{}\r\n0\r\n\r\n"
    with (
        servers.serving(servers.sending(whole)) as server,
        connect(Kubeconfig(server.url), 1_000_000) as api,
    ):
        assert api.get("/version", deadline=Deadline(30)) == {}
