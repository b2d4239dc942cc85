"""The `cloud-config` file, in the form of the CloudStack Kubernetes Provider.

So its Secret serves as it is: section `[Global]`, read by the rules of `hooks.settings.gcfg`, and a
yes-or-no name alone on its line for yes.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from hooks.cloudstack.config import CloudConfig
from hooks.http.proxies import is_listed, proxy_problem
from hooks.http.tls import BadTrust, file_context
from hooks.settings.gcfg import Entry, read_entries
from hooks.settings.parsing import SettingsError

#: Every name of the file, and the field that it sets.
NAMES = {each.name.replace("_", "-"): each for each in fields(CloudConfig)}
#: Variables that name a file or folder of authorities, as requests, curl and OpenSSL read them.
CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")
_TRUE = ("true", "yes", "on", "1")
_FALSE = ("false", "no", "off", "0")

_NAME = re.compile(r"[a-z][a-z-]{1,30}")


def parse_cloud_config(text: str, *, warn: Callable[[str], None]) -> CloudConfig:
    """Read the text of a cloud-config.

    Args:
        text: the content of the file.
        warn: called for each line that means nothing, which is most likely a misspelt name, and for
            each value that is another one than it seems.

    Raises:
        SettingsError: naming every problem at once.
    """
    values, bad = read_section(text, warn=warn)
    problems = [
        f"{name} is missing"
        for name, each in NAMES.items()
        if each.default is MISSING and not values.get(name)
    ]
    if values.get("api-url"):
        problems += _url_problems(values["api-url"])
    if values.get("proxy") and (problem := proxy_problem(values["proxy"])):
        problems.append(f"proxy {problem}")
    if problems := problems + bad:
        raise SettingsError(*problems)
    return CloudConfig(**{NAMES[name].name: value for name, value in values.items()})


def read_cloud_config(
    path: str, *, environ: Mapping[str, str], warn: Callable[[str], None]
) -> CloudConfig:
    """Read a cloud-config file, filled from the environment. Raises SettingsError, OSError."""
    try:
        text = Path(path).read_bytes().decode()
    except UnicodeDecodeError as error:
        raise SettingsError(f"is not UTF-8 at byte {error.start}") from None
    return fill_from_environ(parse_cloud_config(text, warn=warn), environ, warn=warn)


def fill_from_environ(
    config: CloudConfig, environ: Mapping[str, str], *, warn: Callable[[str], None]
) -> CloudConfig:
    """Return the config with the authorities and the proxy of the environment where it has none.

    Args:
        config: as the file has it.
        environ: the environment.
        warn: called for each entry of NO_PROXY that excludes nothing.

    Raises:
        SettingsError: one of them cannot be used; it names the variable.
    """
    given = {"ca-file": config.ca_file, **{name: environ.get(name, "") for name in CA_VARIABLES}}
    name, authorities = next(filter(all, given.items()), ("", ""))
    if authorities:
        try:
            file_context(authorities)
        except BadTrust as error:
            raise SettingsError(f"{name}: {error}") from None
    proxy = config.proxy or _environment_proxy(config.api_url, environ, warn)
    return replace(config, ca_file=authorities, proxy=proxy)


def _environment_proxy(url: str, environ: Mapping[str, str], warn: Callable[[str], None]) -> str:
    """Return the environment's proxy, with the scheme that may be left out there.

    Raises SettingsError.
    """
    names = (f"{urlsplit(url).scheme}_proxy", "all_proxy")
    variable, given = _first_given(environ, *names)
    if not given:
        return ""
    proxy = given if "://" in given else f"http://{given}"
    if _is_excluded(url, environ, warn):
        return ""
    if problem := proxy_problem(proxy):
        raise SettingsError(f"{variable} {problem}")
    return proxy


def _is_excluded(url: str, environ: Mapping[str, str], warn: Callable[[str], None]) -> bool:
    """Tell whether NO_PROXY names a URL's server.

    An entry that cannot name any is ignored, as curl, requests and Go ignore it.
    """
    variable, hosts = _first_given(environ, "no_proxy")
    found = False
    for entry in hosts.replace(",", " ").split():
        try:
            found |= is_listed(url, entry)
        except ValueError as error:
            warn(f"{variable} {error}; it is ignored")
    return found


def _first_given(environ: Mapping[str, str], *names: str) -> tuple[str, str]:
    """Return the first variable that is not empty, in lower case before upper, and its value."""
    variables = [variable for name in names for variable in (name, name.upper())]
    return next(((each, environ[each]) for each in variables if environ.get(each)), ("", ""))


def read_section(text: str, *, warn: Callable[[str], None]) -> tuple[dict[str, Any], list[str]]:
    """Return the values of `[Global]` by their names, and what is wrong with values.

    Of a name that is given several times the last one counts.

    Args:
        text: the content of the file.
        warn: as for `parse_cloud_config`.

    Raises:
        SettingsError: the text has another form.
    """
    values: dict[str, Any] = {}
    problems: list[str] = []
    entries = list(read_entries(text))
    for entry in entries:
        if entry.section != "global" or not entry.name:
            continue
        if entry.name not in NAMES:
            # A key that lost its name is not shown.
            is_name = entry.value is not None and _NAME.fullmatch(entry.name)
            shown = entry.name if is_name else "one of the lines"
            warn(f"cloud-config: {shown} means nothing here; the names are {', '.join(NAMES)}")
            continue
        again = ("is given a second time, and the last one counts",) * (entry.name in values)
        for surprise in (*again, *entry.surprises):
            warn(f"cloud-config: line {entry.line}: {entry.name} {surprise}")
        try:
            values[entry.name] = _value(entry)
        except SettingsError as error:
            problems += error.problems
    if any(entry.section != "global" for entry in entries):
        warn("cloud-config: only section [Global] means something")
    return values, problems


def _value(entry: Entry) -> str | bool:
    """Read the value of a name. Raises SettingsError."""
    if NAMES[entry.name].type is not bool:
        if entry.value is None:
            raise SettingsError(f"{entry.name} has no value; write {entry.name} = VALUE")
        return entry.value
    answer = "true" if entry.value is None else entry.value.lower()
    if answer not in _TRUE + _FALSE:
        raise SettingsError(f"{entry.name} must be true or false")
    return answer in _TRUE


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
