"""How a kubeconfig is written, and how its parts hang together."""

import json

from tests.integration.targetclusters.kubeconfig_forms.form import (
    TOKEN,
    changed,
    config,
    in_yaml,
    of_top,
    only_kubectl,
    refused,
    same,
)

DOCUMENTS = [
    same("JSON", config),
    same("JSON, indented by tabs", lambda at: json.dumps(json.loads(config(at)), indent="\t")),
    same("YAML", in_yaml),
    same("CRLF", changed("\n", "\r\n")),
    same("CR alone", changed("\n", "\r")),
    same("a tab after a colon", changed("server: ", "server:\t")),
    same("a tab at the end of a line", changed("kind: Config", "kind: Config\t")),
    refused("indented by tabs", changed("  ", "\t"), "line 4, column 1: is not YAML"),
    same("starts with ---", lambda at: "---\n" + in_yaml(at)),
    same("a comment, --- and ...", lambda at: f"# mine\n---\n{in_yaml(at)}...\n"),
    same("%YAML 1.1", lambda at: "%YAML 1.1\n---\n" + in_yaml(at)),
    same("of several documents the first", lambda at: in_yaml(at) + "---\na: 1\n"),
    same("a broken second document", lambda at: in_yaml(at) + "---\n[\n"),
    refused(
        "an empty first document", lambda at: "---\n---\n" + in_yaml(at), "is not a kubeconfig"
    ),
    same("an anchor", lambda at: in_yaml(at).replace("user:\n", "user: &u\n") + "other: *u\n"),
    same("a merge key", lambda at: in_yaml(at).replace("token: t0ken", "<<: {token: t0ken}")),
    only_kubectl(
        "a duplicate key, whose last value counts",
        lambda at: "current-context: nowhere\n" + in_yaml(at),
        "current-context: is a duplicate key",
    ),
    same("UTF-8 with a byte order mark", lambda at: b"\xef\xbb\xbf" + in_yaml(at).encode()),
    same("UTF-16, as PowerShell writes it", lambda at: in_yaml(at).encode("utf-16")),
    same("UTF-16, big-endian", lambda at: b"\xfe\xff" + in_yaml(at).encode("utf-16-be")),
    refused(
        "UTF-16 without a byte order mark",
        lambda at: in_yaml(at).encode("utf-16-le"),
        "is not YAML: contains control characters",
    ),
    refused(
        "Latin-1",
        lambda at: in_yaml(at).encode() + b"# \xe9\n",
        "is not valid Unicode, must be text in UTF-8, or in UTF-16 with a byte order mark",
    ),
    same("without apiVersion and kind", of_top(apiVersion=None, kind=None)),
    refused("another apiVersion", of_top(apiVersion="v2"), "apiVersion: is 'v2', must be v1"),
    refused("a number as apiVersion", of_top(apiVersion=1), "apiVersion: must be a string"),
    refused("another kind", of_top(kind="Secret"), "kind: is 'Secret', must be Config"),
    same("preferences", of_top(preferences={"colors": True})),
    same("unknown fields", of_top(unknown=[1])),
    same("extensions", of_top(extensions=[{"name": "e", "extension": {"a": 1}}])),
    same("a null entry in a list", of_top(users=[None, {"name": "u", "user": TOKEN}])),
]

CONTEXTS = [
    same(
        "several contexts",
        of_top(
            contexts=[
                {"name": "there", "context": {"cluster": "nowhere", "user": "nobody"}},
                {"name": "here", "context": {"cluster": "c", "user": "u", "namespace": "n"}},
            ]
        ),
    ),
    refused(
        "no current context",
        of_top(current_context=""),
        "current-context: is missing, must be one of contexts: 'here'",
    ),
    refused(
        "a current context that is not there",
        of_top(current_context="there"),
        "current-context: is 'there', must be one of contexts: 'here'",
    ),
    refused(
        "no contexts",
        of_top(contexts=None),
        "current-context: is 'here', must be one of contexts: none",
    ),
    refused(
        "no clusters",
        of_top(clusters=None),
        "contexts[here].context.cluster: is 'c', must be one of clusters: none",
    ),
    refused(
        "no users",
        of_top(users=None),
        "contexts[here].context.user: is 'u', must be one of users: none",
    ),
    refused(
        "a context without a cluster",
        of_top(contexts=[{"name": "here", "context": {}}]),
        "contexts[here].context.cluster: is missing, must be one of clusters: 'c'",
    ),
    refused(
        "a number as a name",
        of_top(current_context=5, contexts=[{"name": 5, "context": {}}]),
        "current-context: must be a string",
    ),
    refused(
        "a name twice",
        of_top(users=[{"name": "u", "user": TOKEN}] * 2),
        "users: has 2 entries named 'u'; each must have its own name",
    ),
]
