"""What of kubectl the documentation uses, and whether a command is one that kubectl would take.

Written down here, so that no kubectl is needed to read the pages; tests/deploy/test_documented.py
holds it to a real kubectl and a real API server.
"""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import yaml

from tests.documented.pages import PROJECT
from tests.documented.shell import Command

#: Flags that every command takes.
GLOBAL = {"-n", "--namespace", "--context", "--kubeconfig"}
#: Flags by command; of `create` by what is created.
FLAGS = {
    "annotate": {"--all", "--overwrite"},
    "apply": {
        *("-f", "-k", "--server-side", "--force-conflicts"),
    },
    "config delete-user": set(),
    "config set-context": {"--current", "--user"},
    "config set-credentials": {"--token"},
    "config view": {"-o", "--raw", "--flatten", "--minify"},
    "create clusterrole": {"--verb", "--resource"},
    "create clusterrolebinding": {"--clusterrole", "--serviceaccount"},
    "create configmap": {"--from-file"},
    "create deployment": {"--image"},
    "create namespace": set(),
    "create quota": {"--hard"},
    "create rolebinding": {"--clusterrole", "--group"},
    "create secret": {"--cert", "--from-file", "--from-literal", "--key"},
    "create serviceaccount": set(),
    "create token": {"--duration"},
    "delete": {"-f", "-k", "--all", "--all-namespaces", "--ignore-not-found"},
    "describe": set(),
    "diff": {"-f"},
    "expose": {"--port", "--type"},
    "label": {"--all", "--overwrite"},
    "get": {"-A", "-L", "-l", "-o", "--all-namespaces", "--field-selector"},
    "logs": {"--all-containers", "--since"},
    "patch": {"-p", "--type", "--patch-file"},
    "port-forward": set(),
    "rollout restart": set(),
    "rollout status": set(),
    "scale": {"--replicas"},
    "set env": set(),
    "taint": {"--all", "--overwrite"},
    "wait": {"-l", "--all", "--all-namespaces", "--for", "--timeout"},
}
#: Flags whose value is a word of its own, where it is not behind a `=`.
WITH_VALUE = {
    *("-f", "-k", "-l", "-L", "-n", "-o", "-p", "--context", "--field-selector", "--kubeconfig"),
    *("--namespace", "--patch-file", "--type"),
}
#: Flags that name a file.
FILES = {"-f", "-k", "--from-file", "--kubeconfig", "--patch-file"}
#: What an API server has by itself, as far as the pages speak of it.
BUILT_IN = {
    *("clusterrole", "clusterrolebinding", "configmap", "configmaps", "crd", "deployment"),
    *(
        "endpointslices",
        "events",
        "namespace",
        "node",
        "nodes",
        "pod",
        "rolebinding",
        "secret",
        "service",
    ),
    *("serviceaccount", "services", "validatingadmissionpolicybinding"),
}
#: Commands whose words name objects; for others they name something else.
_ABOUT_OBJECTS = {
    *("annotate", "delete", "describe", "expose", "get", "label", "logs", "patch"),
    *("rollout restart", "rollout status", "scale", "taint", "wait"),
}


@cache
def own_resources() -> set[str]:
    """Return every name by which kubectl knows the kinds of our CRDs and of Metacontroller's."""
    found = set()
    for folder in ("crds", "deploy/metacontroller-crds"):
        for file in (PROJECT / folder).glob("*s.yaml"):
            spec = yaml.safe_load(file.read_text())["spec"]
            names = spec["names"]
            short = names.get("shortNames", [])
            found |= {names["plural"], names["singular"], f"{names['plural']}.{spec['group']}"}
            found |= set(short)
    return found


def wrong(command: Command) -> Iterator[str]:
    """Yield what kubectl would not take of a command of the documentation."""
    flags, words = parted(command.arguments)
    verb = verb_of(words)
    if verb not in FLAGS:
        yield f"kubectl {verb}: no command that the pages are known to use"
        return
    for flag, _ in flags:
        if flag not in FLAGS[verb] | GLOBAL:
            yield f"kubectl {verb} {flag}: no flag that it is known to have"
    if verb in _ABOUT_OBJECTS:
        known = BUILT_IN | own_resources()
        for resource in _resources(words[len(verb.split()) :]):
            if resource not in known:
                yield f"kubectl {verb} {resource}: no resource"


def files(command: Command) -> Iterator[str]:
    """Yield the files that a command reads."""
    for flag, value in parted(command.arguments)[0]:
        if flag in FILES and value != "-":
            yield value.rpartition("=")[2] if flag == "--from-file" else value


def verb_of(words: list[str]) -> str:
    """Return the command that words begin with: one of them, or two."""
    return next((verb for n in (2, 1) if (verb := " ".join(words[:n])) in FLAGS), words[0])


def parted(arguments: tuple[str, ...]) -> tuple[list[tuple[str, str]], list[str]]:
    """Part flags with their values from other words."""
    flags: list[tuple[str, str]] = []
    words = []
    rest = iter(arguments)
    for argument in rest:
        if argument.startswith("-") and argument != "-":
            flag, sign, value = argument.partition("=")
            flags.append((flag, value if sign or flag not in WITH_VALUE else next(rest)))
        else:
            words.append(argument)
    return flags, words


def _resources(words: list[str]) -> Iterator[str]:
    """Yield the types of `TYPE NAME …`, `TYPE/NAME …`, `TYPE,TYPE`."""
    if not words:
        return
    if "/" in words[0]:
        yield from (word.partition("/")[0] for word in words if "/" in word)
    else:
        yield from words[0].split(",")


def exists(file: str, written: set[str]) -> bool:
    """Tell whether a file is in the project, or was made by the commands before."""
    return file in written or (PROJECT / Path(file)).exists()
