"""What a server echoes of a secret, in whatever form, is in no status, Event or log line."""

import base64
import json
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.controlplane.polling import until
from tests.serving import PROJECT, Hooks
from tests.targets import servers
from tests.targets.certificates import Authority
from tests.targets.driving import target_cluster
from tests.targets.objects import ON_LOOPBACK_SETTINGS, encoded, kubeconfig, secret

#: As long as a short JWT, with what base64 and URLs write in another way.
TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJ1bmlxdWUiOiJ4eXoifQ.c2lnbmF0dXJl/b2Zf+c29tZQ=="
PASSWORD = "correct/horse+battery=staple"
CLIENT = Authority().issue()
KEY_LINE = CLIENT.key.splitlines()[1]
API_KEY = "plgWJfZK4gyS3mlZLYq/u38zCm0bewzGUdP66mg=="

USERS = {
    "token": (TOKEN, {"token": TOKEN}),
    "password": (PASSWORD, {"username": "admin", "password": PASSWORD}),
    "client key": (
        KEY_LINE,
        {
            "client-certificate-data": encoded(CLIENT.certificate),
            "client-key-data": encoded(CLIENT.key),
        },
    ),
}


def escaped(text: str) -> str:
    return "".join(f"\\u{ord(char):04x}" for char in text)


def base64_of(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def answer(body: str, *, status: str = "401 Unauthorized", headers: str = "") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n{headers}"
    return f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode()


def refusal(text: str) -> bytes:
    """Refuse as both kinds of servers do; the text is JSON already."""
    error = f'{{"errorcode": 530, "errortext": "you sent {text}"}}'
    status = f'"kind": "Status", "message": "you sent {text}", "gitVersion": "{text}"'
    return answer(f'{{{status}, "listvirtualmachinesresponse": {error}}}')


def cloud_refusal(text: str) -> bytes:
    error = f'{{"errorcode": 530, "errortext": "you sent {text}"}}'
    return answer(f'{{"listvirtualmachinesresponse": {error}}}', status="530 Refused")


#: How the secret is written, and the answer around it.
ECHOES: dict[str, tuple[Callable[[str], str], Callable[[str], bytes]]] = {
    "plain": (str, refusal),
    "each character escaped": (escaped, refusal),
    "slashes escaped": (lambda text: text.replace("/", "\\/"), refusal),
    "as Go writes HTML": (lambda text: text.replace("=", "\\u003d"), refusal),
    "JSON in JSON": (lambda text: escaped(text).replace("\\", "\\\\"), refusal),
    "percent-encoded": (lambda text: quote(text, safe=""), refusal),
    "percent-encoded twice": (lambda text: quote(quote(text, safe=""), safe=""), refusal),
    "base64": (base64_of, refusal),
    "base64 of a header": (lambda text: base64_of(f"Bearer {text}"), refusal),
    "hexadecimal": (lambda text: text.encode().hex(), refusal),
    "in a long text": (lambda text: f"{'x' * 270} {escaped(text)}", refusal),
    "behind hundreds of characters": (lambda text: f"{'x' * 380} {text}", refusal),
    "a gateway's page": (str, lambda text: answer(text, status="502 Bad Gateway")),
    "an escaped page": (escaped, lambda text: answer(text, status="503 Busy")),
    "a garbage status line": (str, lambda text: f"{text}\r\n\r\n".encode()),
    "a status that is no number": (str, lambda text: f"HTTP/1.1 {text}\r\n\r\n".encode()),
    "a reason phrase": (str, lambda text: answer("", status=f"500 {text}")),
    "a header that is none": (str, lambda text: answer("{}", headers=f"{text}\r\n")),
    "the length of a chunk": (
        str,
        lambda text: f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{text}\r\n".encode(),
    ),
    "a content type": (str, lambda text: answer("<", headers=f"Content-Type: {text}\r\n")),
    "a failed check": (str, lambda text: answer(f"[-]{text} failed", status="500 No")),
    "when to come back": (str, lambda text: answer("{}", headers=f"Retry-After: {text}\r\n")),
}


def assert_hidden(text: str, secret_text: str, written: str) -> None:
    """See that no twelve characters of a secret are there, as it is or as it was echoed."""
    for form in (secret_text, written.replace("x" * 20, "")):
        windows = {form[at : at + 12] for at in range(len(form) - 11)}
        seen = [window for window in windows if window in text or json.dumps(window)[1:-1] in text]
        assert not seen, f"{seen[0]} is shown in {text}"


@pytest.fixture(scope="module")
def hooks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hooks]:
    environ = {
        "HOOKS": "targetclusters",
        "WATCH_NAMESPACE": "",
        "LOG_LEVEL": "debug",
        **ON_LOOPBACK_SETTINGS,
    }
    with Hooks(tmp_path_factory.mktemp("echoes"), environ) as running:
        yield running


