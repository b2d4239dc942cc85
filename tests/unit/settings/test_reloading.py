"""A cloud-config that changes while a process runs."""

import os
from pathlib import Path

import pytest

from hooks.cloudstack.config import CloudConfig
from hooks.settings.cloud_config import read_cloud_config
from hooks.settings.parsing import SettingsError
from hooks.settings.reloading import ReloadingFile

KEYS = "api-key = KEY-1\nsecret-key = SECRET-1\n"
GOOD = "[Global]\napi-url = https://cloud.example.com/client/api\n" + KEYS


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "cloud-config"
    path.write_text(GOOD)
    return path


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level("INFO", logger="hooks.settings")
    return caplog


def follow(path: Path) -> ReloadingFile[CloudConfig]:
    def read() -> CloudConfig:
        return read_cloud_config(str(path), environ={}, warn=pytest.fail)

    return ReloadingFile("cloud-config", (str(path),), read)


def hosts(file: ReloadingFile[CloudConfig]) -> str:
    return file.current().api_url.split("/")[2]


def test_the_content_is_read_once_while_the_file_stays_the_same(
    path: Path, logged: pytest.LogCaptureFixture
) -> None:
    file = follow(path)
    assert file.current() is file.current()
    assert logged.messages == []
    path.write_text(GOOD + "# a comment\n")
    assert hosts(file) == "cloud.example.com"
    assert logged.messages == ["file read"]


def test_a_changed_file_is_read_again(path: Path) -> None:
    file = follow(path)
    assert hosts(file) == "cloud.example.com"
    path.write_text(GOOD.replace("cloud.", "other-cloud."))
    assert hosts(file) == "other-cloud.example.com"


def test_a_swapped_link_as_kubernetes_mounts_secrets_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "1").write_text(GOOD)
    (tmp_path / "2").write_text(GOOD.replace("cloud.", "CLOUD."))
    os.utime(tmp_path / "1", (1, 1))
    os.utime(tmp_path / "2", (1, 1))
    path = tmp_path / "cloud-config"
    path.symlink_to("1")
    file = follow(path)
    assert hosts(file) == "cloud.example.com"
    (tmp_path / "next").symlink_to("2")
    (tmp_path / "next").replace(path)
    assert hosts(file) == "CLOUD.example.com"


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param("[Glo", id="broken"),
        pytest.param(None, id="gone"),
        pytest.param(GOOD + "ca-file = /no/ca.pem\n", id="names authorities that are not there"),
        pytest.param(GOOD + "ca-file = /etc/passwd\n", id="names a file without authorities"),
    ],
)
def test_a_bad_new_file_keeps_the_content_and_is_logged_once(
    path: Path, logged: pytest.LogCaptureFixture, bad: str | None
) -> None:
    file = follow(path)
    before = file.current()
    if bad is None:
        path.unlink()
    else:
        path.write_text(bad)
    assert file.current() is before
    assert file.current() is before
    goods = [file.is_good()]
    [record] = logged.records
    assert (record.levelname, vars(record)["file"]) == ("ERROR", "cloud-config")
    assert vars(record)["problem"]
    path.write_text(GOOD.replace("cloud.", "other."))
    assert hosts(file) == "other.example.com"
    assert [*goods, file.is_good()] == [False, True]
    assert logged.messages[1:] == ["file read"]


def test_a_file_that_went_bad_before_the_first_call_leaves_what_was_read_at_the_start(
    path: Path, logged: pytest.LogCaptureFixture
) -> None:
    file = follow(path)
    path.write_text("")
    assert hosts(file) == "cloud.example.com"
    [record] = logged.records
    problem = "api-url is missing; api-key is missing; secret-key is missing"
    assert vars(record)["problem"] == problem


def test_a_file_that_is_bad_from_the_start_is_refused(path: Path) -> None:
    path.write_text("")
    with pytest.raises(SettingsError):
        follow(path)
