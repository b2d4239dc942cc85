import json
import time
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hooks.http.bounded_json import Json
from hooks.targetclusters.access.kubeconfig import read_secret, read_untrusted_kubeconfig
from hooks.targetclusters.access.kubeconfig_fields import BadKubeconfig
from tests.controlplane.polling import SLACK
from tests.targets.objects import ON_LOOPBACK, encoded, kubeconfig, secret
from tests.unit.targetclusters.access.kubeconfigs import AUTHORITY, SERVER, refusal


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        pytest.param({"kubeconfig": "1", "value": "2", "config": "3"}, "1", id="kubeconfig-first"),
        pytest.param({"value": "2", "config": "3"}, "2", id="then-value"),
        pytest.param({"config": "3", "other": "4"}, "3", id="then-config"),
        pytest.param({"admin.conf": "5"}, "5", id="then-the-only-key"),
    ],
)
def test_the_secrets_key_is_found(data: dict[str, str], wanted: str) -> None:
    texts = {key: kubeconfig(f"https://host-{number}") for key, number in data.items()}
    found = read_secret({"data": {key: encoded(text) for key, text in texts.items()}})
    assert found.server == f"https://host-{wanted}"


@pytest.mark.parametrize(
    ("body", "reason", "message"),
    [
        pytest.param(
            {"data": {"a": "", "b": ""}},
            "KubeconfigMissing",
            "the Secret needs one of the keys kubeconfig, value, config; it has: a, b",
            id="no-such-key",
        ),
        pytest.param({}, "KubeconfigMissing", "it has: none", id="empty-secret"),
        pytest.param(
            {"data": {"value": ""}}, "KubeconfigMissing", "key value: is empty", id="empty"
        ),
        pytest.param(
            {"data": {"value": "%%"}}, "KubeconfigInvalid", "value: is not base64", id="no-base64"
        ),
        pytest.param(
            {"data": {"value": "//8="}}, "KubeconfigInvalid", "is not valid Unicode", id="no-text"
        ),
    ],
)
def test_a_secret_without_a_kubeconfig_is_named(body: Json, reason: str, message: str) -> None:
    with pytest.raises(BadKubeconfig, match=message) as refused:
        read_secret(body)
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    ("user", "reason", "field"),
    [
        pytest.param({"exec": {"command": "id"}}, "ExecRefused", "exec", id="exec"),
        pytest.param(
            {"auth-provider": {"name": "gcp"}},
            "AuthProviderRefused",
            "auth-provider",
            id="auth-provider",
        ),
        pytest.param({"tokenFile": "/t"}, "FilePathRefused", "tokenFile", id="token-file"),
        pytest.param(
            {"client-certificate": "/c"}, "FilePathRefused", "client-certificate", id="cert-file"
        ),
        pytest.param({"client-key": "/k"}, "FilePathRefused", "client-key", id="key-file"),
        pytest.param({"as": "root"}, "KubeconfigUnsupported", "as", id="impersonation"),
        pytest.param({"as-groups": ["g"]}, "KubeconfigUnsupported", "as-groups", id="groups"),
    ],
)
def test_a_user_that_reaches_beyond_the_kubeconfig_is_refused(
    user: Json, reason: str, field: str
) -> None:
    refused = refusal(kubeconfig(SERVER, user={"token": "still-there", **user}))
    assert refused.reason == reason
    assert str(refused).startswith(f"users[u].user.{field}: ")


@pytest.mark.parametrize(
    ("cluster", "reason", "field"),
    [
        pytest.param(
            {"certificate-authority": "/ca"},
            "FilePathRefused",
            "certificate-authority",
            id="ca-file",
        ),
        pytest.param({"proxy-url": "http://p"}, "ProxyRefused", "proxy-url", id="proxy"),
        pytest.param(
            {"proxy-url": "socks5://p"}, "KubeconfigInvalid", "proxy-url", id="another-proxy"
        ),
        pytest.param({"server": ""}, "NoServer", "server", id="no-server"),
        pytest.param({"server": "target:6443"}, "KubeconfigInvalid", "server", id="no-scheme"),
        pytest.param({"server": "https://u:p@h"}, "KubeconfigInvalid", "server", id="user-in-url"),
        pytest.param({"server": "https://h:99999"}, "KubeconfigInvalid", "server", id="bad-port"),
        pytest.param({"server": "file:///etc"}, "KubeconfigInvalid", "server", id="file-url"),
        pytest.param({"server": 7}, "KubeconfigInvalid", "server", id="no-text"),
        pytest.param(
            {"certificate-authority-data": "?"},
            "KubeconfigInvalid",
            "certificate-authority-data",
            id="ca-no-base64",
        ),
    ],
)
def test_a_cluster_that_cannot_be_used_is_refused(cluster: Json, reason: str, field: str) -> None:
    refused = refusal(kubeconfig(SERVER, cluster=cluster))
    assert refused.reason == reason
    assert str(refused).startswith(f"clusters[c].cluster.{field}: ")


