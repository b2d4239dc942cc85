"""Which authorities are trusted, and when their files are read."""

import re
import shutil
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
import trustme

from hooks.http.tls import BadTrust, file_context, new_context
from hooks.http.transport import HttpAnswer, Request, Transport
from tests.certificates import make_certificates
from tests.targets import servers
from tests.targets.certificates import Authority, Certificate
from tests.unit.http.clients import AUTHORITY, CLIENTS, ERRORS, SERVER, Ask


def test_a_context_is_shared_until_a_file_of_it_changes(tmp_path: Path) -> None:
    made = make_certificates(tmp_path)
    first = file_context(str(made.authority))
    assert file_context(str(made.authority)) is first
    shutil.copyfile(make_certificates(tmp_path / "new").authority, made.authority)
    assert file_context(str(made.authority)) is not first


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["first", "last"])
def test_authorities_that_cannot_be_read_are_left_out_if_one_can(order: tuple[int, int]) -> None:
    bad = "-----BEGIN CERTIFICATE-----\nMAMCAQE=\n-----END CERTIFICATE-----\n"
    whole = Authority().pem
    parts = [whole, bad]
    context = new_context(ca="".join(parts[place] for place in order))
    assert context.cert_store_stats()["x509_ca"] == 1
    cut = whole + Authority().pem[:300]
    assert new_context(ca=cut).cert_store_stats()["x509_ca"] == 1
    with pytest.raises(ssl.SSLError):
        new_context(ca=bad)


def test_a_changed_file_of_authorities_is_used_for_the_next_request(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_text(Authority().pem)
    transport = Transport(lambda: file_context(str(ca)))
    with servers.serving(servers.answering(b"{}"), tls=SERVER, folder=tmp_path) as server:
        with pytest.raises(Exception, match="is not trusted"):
            transport.send(Request("GET", server.url), 5)
        ca.write_text(AUTHORITY.pem)
        assert isinstance(transport.send(Request("GET", server.url), 5), HttpAnswer)
    transport.close()


def test_authorities_in_a_folder_are_found_whatever_their_names_are(tmp_path: Path) -> None:
    assert file_context(str(tmp_path)).get_ca_certs() == []
    (tmp_path / "mine.crt").write_text(Authority().pem + Authority().pem)
    (tmp_path / "README").write_text("no PEM")
    (tmp_path / "older").mkdir()
    assert len(file_context(str(tmp_path)).get_ca_certs()) == 2


def test_several_folders_are_read_as_openssl_reads_them(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("one", "two", "none")]
    for folder in folders[:2]:
        folder.mkdir()
        (folder / "ca.pem").write_text(Authority().pem)
    listed = ":".join(map(str, folders))
    first = file_context(listed)
    assert len(first.get_ca_certs()) == 2
    assert file_context(listed) is first
    (folders[1] / "more.pem").write_text(Authority().pem)
    assert len(file_context(listed).get_ca_certs()) == 3
    folders[2].mkdir()
    (folders[2] / "ca.pem").write_text(Authority().pem)
    assert len(file_context(listed).get_ca_certs()) == 4


def test_a_colon_in_the_name_of_a_file_or_folder_separates_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "a:b"
    folder.mkdir()
    (folder / "ca.pem").write_text(Authority().pem)
    assert len(file_context(str(folder)).get_ca_certs()) == 1
    assert len(file_context(str(folder / "ca.pem")).get_ca_certs()) == 1


@pytest.mark.parametrize(
    ("path", "named"),
    [
        pytest.param("/nowhere/a:/nowhere/b", "/nowhere/a:/nowhere/b", id="no folder of several"),
        pytest.param("{0}:{0}/ca.pem", "{0}/ca.pem'", id="a file in the place of a folder"),
    ],
)
def test_folders_that_cannot_be_used_are_named(path: str, named: str, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text(Authority().pem)
    with pytest.raises(BadTrust, match=re.escape(named.format(tmp_path))):
        file_context(path.format(tmp_path))


UNREADABLE = """
import os, tempfile
from hooks.http.tls import BadTrust, file_context, new_context

with tempfile.TemporaryDirectory() as parent:
    os.chmod(parent, 0o755)
    os.mkdir(private := os.path.join(parent, "private"), 0)
    os.mkdir(public := os.path.join(parent, "public"), 0o755)
    if is_root := os.geteuid() == 0:
        os.seteuid(65534)
    try:
        file_context(f"{public}:{private}")
    except BadTrust as error:
        assert str(error).endswith(f"Permission denied: '{private}'"), error
        print("named")
    if is_root:
        os.seteuid(0)
"""


def test_a_folder_that_may_not_be_read_is_named() -> None:
    command = [sys.executable, "-c", UNREADABLE]
    assert subprocess.run(command, capture_output=True, check=True, text=True).stdout == "named\n"


def test_our_own_certificate_is_read_with_its_key(tmp_path: Path) -> None:
    made = make_certificates(tmp_path)
    client = (str(made.client_cert), str(made.client_key))
    file_context(str(made.authority), certificate=client)
    with pytest.raises(BadTrust, match=r"client\.crt with .*server\.key cannot be used"):
        file_context(str(made.authority), certificate=(client[0], str(made.server_key)))


@pytest.mark.parametrize("content", [None, "", "no PEM"])
def test_a_file_that_holds_no_authorities_is_named(content: str | None, tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(BadTrust, match=r"ca\.pem cannot be used: "):
        file_context(str(path))


@pytest.mark.parametrize("ask", CLIENTS.values(), ids=CLIENTS)
def test_an_intermediate_authority_is_enough_to_trust(ask: Ask, tmp_path: Path) -> None:
    intermediate = trustme.CA().create_child_ca()
    issued = intermediate.issue_cert("127.0.0.1")
    leaf = issued.cert_chain_pems[0].bytes().decode()
    server_pem = Certificate(leaf, issued.private_key_pem.bytes().decode())
    ca = tmp_path / "ca.pem"
    intermediate.cert_pem.write_to_path(str(ca))
    with (
        servers.serving(servers.answering(b"[]"), tls=server_pem, folder=tmp_path) as server,
        pytest.raises(ERRORS, match="HTTP 200"),
    ):
        ask(server.url, 5, ca)
