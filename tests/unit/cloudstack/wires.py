"""A wire to a test's own server, and the error that a write gets from it."""

import pytest

from hooks.cloudstack.config import CloudConfig
from hooks.cloudstack.errors import CloudStackError
from hooks.cloudstack.session import Session
from hooks.cloudstack.wire import Wire
from tests.unit.cloudstack.http_api import Answer, serving

NOW = 1_800_000_000.0


def wire_to(url: str, session: Session) -> Wire:
    return Wire(CloudConfig(url, "the-key", "the-secret"), session=session, clock=lambda: NOW)


def error_of(answer: Answer, session: Session, *, seconds: float = 5) -> CloudStackError:
    """Call createTags, a write, and return the error; see that it was sent once."""
    with serving(answer) as api:
        with pytest.raises(CloudStackError) as caught:
            wire_to(api.url, session).send("createTags", {}, seconds)
        assert api.commands() == ["createTags"]
    return caught.value
