"""What a tenant's Secret with a CloudStack account may say."""

import pytest

from hooks.http.deadline import Deadline
from hooks.kube.client import Conflict
from hooks.settings.parsing import SettingsError
from hooks.targetclusters.access.destinations import Destinations
from hooks.targetclusters.healing.accounts import AccountError, Accounts, read_account
from hooks.targetclusters.healing.journal_lease import JournalLease
from hooks.targetclusters.healing.plan.model import Journal, Record
from tests.targets.objects import encoded
from tests.targets.own_cluster import OwnCluster

GOOD = "[Global]\napi-url = https://cloud.example.com/client/api\napi-key = k\nsecret-key = s\n"


def secret(text: str = GOOD, key: str = "cloud-config") -> dict[str, object]:
    metadata = {"name": "account", "namespace": "team"}
    return {"kind": "Secret", "metadata": metadata, "data": {key: encoded(text)}}


def accounts(own: OwnCluster) -> Accounts:
    return Accounts(own, Destinations(), lambda: 0.0)


def test_a_cloud_config_is_an_account() -> None:
    config = read_account(secret())
    assert (config.api_url, config.api_key) == ("https://cloud.example.com/client/api", "k")


@pytest.mark.parametrize(
    ("given", "named"),
    [
        pytest.param(secret(key="other"), "needs the key cloud-config", id="no key"),
        pytest.param({"data": {"cloud-config": "%"}}, "base64", id="no base64"),
        pytest.param(secret("[Global]\napi-key = k\n"), "api-url is missing", id="incomplete"),
        pytest.param(secret(GOOD + "ca-file = /etc/hostname\n"), "ca-file", id="a file"),
        pytest.param(secret(GOOD + "proxy = http://10.0.0.1:3128\n"), "proxy", id="a proxy"),
        pytest.param(secret(GOOD + "#" * 70_000), "characters", id="endless"),
    ],
)
def test_what_cannot_be_used_is_named(given: dict[str, object], named: str) -> None:
    with pytest.raises(SettingsError) as refused:
        read_account(given)
    assert named in "; ".join(refused.value.problems)
    assert "secret-key = s" not in str(refused.value)


def test_no_secret_is_said_by_its_name() -> None:
    with pytest.raises(AccountError) as refused:
        accounts(OwnCluster()).open("team", "account", Deadline(5))
    assert refused.value.failure.reason == "NoAccount"


def test_a_new_version_of_the_secret_is_another_account() -> None:
    own = OwnCluster()
    own.put(secret())
    opened = accounts(own)
    first = opened.open("team", "account", Deadline(5))
    assert opened.open("team", "account", Deadline(5)) is first
    own.put(secret(GOOD.replace("= k", "= other")))
    assert opened.open("team", "account", Deadline(5)).config.api_key == "other"
    opened.close()


def test_a_journal_is_only_written_over_the_version_that_was_read() -> None:
    own = OwnCluster()
    one, other = (JournalLease(own, "operators", "team/example") for _ in range(2))
    empty = other.read(Deadline(5))
    journal = Journal().with_record(Record("NodeNotReady", "a", since=1.0))
    written = one.write(one.read(Deadline(5)), journal, Deadline(5))
    assert written.version
    assert other.read(Deadline(5)) == written
    with pytest.raises(Conflict):
        other.write(empty, Journal(), Deadline(5))
    later = one.write(written, Journal(again=2.0), Deadline(5))
    with pytest.raises(Conflict):
        other.write(written, journal, Deadline(5))
    assert other.read(Deadline(5)) == later
    one.delete(Deadline(5))
    assert one.read(Deadline(5)) == empty
