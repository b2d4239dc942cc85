"""The comparison of grants and audit log finds what it is for."""

from tests.controlplane.api import Object
from tests.deploy.evidence import Verb, granted, refused, used


def entry(user: str, verb: str, code: int = 200, **about: str) -> Object:
    return {
        "user": {"username": user},
        "verb": verb,
        "objectRef": about,
        "responseStatus": {"code": code},
    }


ENTRIES = [
    entry("ours", "patch", resource="nodes", subresource="status"),
    entry("ours", "list", apiGroup="example.com", resource="things"),
    entry("ours", "delete", resource="nodes", code=403),
    entry("ours", "update", resource="nodes", code=409),
    entry("theirs", "delete", resource="secrets"),
    {"user": {"username": "ours"}, "verb": "get", "requestURI": "/api"},
]


def test_what_was_answered_otherwise_than_forbidden_was_used() -> None:
    assert used(ENTRIES, "ours") == {
        Verb("", "nodes/status", "patch"),
        Verb("example.com", "things", "list"),
        Verb("", "nodes", "update"),
    }


def test_what_was_forbidden_was_refused() -> None:
    assert refused(ENTRIES, "ours") == {Verb("", "nodes", "delete")}


def test_a_rule_grants_every_verb_on_every_resource_it_names() -> None:
    rule = {"apiGroups": [""], "resources": ["pods", "nodes"], "verbs": ["get", "list"]}
    assert granted([{"rules": [rule]}]) == {
        Verb("", "pods", "get"),
        Verb("", "pods", "list"),
        Verb("", "nodes", "get"),
        Verb("", "nodes", "list"),
    }


def test_a_verb_reads_as_in_a_message_of_the_api_server() -> None:
    assert str(Verb("", "nodes/status", "patch")) == "patch nodes/status"
    assert str(Verb("example.com", "things", "list")) == "list things.example.com"
