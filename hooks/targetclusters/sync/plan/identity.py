"""What the parts of an object's identity look like; such parts fit into a path."""

import re

#: A version of a group, such as `apps/v1`, or `v1` of the core group.
API_VERSION = re.compile(r"(?:[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[a-z][a-z0-9]{0,62}")
KIND = re.compile(r"[A-Za-z][A-Za-z0-9]{0,62}")
#: The name of a namespace.
DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def is_namespace(namespace: object) -> bool:
    """Tell whether a namespace can have this name, or it is empty, for a cluster-scoped object."""
    return isinstance(namespace, str) and (not namespace or bool(DNS_LABEL.fullmatch(namespace)))


def name_problem(name: object) -> str:
    """Return why no object of any kind can have a name; empty for one that some can have."""
    if not isinstance(name, str) or not 0 < len(name) <= 253:
        return "must be a string of 1 to 253 characters"
    if name in {".", ".."} or not name.isprintable() or set("/%") & set(name):
        return "must not hold /, % or control characters, nor be . or .."
    return ""
