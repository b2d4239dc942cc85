"""Reads a kubeconfig from its Secret; refuses one that refers to anything outside of itself.

What kubectl (1.36) does not read is refused here too, and so is what it reads in a way that its
author hardly means: a test holds both to a real kubectl, form by form.
"""

import base64
import hashlib
import json
import re
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import InternalError

from hooks.http.bounded_json import Json
from hooks.http.proxies import proxy_problem
from hooks.http.texts import join_names, quote, show_url
from hooks.kube.client import SAFE_PATH
from hooks.kube.kubeconfigs import NAMED_LISTS, repeated_name
from hooks.targetclusters.access.destinations import Destinations
from hooks.targetclusters.access.kubeconfig_fields import (
    AUTHORITIES,
    BadKubeconfig,
    Fields,
    decode,
    parse,
)
from hooks.targetclusters.health.model import KUBECONFIG_MISSING, Lifetime

#: Keys of the Secret, the first that exists counts; without any of them, its only key.
SECRET_KEYS = ("kubeconfig", "value", "config")
#: The longest URL of a server; the CRD allows no more in the status.
MAX_SERVER = 2048
#: What kubectl takes as a kubeconfig, where it says what it is.
_TYPE = {"apiVersion": "v1", "kind": "Config"}
_UNVERIFIED = "insecure-skip-tls-verify"
#: How many keys of a Secret a message names.
_NAMED_KEYS = 10
_PROGRAM = "would run a program in the operator's pod"
_FILE = "would read a file in the operator's pod; use {} instead"
_IMPERSONATION = "impersonation is not supported; use the other user's own credentials"
_CLEARTEXT = (
    "is {}, which would get the user's token or password in clear text; must be an https URL, or "
    "TARGET_CLUSTER_ALLOW_HTTP_CREDENTIALS can allow it"
)
_PROXY = (
    "is {}, which is not allowed; leave it out to connect directly, or "
    "TARGET_CLUSTER_ALLOWED_PROXIES can allow it"
)
_PROXY_FOR_HTTP = (
    "stands beside an http server, which would be asked in clear text; must be left out"
)

#: Fields that are refused: the reason for a condition, and what is wrong.
REFUSED_USER_FIELDS = {
    "exec": ("ExecRefused", _PROGRAM),
    "auth-provider": ("AuthProviderRefused", _PROGRAM),
    "tokenFile": ("FilePathRefused", _FILE.format("token")),
    "client-certificate": ("FilePathRefused", _FILE.format("client-certificate-data")),
    "client-key": ("FilePathRefused", _FILE.format("client-key-data")),
    "as": ("KubeconfigUnsupported", _IMPERSONATION),
    "as-uid": ("KubeconfigUnsupported", _IMPERSONATION),
    "as-groups": ("KubeconfigUnsupported", _IMPERSONATION),
    "as-user-extra": ("KubeconfigUnsupported", _IMPERSONATION),
}
REFUSED_CLUSTER_FIELDS = {
    "certificate-authority": ("FilePathRefused", _FILE.format(AUTHORITIES)),
}

_PEM_BLOCK = re.compile(r"-----BEGIN [^-]+-----([^-]*)-----END")
#: What an HTTP header can hold; a library would quote anything else in its error.
_HEADER_TEXT = re.compile(r"[\x21-\x7e]+")
#: The end of the year 9999, the last time that can be written.
_LAST_TIME = 253402300799.0
#: A name that TLS can ask for (RFC 1123, and underscores as in some clusters' names).
_LABEL = r"[A-Za-z0-9_][A-Za-z0-9_-]{0,62}"
_HOST_NAME = re.compile(rf"(?=.{{1,253}}$){_LABEL}(?:\.{_LABEL})*")


