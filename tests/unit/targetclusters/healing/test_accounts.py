"""What a tenant's Secret with a CloudStack account may say."""

import pytest

from hooks.cloudstack import CloudConfig
from hooks.http.answer_memory import AnswerMemory
from hooks.http.deadline import Deadline
from hooks.kube.client import Conflict
from hooks.settings.config import settings
from hooks.settings.parsing import SettingsError
from hooks.targetclusters.access.destinations import Destinations
from hooks.targetclusters.healing.accounts import (
    OWN_ACCOUNT_SETTING,
    AccountError,
    Accounts,
    OwnAccount,
    read_account,
)
from hooks.targetclusters.healing.journal_lease import JournalLease
from hooks.targetclusters.healing.plan.model import Journal, Record
from tests.targets.objects import encoded
from tests.targets.own_cluster import OwnCluster

GOOD = "[Global]\napi-url = https://cloud.example.com/client/api\napi-key = k\nsecret-key = s\n"


def secret(text: str = GOOD, key: str = "cloud-config") -> dict[str, object]:
    metadata = {"name": "account", "namespace": "team"}
    return {"kind": "Secret", "metadata": metadata, "data": {key: encoded(text)}}


def accounts(own: OwnCluster, operators: OwnAccount | None = None) -> Accounts:
    return Accounts(own, Destinations(), AnswerMemory(), lambda: 0.0, operators)


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


def operators(*namespaces: str, key: str = "operators") -> OwnAccount:
    config = CloudConfig("https://cloud.example.com/client/api", key, "s", ca_file="")
    return OwnAccount(lambda: config, namespaces)


def test_the_operators_account_is_for_the_namespaces_that_its_settings_name() -> None:
    opened = accounts(OwnCluster(), operators("team"))
    assert opened.open("team", "", Deadline(5)).config.api_key == "operators"
    opened.close()


@pytest.mark.parametrize("namespace", ["other", "tea", "team2", ""])
@pytest.mark.parametrize("known", [None, operators(), operators("team")])
def test_no_other_namespace_gets_it(namespace: str, known: OwnAccount | None) -> None:
    with pytest.raises(AccountError) as refused:
        accounts(OwnCluster(), known).open(namespace, "", Deadline(5))
    assert refused.value.failure.reason == "NoAccount"
    assert "spec.cloudStack.configSecret is not set" in refused.value.failure.message
    assert OWN_ACCOUNT_SETTING in refused.value.failure.message


def test_a_secret_that_is_named_and_missing_is_not_replaced_by_the_operators_account() -> None:
    with pytest.raises(AccountError, match="Secret account does not exist"):
        accounts(OwnCluster(), operators("team")).open("team", "account", Deadline(5))


def test_the_operators_account_is_opened_again_when_its_cloud_config_has_changed() -> None:
    configs = [CloudConfig("https://cloud.example.com/client/api", key, "s") for key in "aab"]
    opened = accounts(OwnCluster(), OwnAccount(lambda: configs.pop(0), ("team",)))
    first = opened.open("team", "", Deadline(5))
    assert opened.open("team", "", Deadline(5)) is first
    assert opened.open("team", "", Deadline(5)).config.api_key == "b"
    opened.close()


def test_the_message_names_a_setting_that_there_is() -> None:
    assert OWN_ACCOUNT_SETTING in {each.variable for each in settings().values()}


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
