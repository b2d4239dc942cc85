"""The operator reads kubeconfigs of all forms as kubectl does, or says what is wrong."""

import base64
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from hooks.http.answer_memory import AnswerMemory
from hooks.http.deadline import Deadline
from hooks.kube.client import KubeError
from hooks.targetclusters.access.connector import AccessError, Connector
from hooks.targetclusters.access.destinations import Destinations
from tests.controlplane.polling import PATIENCE
from tests.integration.targetclusters.kubeconfig_forms import documents, proxies, servers, users
from tests.integration.targetclusters.kubeconfig_forms.form import Form
from tests.integration.targetclusters.kubeconfig_forms.recorder import Recorder, Sent, recording
from tests.targets.objects import ON_LOOPBACK, secret
from tests.targets.own_cluster import OwnCluster
from tools.binaries import COLLECT_NEVER, Binaries

FORMS = {
    f"{topic}: {form.name}": form
    for topic, table in {
        "document": documents.DOCUMENTS,
        "context": documents.CONTEXTS,
        "server": servers.SERVERS,
        "authority": servers.AUTHORITIES,
        "proxy": proxies.PROXIES,
        "user": users.USERS,
    }.items()
    for form in table
}
#: As in a cluster, but for loopback, where the servers and a proxy are.
DESTINATIONS = Destinations(ON_LOOPBACK.allowed, proxies="127.0.0.1")


@pytest.fixture(scope="module")
def recorder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorder]:
    with recording(tmp_path_factory.mktemp("recorder")) as made:
        yield made


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_a_kubeconfig_is_read_as_kubectl_does_or_what_is_wrong_is_named(
    form: Form, recorder: Recorder, control_plane_binaries: Binaries, tmp_path: Path
) -> None:
    text = form.text(recorder)
    content = text if isinstance(text, bytes) else text.encode()
    recorder.clear()
    kubectl(control_plane_binaries.kubectl, content, tmp_path)
    assert recorder.sent == ([form.kubectl] if form.kubectl else [])
    recorder.clear()
    problem = operator(content)
    if isinstance(form.operator, Sent):
        assert (problem, recorder.sent) == ("", [form.operator])
    else:
        assert form.operator in problem
        assert recorder.sent == []


def kubectl(program: Path, content: bytes, folder: Path) -> None:
    """Ask for the version; kubectl that would ask somebody for a password gets none."""
    file = folder / "kubeconfig"
    file.write_bytes(content)
    subprocess.run(
        [program, "get", "--raw", "/version", f"--cache-dir={folder}"],
        env={"KUBECONFIG": str(file), "HOME": str(folder), **COLLECT_NEVER},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=PATIENCE,
    )


def operator(content: bytes) -> str:
    """Ask for the version as the operator does; return what it says is wrong."""
    own = OwnCluster()
    kept = secret("")
    own.put({**kept, "data": {"kubeconfig": base64.b64encode(content).decode()}})
    connector = Connector(own, user_agent="tests", destinations=DESTINATIONS, memory=AnswerMemory())
    deadline = Deadline(PATIENCE)
    try:
        with connector.open("team", "target", max_answer_bytes=1_000_000, deadline=deadline) as (
            api,
            _,
        ):
            api.get("/version", deadline=deadline)
    except (AccessError, KubeError) as error:
        return str(error)
    return ""
