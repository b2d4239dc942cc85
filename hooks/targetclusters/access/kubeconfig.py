"""Reads a kubeconfig out of its Secret, and refuses all that would reach beyond what it holds."""

import base64
import binascii
import json
import re
from dataclasses import dataclass, field
from typing import NoReturn, TypeVar
from urllib.parse import urlsplit

from cryptography import x509

from hooks.http.bounded_json import Json
from hooks.targetclusters.untrusted_yaml import Unusable, documents

#: Keys of the Secret that are looked for, in this order; failing those, its only key is taken.
SECRET_KEYS = ("kubeconfig", "value", "config")

#: The longest kubeconfig: reading one takes time, each time that its cluster is probed.
MAX_CHARACTERS = 256 * 1024

#: What a field would make the operator do; a kubeconfig with it is refused.
_REFUSED_USER = {
    "exec": "would run a program in the operator's pod",
    "auth-provider": "would run a program in the operator's pod",
    "tokenFile": "would read a file of the operator's pod; put the token itself into token",
    "client-certificate": "would read a file of the operator's pod; use client-certificate-data",
    "client-key": "would read a file of the operator's pod; use client-key-data",
    "as": "impersonation is not supported; use the other user's own credentials",
    "as-uid": "impersonation is not supported; use the other user's own credentials",
    "as-groups": "impersonation is not supported; use the other user's own credentials",
    "as-user-extra": "impersonation is not supported; use the other user's own credentials",
}
_REFUSED_CLUSTER = {
    "certificate-authority": (
        "would read a file of the operator's pod; use certificate-authority-data"
    ),
    "proxy-url": "a proxy is not supported; the operator connects to the server itself",
}
#: The reason for which a field is refused; others are KubeconfigUnsupported.
REFUSALS = {
    "exec": "ExecRefused",
    "auth-provider": "AuthProviderRefused",
    "tokenFile": "FilePathRefused",
    "client-certificate": "FilePathRefused",
    "client-key": "FilePathRefused",
    "certificate-authority": "FilePathRefused",
}

#: What can stand in an HTTP header; anything else would end up in a library's error text.
_HEADER_TEXT = re.compile(r"[\x21-\x7e]+")

#: The last second of the year 9999, after which times cannot be written.
_LAST_MOMENT = 253402300799.0

T = TypeVar("T")


