"""A running simulator of each test's own, and ways to it."""

from collections.abc import Callable, Iterator

import pytest

from simulator.model import User
from simulator.server import Simulator
from tests.contract.cloud import Cloud, Credentials

Connect = Callable[[Simulator, User], Cloud]


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator(job_delay=0.001) as simulator:
        yield simulator


@pytest.fixture
def connect() -> Iterator[Connect]:
    """A way to connect as any user; the connections are closed in the end."""
    opened: list[Cloud] = []

    def open_cloud(simulator: Simulator, user: User) -> Cloud:
        credentials = Credentials(user.api_key, user.secret_key)
        opened.append(Cloud(simulator.url, credentials, poll=0.002))
        return opened[-1]

    yield open_cloud
    for cloud in opened:
        cloud.close()


@pytest.fixture
def user(simulator: Simulator, connect: Connect) -> Cloud:
    return connect(simulator, simulator.user)


@pytest.fixture
def admin(simulator: Simulator, connect: Connect) -> Cloud:
    return connect(simulator, simulator.admin)
