"""Which URLs of proxies are usable, and that the library then reads what is written."""

from base64 import b64decode

import pytest
from requests.utils import prepend_scheme_if_needed
from urllib3 import proxy_from_url

from hooks.http.proxies import authorization, proxy_problem, secrets


@pytest.mark.parametrize(
    ("url", "host", "port", "login"),
    [
        ("http://proxy", "proxy", 80, ""),
        ("https://proxy", "proxy", 443, ""),
        ("http://proxy:3128", "proxy", 3128, ""),
        ("http://proxy:3128/", "proxy", 3128, ""),
        ("http://proxy.example.com.:65535", "proxy.example.com.", 65535, ""),
        ("http://an_underscore.example:1", "an_underscore.example", 1, ""),
        ("http://xn--bcher-kva.example:1", "xn--bcher-kva.example", 1, ""),
        ("http://10.0.0.1:3128", "10.0.0.1", 3128, ""),
        ("http://[::1]:3128", "[::1]", 3128, ""),
        ("http://[2001:db8::1]", "[2001:db8::1]", 80, ""),
        ("http://me:word@proxy:3128", "proxy", 3128, "me:word"),
        ("http://me:word@[::1]:3128/", "[::1]", 3128, "me:word"),
        ("http://me@proxy", "proxy", 80, "me:"),
        ("http://:word@proxy", "proxy", 80, ":word"),
        ("http://me:a:b@proxy", "proxy", 80, "me:a:b"),
        ("http://me:%40%2f%3A%23%3f%25@proxy", "proxy", 80, "me:@/:#?%"),
        ("http://me:%20%0d%0A@proxy", "proxy", 80, "me: \r\n"),
        ("http://me:%C3%BC%E2%82%AC@proxy", "proxy", 80, "me:ü€"),
        ("http://a.~!$&'()*+,;=-_b:word@proxy", "proxy", 80, "a.~!$&'()*+,;=-_b:word"),
    ],
)
def test_a_usable_proxy_is_read_as_it_is_written(
    url: str, host: str, port: int, login: str
) -> None:
    assert proxy_problem(url) == ""
    taken = prepend_scheme_if_needed(url, "http")  # type: ignore[no-untyped-call]
    read = proxy_from_url(taken).proxy
    assert read is not None
    assert (read.host, read.port) == (host, port)
    sent = authorization(taken)
    assert sent == authorization(url)
    assert b64decode(sent.removeprefix("Basic ")).decode() == login
    if login:
        assert {login.partition(":")[2] or "me", sent.removeprefix("Basic ")} <= set(secrets(url))


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://", "is 'http://'"),
        ("http:///", "is 'http:///'"),
        ("http://:3128", "is 'http://:3128'"),
        ("HTTP://proxy", "is 'HTTP://proxy'"),
        ("ftp://proxy", "is 'ftp://proxy'"),
        ("socks5://proxy:1080", "is 'socks5://proxy:1080'"),
        ("socks5h://me:s3cret@proxy:1080", "is 'socks5h://***@proxy:1080'"),
        (" http://proxy", "is ' http://proxy'"),
        ("http://proxy ", "is 'http://proxy '"),
        ("http://proxy\n", r"is 'http://proxy\n'"),
        ("http://pro xy", "is 'http://pro xy'"),
        ("http://proxy:3128\x00", "is 'http://proxy:***'"),
        ("http://proxy:3128,http://other", "is 'http://proxy:***'"),
        ("http://proxy:", "is 'http://proxy:***'"),
        ("http://proxy:0", "is 'http://proxy:0'"),
        ("http://proxy:65536", "is 'http://proxy:65536'"),
        ("http://proxy:123456", "is 'http://proxy:***'"),
        ("http://proxy:-1", "is 'http://proxy:***'"),
        ("http://proxy:\uff13128", "is 'http://proxy:***'"),
        ("http://proxy:s3cret", "is 'http://proxy:***'"),
        ("http://proxy/path", "is 'http://proxy/path'"),
        ("http://proxy//", "is 'http://proxy//'"),
        ("http://proxy?s3cret", "is 'http://proxy?…'"),
        ("http://proxy#s3cret", "is 'http://proxy#…'"),
        ("http://pro\\xy", r"is 'http://pro\\xy'"),
        ("http://bücher.example", "is 'http://bücher.example'"),
        ("http://a..b", "is 'http://a..b'"),
        (f"http://{'x' * 64}", f"is 'http://{'x' * 64}'"),
        ("http://10.0.0", "is 'http://10.0.0'"),
        ("http://10.0.0.256:3128", "is 'http://10.0.0.256:3128'"),
        ("http://::1:3128", "is 'http://:***'"),
        ("http://[::1", "is 'http://[:***'"),
        ("http://[::1]x:1", "is 'http://[::1]x:1'"),
        ("http://[10.0.0.1]", "is 'http://[10.0.0.1]'"),
        ("http://[fe80::1%25eth0]:1", "is 'http://[fe80::1%25eth0]:1'"),
        ("http://@proxy", "is 'http://***@proxy'"),
        ("http://me:s3cret@", "is 'http://***@'"),
        ("http://me:s3@cret@proxy", "is 'http://***@proxy'"),
        ("http://me:s3/cret@proxy", "is 'http://***@proxy'"),
        ("http://me:s3#cret@proxy", "is 'http://***@proxy'"),
        ("http://me:s3?cret@proxy", "is 'http://***@proxy'"),
        ("http://me:s3 cret@proxy", "is 'http://***@proxy'"),
        ("http://me:s3[cret@proxy", "is 'http://***@proxy'"),
        ("http://me:s3%cret@proxy", "is 'http://***@proxy'"),
        ("http://me:s3€cret@proxy", "is 'http://***@proxy'"),
        ("http:/me:s3cret@proxy", "begins with neither http:// nor https://"),
        ("proxy:3128", "begins with neither http:// nor https://"),
        ("s3cret", "begins with neither http:// nor https://"),
    ],
)
def test_what_the_library_would_read_otherwise_is_refused_without_its_secret(
    url: str, shown: str
) -> None:
    problem = proxy_problem(url)
    assert problem.startswith(f"{shown}; must be an http or https URL without a path, such as ")
    assert "s3" not in problem
    assert "cret" not in problem
