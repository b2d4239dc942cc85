"""Proxies in kubeconfigs: which are allowed, and where a tunnel may lead, seen by a real proxy."""

from ipaddress import IPv4Network

import pytest

from hooks.http.answer_memory import AnswerBounds
from hooks.http.deadline import Deadline
from hooks.kube.client import KubeUnreachable
from hooks.targetclusters.access import connector
from hooks.targetclusters.access.destinations import Destinations
from hooks.targetclusters.access.kubeconfig import read_untrusted_kubeconfig
from tests.controlplane.polling import PATIENCE
from tests.targets.objects import encoded, kubeconfig
from tests.unit.http.proxies import proxying
from tests.unit.targetclusters.access.kubeconfigs import SERVER, refusal

#: The proxies of the tests are on the only loopback address that is allowed.
DESTINATIONS = Destinations((IPv4Network("127.0.0.1/32"),), (("10.96.0.1", 443),), proxies="*")
PASSWORD = "hunter2-of-some-length"


@pytest.mark.parametrize(
    ("allowed", "proxy"),
    [
        pytest.param("proxy.example", "http://proxy.example:3128", id="host"),
        pytest.param("other, proxy.example", "https://proxy.example", id="one-of-several"),
        pytest.param("proxy.example:3128", "http://proxy.example:3128", id="host-and-port"),
        pytest.param("proxy.example:80", "http://proxy.example", id="the-port-of-http"),
        pytest.param("proxy.example:443", "https://proxy.example", id="the-port-of-https"),
        pytest.param("Proxy.Example", "http://PROXY.example.:80", id="in-any-case"),
        pytest.param(".example", "http://proxy.example", id="domain"),
        pytest.param("10.0.0.0/8", "http://10.1.2.3:3128", id="network"),
        pytest.param("[2001:db8::1]:3128", "http://[2001:db8::1]:3128", id="address"),
        pytest.param("*", "http://anywhere.example", id="any"),
        pytest.param("proxy.example", "http://me:pw@proxy.example", id="with-a-login"),
    ],
)
def test_a_proxy_that_the_setting_names_is_used(allowed: str, proxy: str) -> None:
    text = kubeconfig(SERVER, cluster={"proxy-url": proxy})
    assert read_untrusted_kubeconfig(text, Destinations(proxies=allowed)).proxy == proxy


@pytest.mark.parametrize(
    ("allowed", "proxy"),
    [
        pytest.param("", "http://proxy.example", id="none-is"),
        pytest.param("proxy.example", "http://other.example", id="another"),
        pytest.param("proxy.example", "http://notproxy.example", id="longer-name"),
        pytest.param("proxy.example", "http://proxy.example.evil.example", id="as-a-beginning"),
        pytest.param("proxy.example:3128", "http://proxy.example", id="another-port"),
        pytest.param("10.0.0.0/8", "http://11.1.2.3", id="another-network"),
        pytest.param("10.0.0.0/8", "http://10.example", id="no-address"),
        pytest.param("proxy.example", "http://proxy.example@other.example", id="as-a-login"),
    ],
)
def test_any_other_proxy_is_refused_without_its_password(allowed: str, proxy: str) -> None:
    text = kubeconfig(SERVER, cluster={"proxy-url": proxy})
    refused = refusal(text, Destinations(proxies=allowed))
    assert refused.reason == "ProxyRefused"
    shown = proxy.replace("proxy.example@", "***@")
    assert str(refused) == (
        f"clusters[c].cluster.proxy-url: is '{shown}', which is not allowed; leave it out to "
        "connect directly, or TARGET_CLUSTER_ALLOWED_PROXIES can allow it"
    )


def problem(proxy: str, server: str, destinations: Destinations = DESTINATIONS) -> str:
    """Ask a server through a proxy; return why that fails."""
    text = kubeconfig(server, cluster={"proxy-url": proxy})
    found = read_untrusted_kubeconfig(text, destinations)
    with (
        connector.connect(
            found,
            connector.tls_context(found),
            user_agent="tests",
            bounds=AnswerBounds(1_000_000),
            destinations=destinations,
        ) as api,
        pytest.raises(KubeUnreachable) as failed,
    ):
        api.get("/version", deadline=Deadline(PATIENCE))
    return str(failed.value)


@pytest.mark.parametrize(
    ("server", "what"),
    [
        ("https://127.0.0.2:6443", "127.0.0.2 is a loopback address, which is refused"),
        ("https://[::1]:6443", "::1 is a loopback address, which is refused"),
        ("https://127.2", "127.0.0.2 is a loopback address, which is refused"),
        ("https://169.254.169.254", "169.254.169.254 is a link-local address, which is refused"),
        ("https://10.96.0.1", "10.96.0.1 is the operator's own API server, which is refused"),
    ],
)
def test_no_proxy_is_asked_for_an_address_that_is_refused(server: str, what: str) -> None:
    with proxying() as proxy:
        assert what in problem(proxy.url, server)
        assert proxy.requests == []


def test_a_name_that_only_the_proxy_knows_is_for_the_proxy_to_find() -> None:
    with proxying(refusal=502) as proxy:
        shown = problem(proxy.url, "https://cluster.invalid:6443")
        assert "no connection to cluster.invalid through its proxy: " in shown
        assert proxy.requests == ["CONNECT cluster.invalid:6443"]


def test_a_proxy_on_an_address_that_is_refused_gets_nothing() -> None:
    with proxying() as proxy:
        shown = problem(proxy.url, "https://cluster.invalid:6443", Destinations(proxies="*"))
        assert "127.0.0.1 is a loopback address, which is refused" in shown
        assert proxy.requests == []


def test_the_password_for_a_proxy_is_sent_and_never_shown() -> None:
    with proxying(refusal=407) as proxy:
        url = proxy.url.replace("http://", f"http://me:{PASSWORD}@")
        shown = problem(url, "https://cluster.invalid:6443")
        assert proxy.credentials == [f"Basic {encoded(f'me:{PASSWORD}')}"]
    found = read_untrusted_kubeconfig(kubeconfig(SERVER, cluster={"proxy-url": url}), DESTINATIONS)
    assert PASSWORD not in shown + repr(found)
