"""What names in Kubernetes look like."""

import re

#: Characters of the name of an object.
MAX_NAME = 253
#: The name of a namespace.
DNS_LABEL = re.compile("[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
#: What names of objects look like (a DNS subdomain of RFC 1123); such a name fits into a path.
OBJECT_NAME = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
)
#: A DNS name as clients look it up.
DNS_NAME = re.compile(rf"(?=.{{1,253}}\Z){DNS_LABEL.pattern}(\.{DNS_LABEL.pattern})*")
_LABEL_NAME = "[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
#: The key and the value of a label.
LABEL_KEY = re.compile(
    rf"((?=[^/]{{1,253}}/){DNS_LABEL.pattern}(\.{DNS_LABEL.pattern})*/)?{_LABEL_NAME}"
)
LABEL_VALUE = re.compile(f"({_LABEL_NAME})?")
#: A version of a group, such as `apps/v1`, or `v1` of the core group.
API_VERSION = re.compile(r"(?:[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[a-z][a-z0-9]{0,62}")
KIND = re.compile(r"[A-Za-z][A-Za-z0-9]{0,62}")


def name_problem(name: object) -> str:
    """Return why no object of any kind can have a name; empty for one that some can have."""
    if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME:
        return f"must be a string of 1 to {MAX_NAME} characters"
    if name in {".", ".."} or not name.isprintable() or set("/%") & set(name):
        return "must not hold /, % or control characters, nor be . or .."
    return ""
