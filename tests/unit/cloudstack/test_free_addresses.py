"""A free address costs a page or two, however many there are."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from hooks.cloudstack.client import PAGE_SIZE
from hooks.cloudstack.cloud import FREE_PAGE, Cloud
from hooks.cloudstack.config import CloudConfig
from tests.unit.cloudstack.transports import Script


def addresses(
    count: int, usable: Callable[[int], bool] = lambda _: True
) -> Callable[[Mapping[str, object]], dict[str, Any]]:
    """Answer listPublicIpAddresses page by page."""

    def answer(params: Mapping[str, object]) -> dict[str, Any]:
        assert (params["state"], params["zoneid"]) == ("Free", "z")
        page, size = int(str(params["page"])), int(str(params["pagesize"]))
        rows = [
            {
                "id": str(n),
                "ipaddress": address(n),
                "state": "Free",
                "forvirtualnetwork": True,
                "issystem": not usable(n),
            }
            for n in range(count)[(page - 1) * size : page * size]
        ]
        return {"count": count, **({"publicipaddress": rows} if rows else {})}

    return answer


def address(number: int) -> str:
    return f"10.0.{number // 256}.{number % 256}"


def asked(script: Script) -> list[tuple[object, object]]:
    return [(params["page"], params["pagesize"]) for _, params in script.calls]


def cloud_of(script: Script) -> Cloud:
    cloud = Cloud(CloudConfig("https://cloud.example/client/api", "k", "s"))
    cloud.client = script.client()
    return cloud


def ips(cloud: Cloud, script: Script, position: float) -> list[str]:
    found = cloud.free_addresses("z", position, script.deadline(8))
    return [each.ip_address for each in found]


@pytest.mark.parametrize("count", [FREE_PAGE + 1, 189, 5000])
def test_a_page_is_read_and_before_the_first_one_the_count(count: int) -> None:
    script = Script([addresses(count)])
    cloud = cloud_of(script)
    assert 1 <= len(ips(cloud, script, 0.999)) <= FREE_PAGE
    assert asked(script) == [(1, FREE_PAGE), (-(-count // FREE_PAGE), FREE_PAGE)]
    assert ips(cloud, script, 0.0) == [address(n) for n in range(FREE_PAGE)]
    assert len(script.calls) == 3
    cloud.close()


def test_few_addresses_are_one_page() -> None:
    script = Script([addresses(3)])
    cloud = cloud_of(script)
    assert ips(cloud, script, 0.999) == ["10.0.0.0", "10.0.0.1", "10.0.0.2"]
    assert len(script.calls) == 1
    cloud.close()


def test_a_page_that_is_gone_is_looked_for_again() -> None:
    script = Script([addresses(100), addresses(100), addresses(20)])
    cloud = cloud_of(script)
    ips(cloud, script, 0.999)
    assert ips(cloud, script, 0.999) == [address(n) for n in range(10, 20)]
    cloud.close()


def test_where_no_address_of_a_page_can_be_used_all_are_read() -> None:
    script = Script([addresses(30, lambda n: n == 7)])
    cloud = cloud_of(script)
    assert ips(cloud, script, 0.999) == ["10.0.0.7"]
    assert asked(script)[-1] == (1, PAGE_SIZE)
    cloud.close()


def test_without_any_there_is_none() -> None:
    script = Script([{}])
    cloud = cloud_of(script)
    assert ips(cloud, script, 0.5) == []
    cloud.close()