class BadKubeconfig(Exception):
    """A kubeconfig that is not used; str() names the field and never quotes a credential.

    Attributes:
        reason: in CamelCase, for a condition.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class Kubeconfig:
    """Where a cluster is and who we are there; credentials stay out of its repr.

    Attributes:
        server: the API server's URL, without a slash at its end.
        server_name: what its certificate must be for; empty for the URL's host.
        ca: PEM of the authorities to trust; empty for the system's.
        verify: whether its certificate is checked at all.
        authorization: value of the HTTP header; empty for none.
        certificate: PEM of the client's certificate; empty for none.
        key: PEM of the certificate's key.
        expires: epoch seconds at which the first of certificate and token ends; None for never.
    """

    server: str
    server_name: str = ""
    ca: str = field(default="", repr=False)
    verify: bool = True
    authorization: str = field(default="", repr=False)
    certificate: str = field(default="", repr=False)
    key: str = field(default="", repr=False)
    expires: float | None = None


def read_secret(secret: Json) -> Kubeconfig:
    """Read the kubeconfig that a Secret (core/v1) holds.

    Raises:
        BadKubeconfig: saying which key or field is wrong.
    """
    data = secret.get("data") or {}
    key = next((key for key in SECRET_KEYS if key in data), None)
    if key is None and len(data) == 1:
        key = next(iter(data))
    if key is None:
        found = ", ".join(sorted(data)) or "none"
        wanted = ", ".join(SECRET_KEYS)
        raise BadKubeconfig(
            "KubeconfigMissing", f"the Secret needs one of the keys {wanted}; it has: {found}"
        )
    try:
        text = base64.b64decode(data[key], validate=True).decode()
    except (ValueError, TypeError):
        raise BadKubeconfig("KubeconfigInvalid", f"key {key}: is not text in base64") from None
    if not text.strip():
        raise BadKubeconfig("KubeconfigMissing", f"key {key}: is empty")
    return read_kubeconfig(text, key=key)


def read_kubeconfig(text: str, *, key: str = "kubeconfig") -> Kubeconfig:
    """Read the current context of a kubeconfig, YAML or JSON.

    Raises:
        BadKubeconfig: saying which field is wrong.
    """
    config = _parse(text, key)
    name = _get(config, "current-context", str, "", "")
    if not name:
        _wrong("current-context", "is missing; it must name one of contexts")
    context = _named(config, "contexts", "context", name)
    where = f"contexts[{name}].context"
    cluster_name = _get(context, "cluster", str, "", where)
    user_name = _get(context, "user", str, "", where)
    cluster = _named(config, "clusters", "cluster", cluster_name)
    user = _named(config, "users", "user", user_name) if user_name else {}
    cluster_at, user_at = f"clusters[{cluster_name}].cluster", f"users[{user_name}].user"
    _refuse(cluster, _REFUSED_CLUSTER, cluster_at)
    _refuse(user, _REFUSED_USER, user_at)
    certificate, key_pem = _client_certificate(user, user_at)
    token = _get(user, "token", str, "", user_at).strip()
    ends = [_certificate_end(certificate)] if certificate else []
    ends += [end for end in [_token_end(token)] if end is not None]
    return Kubeconfig(
        server=_server(cluster, cluster_at),
        server_name=_get(cluster, "tls-server-name", str, "", cluster_at),
        ca=_pem(cluster, "certificate-authority-data", cluster_at),
        verify=not _get(cluster, "insecure-skip-tls-verify", bool, False, cluster_at),
        authorization=_authorization(user, token, user_at),
        certificate=certificate,
        key=key_pem,
        expires=min(ends, default=None),
    )


def _parse(text: str, key: str) -> Json:
    """Read YAML, whose problems are told without quoting the text."""
    if len(text) > MAX_CHARACTERS:
        raise BadKubeconfig("KubeconfigInvalid", f"key {key}: has over {MAX_CHARACTERS} characters")
    config = next(documents(text), None)
    if isinstance(config, Unusable):
        where = f", {config.field}" if config.field else ""
        raise BadKubeconfig("KubeconfigInvalid", f"key {key}{where}: {config.message}")
    if not isinstance(config, dict):
        raise BadKubeconfig("KubeconfigInvalid", f"key {key}: is no kubeconfig")
    return config


def _named(config: Json, plural: str, singular: str, name: str) -> Json:
    """Find one of the named clusters, users or contexts."""
    entries = _get(config, plural, list, [], "")
    named = [entry for entry in entries if isinstance(entry, dict) and entry.get("name") == name]
    if not named:
        _wrong(plural, f"has none with the name {name!r}")
    return _get(named[0], singular, dict, {}, f"{plural}[{name}]")


def _get(where: Json, key: str, kind: type[T], default: T, at: str) -> T:
    value = where.get(key)
    if value is None:
        return default
    if not isinstance(value, kind):
        names = {str: "text", bool: "true or false", list: "a list", dict: "a mapping"}
        _wrong(_below(at, key), f"must be {names[kind]}")
    return value


def _refuse(where: Json, refused: dict[str, str], at: str) -> None:
    for key, why in refused.items():
        if where.get(key):
            reason = REFUSALS.get(key, "KubeconfigUnsupported")
            raise BadKubeconfig(reason, f"{_below(at, key)}: {why}")


def _server(cluster: Json, at: str) -> str:
    server = _get(cluster, "server", str, "", at).strip()
    field_name = _below(at, "server")
    if not server:
        raise BadKubeconfig("NoServer", f"{field_name}: is missing; write for example https://host")
    if not _is_url(server):
        _wrong(field_name, "must be a URL such as https://host:6443, without user or query")
    return server.rstrip("/")


def _is_url(text: str) -> bool:
    try:
        url = urlsplit(text)
        usable = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:
        return False
    extra = "@" in url.netloc or bool(url.query or url.fragment)
    return usable and not extra and bool(_HEADER_TEXT.fullmatch(text))


def _authorization(user: Json, token: str, at: str) -> str:
    if token:
        if not _HEADER_TEXT.fullmatch(token):
            _wrong(_below(at, "token"), "holds characters that no token has")
        return f"Bearer {token}"
    username = _get(user, "username", str, "", at)
    password = _get(user, "password", str, "", at)
    if username or password:
        return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()
    return ""


def _client_certificate(user: Json, at: str) -> tuple[str, str]:
    certificate = _pem(user, "client-certificate-data", at)
    key = _pem(user, "client-key-data", at)
    if bool(certificate) != bool(key):
        missing = "client-certificate-data" if key else "client-key-data"
        _wrong(_below(at, missing), "is missing; a certificate and its key go together")
    if certificate:
        try:
            x509.load_pem_x509_certificates(certificate.encode())
        except ValueError:
            _wrong(_below(at, "client-certificate-data"), "is no certificate in PEM")
    return certificate, key


def _pem(where: Json, key: str, at: str) -> str:
    encoded = _get(where, key, str, "", at)
    try:
        return base64.b64decode("".join(encoded.split()), validate=True).decode("ascii")
    except (binascii.Error, UnicodeError, ValueError):
        _wrong(_below(at, key), "is not PEM in base64")


def _certificate_end(pem: str) -> float:
    """Answer when the client's own certificate, the first of a chain, ends."""
    certificate = x509.load_pem_x509_certificates(pem.encode())[0]
    return certificate.not_valid_after_utc.timestamp()


def _token_end(token: str) -> float | None:
    """Answer the `exp` of a JWT (RFC 7519); None for any other token."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        padded = parts[1] + "=" * (-len(parts[1]) % 4)
        claims = json.loads(base64.urlsafe_b64decode(padded))
        end = float(claims["exp"])
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError):
        return None
    return end if 0 <= end <= _LAST_MOMENT else None


def _below(at: str, key: str) -> str:
    return f"{at}.{key}" if at else key


def _wrong(field_name: str, problem: str) -> NoReturn:
    raise BadKubeconfig("KubeconfigInvalid", f"{field_name}: {problem}")