@pytest.mark.parametrize(
    ("top", "message"),
    [
        pytest.param({"current-context": ""}, "current-context: is missing", id="no-current"),
        pytest.param(
            {"contexts": [{"name": f"c-{n}"} for n in range(9)]},
            "^current-context: is 'here', must be one of contexts: "
            "'c-0', 'c-1', 'c-2', 'c-3', 'c-4' and 4 more$",
            id="other",
        ),
        pytest.param(
            {"clusters": []},
            r"^contexts\[here\]\.context\.cluster: is 'c', must be one of clusters: none$",
            id="no-cluster",
        ),
        pytest.param({"users": "u"}, "users: must be a list", id="users-no-list"),
        pytest.param(
            {"contexts": [{"name": "here", "context": "c"}]},
            r"contexts\[here\]\.context: must be a mapping",
            id="context-no-mapping",
        ),
        *(
            pytest.param(
                {plural: [{"name": name}] * 2},
                f"^{plural}: has 2 entries named '{name}'; each must have its own name$",
                id=f"two-{plural}-{name or 'without a name'}",
            )
            for plural in ("contexts", "clusters", "users")
            for name in ("c", "nobody-uses", "")
        ),
    ],
)
def test_a_kubeconfig_that_does_not_hang_together_is_named(top: Json, message: str) -> None:
    with pytest.raises(BadKubeconfig, match=message):
        read_untrusted_kubeconfig(kubeconfig(SERVER, **top))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("users:\n- name: u\n  user: {token: hunter2\nx: [", "line 4", id="broken"),
        pytest.param("[" * 200_000 + "hunter2", "nests deeper than 100 levels", id="deep"),
        pytest.param("hunter2: &a [*a]", "nests deeper than 100 levels", id="within-itself"),
        pytest.param("hunter2: *other", "an anchor is missing", id="no-anchor"),
        pytest.param("a: !!python/name:hunter2.x 1", "tag", id="a-tag-that-makes-objects"),
        pytest.param("a: hunter2\n" * 30_000, "is longer than 262144 characters", id="long"),
    ],
)
def test_yaml_that_is_broken_or_a_bomb_is_refused_at_once_and_not_quoted(
    text: str, message: str
) -> None:
    began = time.monotonic()
    refused = refusal(text)
    assert time.monotonic() - began < SLACK
    assert refused.reason == "KubeconfigInvalid"
    assert str(refused).startswith("key kubeconfig")
    assert message in str(refused)
    assert "hunter2" not in str(refused)


LONG = "n" * 100_000
LONG_CONTEXT: Json = {"current-context": LONG + LONG}
LONG_NAMES: Json = {
    "current-context": LONG,
    "contexts": [{"name": LONG, "context": {"cluster": 5}}],
}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(kubeconfig(SERVER, **LONG_CONTEXT), id="context"),
        pytest.param(kubeconfig(SERVER, cluster={"server": "https://" + LONG}), id="server"),
        pytest.param(kubeconfig("ftp://" + LONG), id="no server"),
        pytest.param(f"{{{LONG[:1000]}: {{{LONG[:1000]}: !x y}}}}", id="path"),
        pytest.param(kubeconfig(SERVER, **LONG_NAMES), id="path of a context"),
    ],
)
def test_a_refusal_of_a_long_text_is_short(text: str) -> None:
    assert len(str(refusal(text))) < 400


def test_a_refusal_names_some_of_a_secrets_keys() -> None:
    data = {f"{number:03}": "" for number in range(500)}
    with pytest.raises(BadKubeconfig) as refused:
        read_secret({"data": data})
    assert str(refused.value).endswith("it has: " + ", ".join(list(data)[:10]) + " and 490 more")


@pytest.mark.parametrize("text", ["[]", "just text", "7", "null"])
def test_yaml_that_is_no_kubeconfig_is_refused(text: str) -> None:
    assert "is not a kubeconfig" in str(refusal(text))


def test_a_token_that_no_header_can_carry_is_refused_without_being_quoted() -> None:
    refused = refusal(kubeconfig(SERVER, user={"token": "hunter\n2"}))
    problem = "contains blanks, line breaks or other characters that no token has"
    assert str(refused) == f"users[u].user.token: {problem}"


def test_credentials_stay_out_of_the_repr() -> None:
    client = AUTHORITY.issue()
    user = {
        "token": "hunter2",
        "client-certificate-data": encoded(client.certificate),
        "client-key-data": encoded(client.key),
    }
    found = read_untrusted_kubeconfig(kubeconfig(SERVER, user=user))
    assert found.authorization == "Bearer hunter2"
    assert "hunter2" not in repr(found)
    assert "PRIVATE" not in repr(found)
    assert found.key == client.key