@dataclass(frozen=True)
class Kubeconfig:
    """Where a cluster is, and the credentials for it, which are not in the repr.

    Attributes:
        server: the API server's URL, without a slash at the end.
        server_name: what its certificate must be for; empty for the URL's host.
        ca: PEM of the trusted authorities; empty for the system's.
        verify: whether its certificate is checked at all.
        authorization: the HTTP header's value; empty for none.
        certificate: PEM of the client certificate; empty for none.
        key: PEM of the certificate's key.
        proxy: the URL of the proxy to it; empty for none.
        lifetimes: of the certificate and of the token, if they end.
        version: what changes with the content of its Secret; empty if it is of none.
    """

    server: str
    server_name: str = ""
    ca: str = field(default="", repr=False)
    verify: bool = True
    authorization: str = field(default="", repr=False)
    certificate: str = field(default="", repr=False)
    key: str = field(default="", repr=False)
    proxy: str = field(default="", repr=False)
    lifetimes: tuple[Lifetime, ...] = ()
    version: tuple[str, ...] = ()

    @property
    def ca_fingerprint(self) -> str:
        """Return `sha256:` and the fingerprint of the authorities; empty without any."""
        blocks = "".join("".join(block.split()) for block in _PEM_BLOCK.findall(self.ca))
        return f"sha256:{hashlib.sha256(blocks.encode()).hexdigest()}" if blocks else ""

    @property
    def place(self) -> str:
        """Return what is another where the kubeconfig may lead to another cluster: a digest."""
        told = f"{self.server} {self.server_name} {self.ca_fingerprint}"
        return hashlib.sha256(told.encode()).hexdigest()[:32]

    @property
    def secrets(self) -> tuple[str, ...]:
        """Return the lines of the key; the header is known to whoever sends it."""
        return tuple(line for line in self.key.split() if "-" not in line)


#: Stands for one that could not be read.
NO_KUBECONFIG = Kubeconfig("")
_ONLY_OTHER_MACHINES = Destinations()


def read_secret(secret: Json, destinations: Destinations = _ONLY_OTHER_MACHINES) -> Kubeconfig:
    """Read the kubeconfig in a Secret (core/v1).

    Args:
        secret: the whole Secret.
        destinations: where it may lead.

    Raises:
        BadKubeconfig: naming the key or the field.
    """
    data = secret.get("data") or {}
    keys = [key for key in SECRET_KEYS if key in data] or list(data)[: len(data) == 1]
    if not keys:
        found = join_names(sorted(data), limit=_NAMED_KEYS) or "none"
        message = f"the Secret needs one of the keys {', '.join(SECRET_KEYS)}; it has: {found}"
        raise BadKubeconfig(message, KUBECONFIG_MISSING)
    key = keys[0]
    try:
        content = base64.b64decode(data[key], validate=True)
    except (ValueError, TypeError):
        raise BadKubeconfig(f"key {key}: is not base64") from None
    text = decode(content, key)
    if not text.strip():
        raise BadKubeconfig(f"key {key}: is empty", KUBECONFIG_MISSING)
    return read_untrusted_kubeconfig(text, destinations, key=key)


def read_untrusted_kubeconfig(
    text: str, destinations: Destinations = _ONLY_OTHER_MACHINES, *, key: str = "kubeconfig"
) -> Kubeconfig:
    """Read the current context of a kubeconfig in YAML or JSON.

    Args:
        text: in YAML or JSON.
        destinations: where it may lead, as far as its text says.
        key: of the Secret that holds it.

    Raises:
        BadKubeconfig: naming the field.
    """
    config = parse(text, key)
    _check_lists(config)
    cluster, user = config.current()
    cluster.refuse_fields(REFUSED_CLUSTER_FIELDS)
    user.refuse_fields(REFUSED_USER_FIELDS)
    certificate, key_pem, of_certificate = _client_certificate(user)
    token = user.get("token", str)
    lifetimes = (of_certificate, _token_lifetime(token))
    server, authorization = _server(cluster), _authorization(user, token)
    if authorization and urlsplit(server).scheme == "http" and not destinations.http_credentials:
        raise cluster.invalid("server", _CLEARTEXT.format(quote(server)), "HttpRefused")
    ca, verify = cluster.pem(AUTHORITIES), not cluster.get(_UNVERIFIED, bool)
    if ca and not verify:
        raise cluster.invalid(
            _UNVERIFIED, f"is true beside {AUTHORITIES}; must be only one of them"
        )
    return Kubeconfig(
        server=server,
        server_name=_server_name(cluster),
        ca=ca,
        verify=verify,
        authorization=authorization,
        certificate=certificate,
        key=key_pem,
        proxy=_proxy(cluster, server, destinations),
        lifetimes=tuple(each for each in lifetimes if each is not None),
    )


def _check_lists(config: Fields) -> None:
    """Check that it is a kubeconfig, in whose lists no name comes twice. Raises BadKubeconfig."""
    for name, right in _TYPE.items():
        if (value := config.get(name, str)) not in ("", right):
            raise config.invalid(name, f"is {quote(value)}, must be {right}")
    for plural in NAMED_LISTS:
        entries = [each for each in config.get(plural, list) if isinstance(each, dict)]
        if problem := repeated_name(each.get("name") or "" for each in entries):
            raise config.invalid(plural, problem)