@pytest.mark.parametrize(("write", "reply"), ECHOES.values(), ids=ECHOES)
@pytest.mark.parametrize("user", USERS)
def test_a_target_cluster_cannot_have_a_secret_shown(
    hooks: Hooks, user: str, write: Callable[[str], str], reply: Callable[[str], bytes]
) -> None:
    secret_text, credentials = USERS[user]
    written, logged = write(secret_text), _log(hooks)
    with servers.serving(servers.sending(reply(written))) as server:
        name = f"target-{uuid.uuid4()}"  # a port may come again
        hooks.api_server.store.put(secret(kubeconfig(server.url, user=credentials), name=name))
        cluster = target_cluster(name, kubeconfigSecret=name, failureThreshold=1)
        body = {"parent": cluster, "children": {}}

        def probed() -> str:
            answered = hooks.post("/targetclusters/sync", body)
            assert answered.code == 200
            return answered.body.decode() if answered.json["status"].get("probe") else ""

        status = until(probed, "the cluster is probed", every=0.02)
        assert server.requests
    hooks.post("/targetclusters/sync", {**body, "parent": {**cluster, **json.loads(status)}})
    until(lambda: name in _events(hooks), "its Event is written", every=0.02)
    for shown in (status, _events(hooks), _log(hooks)[len(logged) :], _metrics(hooks)):
        assert_hidden(shown, secret_text, written)


def _events(hooks: Hooks) -> str:
    objects = hooks.api_server.store.objects.copy()
    return json.dumps([obj for obj in objects.values() if obj["kind"] == "Event"])


def _log(hooks: Hooks) -> str:
    return hooks.process.log.read_text()


def _metrics(hooks: Hooks) -> str:
    return hooks.scrape().body.decode()


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Hooks, list[bytes]]]:
    """Serve nodes; the last bytes in the list are what CloudStack answers."""
    answers = [b""]

    def echo(connection: socket.socket, over: threading.Event) -> None:
        servers.sending(answers[-1])(connection, over)

    folder: Path = tmp_path_factory.mktemp("cloud-echoes")
    with servers.serving(echo) as server:
        config = f"[Global]\napi-url = {server.url}/client/api\n"
        config += f"api-key = {API_KEY}\nsecret-key = {API_KEY[::-1]}\n"
        (folder / "cloud-config").write_text(config)
        environ = {
            "CLOUD_CONFIG": str(folder / "cloud-config"),
            "LOG_LEVEL": "debug",
            "HOOK_DEADLINE": "1s",
            "VM_CACHE_TTL": "0s",
        }
        with Hooks(folder, environ) as running:
            yield running, answers


@pytest.mark.parametrize(("write", "reply"), ECHOES.values(), ids=ECHOES)
def test_a_cloudstack_cannot_have_a_secret_shown(
    cloud: tuple[Hooks, list[bytes]], write: Callable[[str], str], reply: Callable[[str], bytes]
) -> None:
    hooks, answers = cloud
    written, logged = write(API_KEY), _log(hooks)
    answers.append(cloud_refusal(written) if reply is refusal else reply(written))
    body = json.loads((PROJECT / "examples/01-node/request.json").read_text())
    answered = hooks.post("/nodes/sync", body)
    assert answered.code != 404
    for shown in (answered.body.decode(), _log(hooks)[len(logged) :], _events(hooks)):
        assert_hidden(shown, API_KEY, written)