def test_user_and_password_become_basic_authorization() -> None:
    found = read_untrusted_kubeconfig(
        kubeconfig(SERVER, user={"username": "admin", "password": "pw"})
    )
    assert found.authorization == "Basic YWRtaW46cHc="


def test_a_context_without_a_user_is_anonymous() -> None:
    contexts = [{"name": "here", "context": {"cluster": "c"}}]
    assert read_untrusted_kubeconfig(kubeconfig(SERVER, contexts=contexts)).authorization == ""


@pytest.mark.parametrize(
    ("server", "shown"),
    [
        ("https://h/any/path#", "https://h/any/path#…"),
        ("https://h/any/path?", "https://h/any/path?…"),
        ("https://h?", "https://h?…"),
        ("https://h/a?token=s3cret-part", "https://h/a?…"),
        ("https://h/a#s3cret-part", "https://h/a#…"),
        ("https://user:s3cret-part@h", "https://***@h"),
        ("https://s3cret-part@h", "https://***@h"),
        ("https://@h", "https://***@h"),
        ("https://user:s3/cret-part@h/a", "https://***@h/a"),
        ("https:/user:s3cret-part@h", "https:/***@h"),
        ("https://h/a/../b", "https://h/a/../b"),
        ("https://h/..", "https://h/.."),
        ("https://h/.", "https://h/."),
        ("https://h/a/%2e%2E/b", "https://h/a/%2e%2E/b"),
        ("https://h/a%2fb", "https://h/a%2fb"),
        ("https://h/a%252fb", "https://h/a%252fb"),
        ("https://h//a", "https://h//a"),
        ("https://h/a b", "https://h/a b"),
        ("https://h/ü", "https://h/ü"),
        ("https://h\\@x", "https://***@x"),
    ],
)
def test_a_server_that_would_bend_the_paths_asked_is_refused(server: str, shown: str) -> None:
    with pytest.raises(BadKubeconfig) as refused:
        read_untrusted_kubeconfig(kubeconfig(server))
    assert str(refused.value).startswith(f"clusters[c].cluster.server: is '{shown}', must be a URL")
    assert "s3" not in str(refused.value)


def test_the_servers_path_is_kept_and_its_last_slash_is_not() -> None:
    server = "https://rancher.example/k8s/clusters/c-1/"
    assert read_untrusted_kubeconfig(kubeconfig(server)).server == server[:-1]


@pytest.mark.parametrize("user", [{"token": "hunter2"}, {"username": "u", "password": "hunter2"}])
@pytest.mark.parametrize("server", ["http://h:80", "HTTP://h:80/", "hTTp://h:80"])
def test_credentials_over_http_are_refused_unless_that_is_meant(server: str, user: Json) -> None:
    text = kubeconfig(server, user=user)
    refused = refusal(text)
    assert refused.reason == "HttpRefused"
    assert str(refused) == (
        f"clusters[c].cluster.server: is '{server.rstrip('/')}', which would get the user's token "
        "or password in clear text; must be an https URL, or TARGET_CLUSTER_ALLOW_HTTP_CREDENTIALS "
        "can allow it"
    )
    assert read_untrusted_kubeconfig(text, ON_LOOPBACK).authorization
    assert not read_untrusted_kubeconfig(kubeconfig(server)).authorization


SHORT = st.text(st.characters(max_codepoint=0x2FF), max_size=8)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | SHORT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(SHORT, inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    ["server", "token", "exec", "name", "cluster", "user", "client-key-data", "username"]
)


@given(
    top=st.dictionaries(
        st.sampled_from(["clusters", "users", "contexts", "current-context"]), JSON_VALUES
    ),
    cluster=st.dictionaries(FIELDS, JSON_VALUES),
    user=st.dictionaries(FIELDS, JSON_VALUES),
)
def test_any_kubeconfig_is_read_or_refused(top: Json, cluster: Json, user: Json) -> None:
    text = kubeconfig(SERVER, cluster=cluster, user=user, **top)
    try:
        found = read_untrusted_kubeconfig(text)
    except BadKubeconfig:
        return
    assert found.server
    assert json.dumps(asdict(found))


@given(text=st.text(st.characters(max_codepoint=0x2FF)))
def test_any_text_is_read_or_refused(text: str) -> None:
    with pytest.raises(BadKubeconfig):
        read_untrusted_kubeconfig(text)


def test_the_secret_of_the_examples_is_read() -> None:
    assert read_secret(secret(kubeconfig(SERVER))).server == SERVER