def _server(cluster: Fields) -> str:
    server = cluster.get("server", str)
    if not server:
        message = "is missing; it must be a URL such as https://host:6443"
        raise cluster.invalid("server", message, "NoServer")
    if len(server) > MAX_SERVER:
        raise cluster.invalid("server", f"is longer than {MAX_SERVER} characters")
    if not _HEADER_TEXT.fullmatch(server) or not _is_base_url(server):
        right = "a URL such as https://host:6443, without user, query, fragment, . or .. in it"
        raise cluster.invalid("server", f"is {show_url(server)}, must be {right}")
    return server.rstrip("/")


def _proxy(cluster: Fields, server: str, destinations: Destinations) -> str:
    url = cluster.get("proxy-url", str)
    if not url:
        return ""
    if problem := proxy_problem(url):
        raise cluster.invalid("proxy-url", problem)
    if not destinations.allow_proxy(url):
        raise cluster.invalid("proxy-url", _PROXY.format(show_url(url)), "ProxyRefused")
    if urlsplit(server).scheme == "http":
        raise cluster.invalid("proxy-url", _PROXY_FOR_HTTP)
    return url


def _is_base_url(server: str) -> bool:
    """Tell whether paths can be added to a URL without another meaning."""
    try:
        url = urlsplit(server)
        usable = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:
        return False
    path = url.path.rstrip("/")
    is_plain = not set("?#\\") & set(server) and "@" not in url.netloc
    return usable and is_plain and (not path or bool(SAFE_PATH.fullmatch(path)))


def _server_name(cluster: Fields) -> str:
    """Return the name that the server's certificate must be for; empty for the URL's host."""
    name = cluster.get("tls-server-name", str)
    if name and not _HOST_NAME.fullmatch(name) and not _is_address(name):
        problem = f"is {quote(name)}, must be a host name or an IP address"
        raise cluster.invalid("tls-server-name", problem)
    return name


def _is_address(text: str) -> bool:
    """Tell whether a text is an IP address, without a zone: that may be any text."""
    try:
        return "%" not in text and bool(ip_address(text))
    except ValueError:
        return False


def _authorization(user: Fields, token: str) -> str:
    username, password = user.get("username", str), user.get("password", str)
    if token:
        if username or password:
            raise user.invalid("token", "stands beside username or password; must be only one")
        if not _HEADER_TEXT.fullmatch(token):
            problem = "contains blanks, line breaks or other characters that no token has"
            raise user.invalid("token", problem)
        return f"Bearer {token}"
    if not username:
        if password:
            raise user.invalid("username", "is missing; a password needs one")
        return ""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


def _client_certificate(user: Fields) -> tuple[str, str, Lifetime | None]:
    """Return certificate and key in PEM, and how long the certificate, first of a chain, holds."""
    names = ("client-certificate-data", "client-key-data")
    certificate, key = (user.pem(name) for name in names)
    if bool(certificate) != bool(key):
        missing = names[1 if certificate else 0]
        raise user.invalid(missing, "is missing; a client certificate needs its key")
    if not certificate:
        return "", "", None
    try:
        first = x509.load_pem_x509_certificates(certificate.encode())[0]
        times = first.not_valid_before_utc.timestamp(), first.not_valid_after_utc.timestamp()
    except (ValueError, OverflowError, x509.InvalidVersion, InternalError):
        raise user.invalid(names[0], "is not a certificate in PEM") from None
    start, end = (min(max(time, 0.0), _LAST_TIME) for time in times)
    return certificate, key, Lifetime(end, start)


def _token_lifetime(token: str) -> Lifetime | None:
    """Return `iat` and `exp` of a JWT (RFC 7519); None for any other token, and one without end."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, RecursionError):
        return None
    if not isinstance(claims, dict) or (end := _claimed_time(claims.get("exp"))) is None:
        return None
    return Lifetime(end, _claimed_time(claims.get("iat")))


def _claimed_time(claim: object) -> float | None:
    """Return a time that a JWT claims, in epoch seconds; None if it is none."""
    try:
        time = float(claim) if isinstance(claim, int | float) else -1.0
    except OverflowError:
        return None
    return time if 0 <= time <= _LAST_TIME else None
