"""Who is let in, and how answers and refusals are written: the same for every command."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, quote_plus

import pytest
import requests

from tests.contract.cloud import Cloud, Json, written

UNAUTHORIZED = "unable to verify user credentials and/or request signature"
NOBODY = "00000000-0000-4000-8000-000000000000"
EXPIRES = "%Y-%m-%dT%H:%M:%S+0000"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_signed_call_is_answered_in_its_own_envelope(cloud: Cloud, method: str) -> None:
    outcome = cloud.send(cloud.sign(written("listZones", {})), method)
    assert outcome.status == 200
    assert outcome.envelope == "listzonesresponse"
    assert outcome.body["count"] == len(outcome.body["zone"])
    assert outcome.headers["Content-Type"].lower().startswith("application/json")


@pytest.mark.parametrize(
    "value",
    ["plain", "a b", "a+b", "a~b", "a*b", "a/b", "é日本", "[x]", "a'b(c)!", "a&b=c", "a%b", ""],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_value_signed_as_java_encodes_it_is_accepted(
    cloud: Cloud, value: str, method: str
) -> None:
    outcome = cloud.send(cloud.sign(written("listZones", {"name": value})), method)
    assert (outcome.status, outcome.body) == (200, {})


@pytest.mark.parametrize(
    ("value", "encode"),
    [
        pytest.param("a~b", lambda value: quote(value, safe=""), id="a tilde left as it is"),
        pytest.param("a*b", lambda value: quote(value, safe=""), id="an asterisk encoded"),
        pytest.param("a b", quote_plus, id="a blank signed as plus"),
    ],
)
def test_a_value_signed_in_another_encoding_is_refused(
    cloud: Cloud, value: str, encode: Callable[[str], str]
) -> None:
    params = cloud.sign(written("listZones", {"name": value}), encode)
    assert cloud.send(params).status == 401


def bad_signature(cloud: Cloud, params: dict[str, str]) -> dict[str, str]:
    return {**cloud.sign(params), "signature": "d3Jvbmc="}


def no_signature(cloud: Cloud, params: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in cloud.sign(params).items() if name != "signature"}


def unknown_key(cloud: Cloud, params: dict[str, str]) -> dict[str, str]:
    return {**cloud.sign(params), "apiKey": "nobody"}


def changed_after_signing(cloud: Cloud, params: dict[str, str]) -> dict[str, str]:
    return {**cloud.sign(params), "name": "other"}


def expired(cloud: Cloud, params: dict[str, str]) -> dict[str, str]:
    moment = (datetime.now(UTC) - timedelta(minutes=5)).strftime(EXPIRES)
    return cloud.sign({**params, "signatureVersion": "3", "expires": moment})


def without_expiry(cloud: Cloud, params: dict[str, str]) -> dict[str, str]:
    return cloud.sign({**params, "signatureVersion": "3"})


def unreadable_expiry(cloud: Cloud, params: dict[str, str]) -> dict[str, str]:
    return cloud.sign({**params, "signatureVersion": "3", "expires": "tomorrow"})


def without_anything(_cloud: Cloud, params: dict[str, str]) -> dict[str, str]:
    return params


WRONG_CLIENTS = [
    bad_signature,
    no_signature,
    unknown_key,
    changed_after_signing,
    expired,
    without_expiry,
    unreadable_expiry,
    without_anything,
]


@pytest.mark.parametrize("client", WRONG_CLIENTS, ids=lambda client: client.__name__)
def test_a_wrong_client_is_refused_without_being_told_why(
    cloud: Cloud, client: Callable[[Cloud, dict[str, str]], dict[str, str]]
) -> None:
    outcome = cloud.send(client(cloud, written("listZones", {"name": "x"})))
    assert outcome.status == 401
    assert outcome.envelope == "listzonesresponse"
    assert outcome.body == {"uuidList": [], "errorcode": 401, "errortext": UNAUTHORIZED}
    assert "X-Description" not in outcome.headers


def test_a_call_that_expires_later_is_answered(cloud: Cloud) -> None:
    moment = (datetime.now(UTC) + timedelta(minutes=5)).strftime(EXPIRES)
    params = {**written("listZones", {}), "signatureVersion": "3", "expires": moment}
    assert cloud.send(cloud.sign(params)).status == 200


@pytest.mark.parametrize(
    "command",
    [
        pytest.param("noSuchCommand", id="a name that is no command"),
        pytest.param("listzones", id="a command in lower case"),
    ],
)
def test_an_unknown_command_is_refused_like_a_wrong_key(cloud: Cloud, command: str) -> None:
    outcome = cloud.call(command)
    assert (outcome.status, outcome.envelope) == (401, "errorresponse")
    assert outcome.error == UNAUTHORIZED


def test_a_call_without_a_command_is_refused(cloud: Cloud) -> None:
    outcome = cloud.send({"response": "json"})
    assert (outcome.status, outcome.envelope) == (401, "null")


@pytest.mark.parametrize("command", ["listHosts", "listManagementServersMetrics"])
def test_a_command_for_administrators_is_refused_as_not_available(
    cloud: Cloud, command: str
) -> None:
    outcome = cloud.call(command)
    assert (outcome.status, outcome.envelope) == (432, "errorresponse")
    assert f"The API [{command}] does not exist or is not available" in outcome.error


def test_another_path_is_not_found(cloud: Cloud) -> None:
    response = requests.get(cloud.url + "x", params={"command": "listZones"}, timeout=60)
    assert response.status_code == 404
    assert response.headers["Content-Type"].startswith("text/html")


@pytest.mark.parametrize("form", [{"response": "xml"}, {}], ids=["xml", "nothing"])
def test_without_json_an_answer_is_xml(cloud: Cloud, form: dict[str, str]) -> None:
    outcome = cloud.send(cloud.sign({"command": "listZones", **form}))
    assert outcome.headers["Content-Type"].startswith("text/xml")
    assert outcome.text.startswith('<?xml version="1.0" encoding="UTF-8"?><listzonesresponse ')


def test_a_refusal_in_xml_has_the_same_parts(cloud: Cloud) -> None:
    outcome = cloud.send({"command": "listZones"})
    assert outcome.status == 401
    assert f"<errorcode>401</errorcode><errortext>{UNAUTHORIZED}</errortext>" in outcome.text


def test_json_may_be_asked_for_in_capitals(cloud: Cloud) -> None:
    outcome = cloud.send(cloud.sign({"command": "listZones", "response": "JSON"}))
    assert outcome.envelope == "listzonesresponse"


def test_parameter_names_are_read_whatever_their_case(cloud: Cloud, zone: Json) -> None:
    assert cloud.list("listZones", "zone", NAME=zone["name"])


def test_an_unknown_parameter_is_ignored(cloud: Cloud) -> None:
    assert cloud.list("listZones", "zone", bogus="1")


def test_a_missing_parameter_is_named_in_text_and_header(cloud: Cloud) -> None:
    outcome = cloud.call("createLoadBalancerRule", name="x")
    assert outcome.status == 431
    assert outcome.envelope == "createloadbalancerruleresponse"
    assert outcome.body["uuidList"] == []
    assert outcome.error == (
        "Unable to execute API command createloadbalancerrule due to missing parameter algorithm"
    )
    assert outcome.headers["X-Description"] == outcome.error


@pytest.mark.parametrize("value", [NOBODY, "abc"], ids=["an id of nothing", "no id at all"])
def test_an_unknown_id_is_refused_with_its_parameter(cloud: Cloud, value: str) -> None:
    text = cloud.refused("listNetworks", 431, id=value)
    assert text.startswith(
        "Unable to execute API command listnetworks due to invalid value. "
        f"Invalid parameter id value={value} due to incorrect long value format"
    )


def test_a_number_that_is_none_is_refused(cloud: Cloud) -> None:
    text = cloud.refused(
        "createLoadBalancerRule",
        431,
        name="x",
        algorithm="roundrobin",
        publicport="abc",
        privateport=80,
    )
    assert "invalid value abc for parameter publicport" in text


def test_a_text_over_its_length_is_refused(cloud: Cloud, vms: list[Json]) -> None:
    text = cloud.refused("updateVirtualMachine", 431, id=vms[0]["id"], displayname="x" * 256)
    assert "greater than max allowed length 255" in text


@pytest.mark.parametrize(
    ("paging", "text"),
    [
        ({"page": 1}, '"pagesize" parameter is required when "page" is specified'),
        ({"pagesize": 2}, '"page" parameter is required when "pagesize" is specified'),
        ({"page": 1, "pagesize": 501}, "Page size can't exceed max allowed page size value: 500"),
        (
            {"page": 1, "pagesize": -1},
            "Can't specify page parameter when pagesize is -1 (Unlimited)",
        ),
    ],
    ids=["page alone", "pagesize alone", "over 500", "unlimited pages"],
)
def test_wrong_paging_is_refused(cloud: Cloud, paging: dict[str, int], text: str) -> None:
    assert cloud.refused("listVirtualMachines", 431, **paging) == text


def test_pages_carry_the_count_of_all(cloud: Cloud, vms: list[Json]) -> None:
    everything = cloud.ok("listVirtualMachines", page=1, pagesize=500)
    assert everything["count"] >= len(vms)
    first = cloud.ok("listVirtualMachines", page=1, pagesize=1)
    assert first["count"] == everything["count"]
    assert [vm["id"] for vm in first["virtualmachine"]] == [everything["virtualmachine"][0]["id"]]
    second = cloud.ok("listVirtualMachines", page=2, pagesize=1)
    assert second["virtualmachine"][0]["id"] == everything["virtualmachine"][1]["id"]


def test_past_the_last_page_there_is_the_count_alone(cloud: Cloud, vms: list[Json]) -> None:
    answer = cloud.ok("listVirtualMachines", page=400, pagesize=500)
    assert list(answer) == ["count"]
    assert answer["count"] >= len(vms)
    assert list(cloud.ok("listVirtualMachines", page=1, pagesize=0)) == ["count"]


def test_an_empty_list_is_an_empty_object(cloud: Cloud) -> None:
    assert cloud.ok("listVirtualMachines", name="there-is-none") == {}
