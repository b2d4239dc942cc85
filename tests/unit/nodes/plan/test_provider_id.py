import pytest

from hooks.cloudstack.node_vms import format_provider_id, parse_provider_id


@pytest.mark.parametrize(
    ("provider_id", "vm_id"),
    [
        pytest.param("external-cloudstack://abc", "abc", id="ours"),
        pytest.param("external-cloudstack:///abc", "abc", id="ours, empty region"),
        pytest.param("external-cloudstack://eu/abc", "abc", id="ours, with a region"),
        pytest.param("cloudstack:///abc", "abc", id="Cluster API"),
        pytest.param("cloudstack://abc", "abc", id="without region"),
        pytest.param("cloudstack://eu/abc", "abc", id="in-tree"),
        pytest.param("aws:///eu-1a/i-abc", None, id="another cloud"),
        pytest.param("cloudstack://", None, id="no id"),
        pytest.param("cloudstack:///", None, id="no id, empty region"),
        pytest.param("cloudstack://a/b/c", None, id="too many parts"),
        pytest.param("xcloudstack://abc", None, id="another scheme that ends alike"),
        pytest.param("abc", None, id="no scheme"),
        pytest.param(f"cloudstack://{'a' * 64}", "a" * 64, id="the longest id"),
        pytest.param(f"cloudstack://{'a' * 65}", None, id="longer than any id"),
        pytest.param("", None, id="empty"),
    ],
)
def test_reads_every_form_of_ours_and_no_other(provider_id: str, vm_id: str | None) -> None:
    assert parse_provider_id(provider_id) == vm_id


def test_reads_what_it_writes() -> None:
    assert parse_provider_id(format_provider_id("abc")) == "abc"
