"""Servers behind a proxy: what it is asked for shows the server's host and port."""

from collections.abc import Callable

from tests.integration.targetclusters.kubeconfig_forms.form import (
    Form,
    config,
    only_kubectl,
    refused,
    same,
)
from tests.integration.targetclusters.kubeconfig_forms.recorder import Recorder, Sent
from tests.targets.objects import kubeconfig

NAMED = Sent(server_name="name.example", tunnel="name.example:443")


def behind(proxy: str, server: str = "https://name.example") -> Callable[[Recorder], str]:
    """Write one with a proxy, in which `PROXY` and `TLS` stand for the real ones' places."""

    def text(at: Recorder) -> str:
        url = proxy.replace("PROXY", at.proxy.url.removeprefix("http://"))
        url = url.replace("TLS", at.tls_proxy.url.removeprefix("https://"))
        return config(at, cluster={"server": server, "proxy-url": url})

    return text


PROXIES = [
    same("and no port in the server", behind("http://PROXY"), NAMED),
    same(
        "and a port",
        behind("http://PROXY/", "https://name.example:6443/a/"),
        Sent("/a/version", server_name="name.example", tunnel="name.example:6443"),
    ),
    same(
        "and IPv6",
        behind("http://PROXY", "https://[2001:db8::1]:6443"),
        Sent(tunnel="[2001:db8::1]:6443"),
    ),
    same(
        "with user and password",
        behind("http://me:w%40rd@PROXY"),
        Sent(server_name="name.example", tunnel="name.example:443", login="Basic bWU6d0ByZA=="),
    ),
    same("behind TLS", behind("https://TLS"), NAMED),
    only_kubectl(
        "that no setting allows",
        lambda at: behind(at.proxy.url.replace("127.0.0.1", "localhost"))(at),
        "clusters[c].cluster.proxy-url: is 'http://localhost:",
        NAMED,
    ),
    refused(
        "of a kind that is none",
        behind("ftp://PROXY"),
        "must be an http or https URL without a path",
    ),
    refused("without a scheme", behind("PROXY"), "begins with neither http:// nor https://"),
    only_kubectl(
        "SOCKS5",
        lambda at: behind(at.socks_proxy.url)(at),
        "must be an http or https URL without a path",
        NAMED,
    ),
    Form(
        "an http server",
        lambda at: kubeconfig(at.http, cluster={"proxy-url": at.proxy.url}),
        Sent(authorization=""),
        "clusters[c].cluster.proxy-url: stands beside an http server",
    ),
]
