"""The `cloud-config` file, in the form of the CloudStack Kubernetes Provider.

So its Secret serves as it is: section `[Global]`, names in any case, comments after `;` or `#`,
values in double quotes where they need them, and a yes-or-no name alone on its line for yes.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, fields, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]

from requests.utils import address_in_network, is_ipv4_address, is_valid_cidr

from hooks.cloudstack.config import CloudConfig
from hooks.http.tls import BadTrust, file_context
from hooks.settings.parsing import SettingsError

#: Every name of the file, and the field that it sets.
NAMES = {each.name.replace("_", "-"): each for each in fields(CloudConfig)}
#: Variables that name a file or folder of authorities, as requests, curl and OpenSSL read them.
CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")
_TRUE = ("true", "yes", "on", "1")
_FALSE = ("false", "no", "off", "0")

_HEADER = re.compile(r"\[(.+)\].*")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"\s*(?:[;#].*)?')
_COMMENT = re.compile(r"(?:^|\s)[;#]")
_NAME = re.compile(r"[a-z][a-z-]{1,30}")
_PROXY = re.compile(r"https?://[^/?#\s]+/?")


def parse_cloud_config(text: str, *, warn: Callable[[str], None]) -> CloudConfig:
    """Read the text of a cloud-config.

    Args:
        text: the content of the file.
        warn: called for each line without a meaning, which is most likely a misspelt name.

    Raises:
        SettingsError: naming every problem at once.
    """
    given = _read_section(text, warn)
    values: dict[str, Any] = {name: value or "" for name, value in given.items()}
    problems = [
        f"{name} is missing"
        for name, each in NAMES.items()
        if each.default is MISSING and not values.get(name)
    ]
    if values.get("api-url"):
        problems += _url_problems(values["api-url"])
    if values.get("proxy") and not _PROXY.fullmatch(values["proxy"]):
        problems.append("proxy is not an http or https URL; write for example http://proxy:3128")
    if "ssl-no-verify" in given:
        answer = (given["ssl-no-verify"] or "true").lower()
        values["ssl-no-verify"] = answer in _TRUE
        if answer not in _TRUE + _FALSE or given["ssl-no-verify"] == "":
            problems.append("ssl-no-verify must be true or false")
    if problems:
        raise SettingsError(*problems)
    return CloudConfig(**{NAMES[name].name: value for name, value in values.items()})


def read_cloud_config(
    path: str, *, environ: Mapping[str, str], warn: Callable[[str], None]
) -> CloudConfig:
    """Read a cloud-config file, filled from the environment. Raises SettingsError, OSError."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise SettingsError(f"is not UTF-8 at byte {error.start}") from None
    config = parse_cloud_config(text, warn=warn)
    if config.ca_file:
        try:
            file_context(config.ca_file)
        except BadTrust as error:
            raise SettingsError(f"ca-file: {error}") from None
    return fill_from_environ(config, environ)


def fill_from_environ(config: CloudConfig, environ: Mapping[str, str]) -> CloudConfig:
    """Return the config with the authorities and the proxy of the environment where it has none."""
    authorities = next((environ[name] for name in CA_VARIABLES if environ.get(name)), "")
    proxy = config.proxy or _environment_proxy(config.api_url, environ)
    return replace(config, ca_file=config.ca_file or authorities, proxy=proxy)


def _environment_proxy(url: str, environ: Mapping[str, str]) -> str:
    """Return the environment's proxy; NO_PROXY may name networks, and a port, of IPs too."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    excluded = (environ.get("no_proxy") or environ.get("NO_PROXY") or "").replace(",", " ").split()
    named = {"no": ",".join(excluded)}
    networks = [each for each in excluded if is_valid_cidr(each)] if is_ipv4_address(host) else ()
    if any(proxy_bypass_environment(each, named) for each in (host, address)) or any(
        address_in_network(host, each) for each in networks
    ):
        return ""
    names = (f"{parts.scheme}_proxy", "all_proxy")
    return next(filter(None, (environ.get(each, environ.get(each.upper())) for each in names)), "")


def _read_section(text: str, warn: Callable[[str], None]) -> dict[str, str | None]:
    """Return the names and values of `[Global]`; None is a name without a value."""
    values: dict[str, str | None] = {}
    entries = list(_entries(text))
    for section, name, value in entries:
        if section == "global" and name in NAMES:
            values[name] = None if value is None else _plain(name, value)
        elif section == "global":
            # A key that lost its name is not shown.
            shown = name if value is not None and _NAME.fullmatch(name) else "one of the lines"
            warn(f"cloud-config: {shown} means nothing here; the names are {', '.join(NAMES)}")
    if any(section != "global" for section, _, _ in entries):
        warn("cloud-config: only section [Global] means something")
    return values


def _entries(text: str) -> Iterator[tuple[str, str, str | None]]:
    """Yield the section, the name and the value of each line. Raises SettingsError."""
    section = ""
    seen = set()
    for number, line in enumerate(map(str.strip, text.splitlines()), start=1):
        if not line or line[0] in ";#":
            continue
        header = _HEADER.fullmatch(line)
        section = header[1].lower() if header else section
        name, equals, value = map(str.strip, line.partition("="))
        key = (section, "" if header else name.lower())
        if not section:
            raise SettingsError(f"line {number}: there is a line before [Global]")
        if not header and (not name or name.startswith("[")):
            raise SettingsError(f"line {number}: is not of the form name = value")
        if key in seen:
            what = "the section is opened" if header else "the name is given"
            raise SettingsError(f"line {number}: {what} a second time")
        seen.add(key)
        if not header:
            yield section, name.lower(), value if equals else None


def _plain(name: str, value: str) -> str:
    """Take a value out of its quotes, or cut off the comment behind it."""
    if not value.startswith('"'):
        return _COMMENT.split(value, maxsplit=1)[0].strip()
    quoted = _QUOTED.fullmatch(value)
    if not quoted:
        raise SettingsError(f"{name}: its quotes are not closed")
    return re.sub(r"\\(.)", r"\1", quoted[1])


def _url_problems(url: str) -> list[str]:
    example = "write for example https://cloud.example.com/client/api"
    try:
        parts = urlsplit(url)
        port_is_good = parts.port is None or parts.port > 0
    except ValueError:
        return [f"api-url is not an URL; {example}"]
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_is_good:
        return [f"api-url is not an http or https URL; {example}"]
    if parts.username is not None or parts.query or parts.fragment:
        return [f"api-url must hold no user, query or fragment; {example}"]
    return []
