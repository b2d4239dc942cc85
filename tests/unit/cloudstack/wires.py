"""A wire to a test's own server, and the error that a write gets from it."""

import pytest

from hooks.cloudstack.config import CloudConfig
from hooks.cloudstack.errors import CloudStackError
from hooks.cloudstack.wire import Wire
from hooks.http.tls import file_context
from hooks.http.transport import Transport
from tests.unit.cloudstack.http_api import Answer, serving


def wire_to(url: str) -> Wire:
    return Wire(CloudConfig(url, "the-key", "the-secret"), Transport(file_context))


def error_of(answer: Answer, *, seconds: float = 5) -> CloudStackError:
    """Call createTags, a write, and return the error; see that it was sent once."""
    with serving(answer) as api:
        with pytest.raises(CloudStackError) as caught:
            wire_to(api.url).send("createTags", {}, seconds)
        assert api.commands() == ["createTags"]
    return caught.value
