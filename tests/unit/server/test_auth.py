from pathlib import Path

import pytest

from hooks.server.auth import Authenticator
from hooks.settings.reloading import ReloadingFile
from hooks.settings.tokens import read_tokens

CERTIFICATE = {"subject": ((("commonName", "metacontroller"),),)}


def authenticator(path: Path, *, client_certificates: bool = False) -> Authenticator:
    """Make an authenticator of a token file."""
    tokens = ReloadingFile("tokens", (str(path),), lambda: read_tokens(str(path)))
    return Authenticator(tokens, client_certificates=client_certificates)


@pytest.mark.parametrize(
    ("content", "good"),
    [
        pytest.param("one", ["one"], id="no newline"),
        pytest.param("one\n", ["one"], id="newline"),
        pytest.param("one\r\ntwo\r\n", ["one", "two"], id="from Windows"),
        pytest.param("\n one \n\n two \n", ["one", "two"], id="blanks"),
        pytest.param("a.b-c_d~e+f/g==", ["a.b-c_d~e+f/g=="], id="every character of RFC 6750"),
    ],
)
def test_the_tokens_of_a_file_are_accepted_and_no_other(
    tmp_path: Path, content: str, good: list[str]
) -> None:
    path = tmp_path / "tokens"
    path.write_text(content)
    tokens = read_tokens(str(path))
    assert all(tokens.admit(token) for token in good)
    assert not any(tokens.admit(bad) for bad in ("", "on", "one ", "ONE", "three", "one\ntwo"))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(b"", "it holds 0", id="empty"),
        pytest.param(b" \n\n", "it holds 0", id="blank"),
        pytest.param(b"TOKEN-1\nTOKEN-2\nTOKEN-3\n", "it holds 3", id="three"),
        pytest.param(b"TOKEN-1 TOKEN-2", "without spaces", id="blank inside"),
        pytest.param(b"TOKEN-1\x00", "printable", id="control character"),
        pytest.param("TOKEN-1ü".encode(), "printable ASCII", id="not ASCII"),
        pytest.param(b"TOKEN-1" + b"x" * 5000, "printable", id="too long"),
    ],
)
def test_a_file_of_other_content_is_refused_without_showing_it(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    path = tmp_path / "tokens"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=reason) as refusal:
        read_tokens(str(path))
    assert "TOKEN" not in str(refusal.value)


def test_tokens_do_not_print(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    path.write_text("TOKEN-1")
    assert "TOKEN-1" not in repr(read_tokens(str(path)))


@pytest.mark.parametrize(
    ("header", "refusal"),
    [
        pytest.param("Bearer TOKEN-1", None, id="good"),
        pytest.param("bearer TOKEN-2", None, id="the second, small letters"),
        pytest.param("", "a bearer token is needed", id="no header"),
        pytest.param("TOKEN-1", "a bearer token is needed", id="no scheme"),
        pytest.param("Basic TOKEN-1", "a bearer token is needed", id="another scheme"),
        pytest.param("Bearer", "a bearer token is needed", id="no token"),
        pytest.param("Bearer TOKEN-1 TOKEN-2", "a bearer token is needed", id="two tokens"),
        pytest.param("Bearer TOKEN-3", "the bearer token is not one", id="unknown"),
        pytest.param("Bearer token-1", "the bearer token is not one", id="small letters"),
        pytest.param("Bearer \xfc", "a bearer token is needed", id="not ASCII"),
    ],
)
def test_only_bearers_of_a_token_are_accepted(
    tmp_path: Path, header: str, refusal: str | None
) -> None:
    path = tmp_path / "tokens"
    path.write_text("TOKEN-1\nTOKEN-2\n")
    answer = authenticator(path).refusal(header, {})
    assert (answer or "").startswith(refusal or "")
    assert (answer is None) == (refusal is None)
    assert "TOKEN" not in (answer or "").replace("TOKEN_FILE", "").replace("Bearer TOKEN", "")


def test_without_tokens_every_caller_is_accepted() -> None:
    assert Authenticator(None, client_certificates=False).refusal("", None) is None


def test_a_client_certificate_is_needed_besides_the_token(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    path.write_text("TOKEN-1")
    strict = authenticator(path, client_certificates=True)
    assert strict.refusal("Bearer TOKEN-1", {}) == "a client certificate is needed"
    assert strict.refusal("Bearer TOKEN-1", None) == "a client certificate is needed"
    assert strict.refusal("", CERTIFICATE) is not None
    assert strict.refusal("Bearer TOKEN-1", CERTIFICATE) is None


def test_a_token_is_rotated_with_two_in_between(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    path.write_text("old\n")
    watched = authenticator(path)

    def accepted() -> list[bool]:
        return [watched.refusal(f"Bearer {token}", {}) is None for token in ("old", "new")]

    assert accepted() == [True, False]
    path.write_text("old\nnew\n")
    assert accepted() == [True, True]
    path.write_text("new\n")
    assert accepted() == [False, True]


@pytest.mark.parametrize("bad", [pytest.param("", id="emptied"), pytest.param(None, id="gone")])
def test_a_bad_new_token_file_changes_nothing(tmp_path: Path, bad: str | None) -> None:
    path = tmp_path / "tokens"
    path.write_text("old\n")
    watched = authenticator(path)
    assert watched.refusal("Bearer old", {}) is None
    if bad is None:
        path.unlink()
    else:
        path.write_text(bad)
    assert watched.refusal("Bearer old", {}) is None
    assert watched.refusal("Bearer new", {}) is not None
