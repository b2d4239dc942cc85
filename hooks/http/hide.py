"""Takes credentials out of what may be shown: answers, which may echo them, and error texts."""

from collections.abc import Iterable
from typing import AnyStr
from urllib.parse import quote, quote_plus

#: What stands where a credential was.
HIDDEN = "***"
#: Characters that a credential has at least; a shorter text would be found in innocent words too.
SHORTEST_HIDDEN = 8


def hide(text: AnyStr, secrets: Iterable[str]) -> AnyStr:
    """Replace each of the secrets, plain or percent-encoded."""
    for secret in secrets:
        if len(secret) < SHORTEST_HIDDEN:
            continue
        for form in dict.fromkeys((secret, quote(secret, safe=""), quote_plus(secret))):
            if isinstance(text, str):
                text = text.replace(form, HIDDEN)
            else:
                text = text.replace(form.encode(), HIDDEN.encode())
    return text
