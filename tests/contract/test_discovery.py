"""What the keys may call, and what they may not."""

import pytest

from tests.contract.cloud import Cloud

NOT_FOUND = "Api Discovery plugin was unable to find an api by that name or process any apis"


def test_a_command_that_the_keys_may_call_is_described(cloud: Cloud) -> None:
    [found] = cloud.list("listApis", "api", name="rebootVirtualMachine")
    assert (found["name"], found["isasync"]) == ("rebootVirtualMachine", True)
    [required] = [each for each in found["params"] if each["required"]]
    assert (required["name"], required["type"]) == ("id", "uuid")


@pytest.mark.parametrize("name", ["listHosts", "noSuchCommand"])
def test_a_command_that_the_keys_may_not_call_is_not_found(cloud: Cloud, name: str) -> None:
    assert cloud.refused("listApis", 530, name=name) == NOT_FOUND


def test_all_commands_of_the_keys_are_listed_without_pages(cloud: Cloud) -> None:
    answer = cloud.ok("listApis")
    names = {each["name"] for each in answer["api"]}
    assert {"startVirtualMachine", "stopVirtualMachine", "listApis"} <= names
    assert "listHosts" not in names
    assert answer["count"] == len(answer["api"])
