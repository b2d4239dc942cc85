"""The `cloud-config` file: how CloudStack is reached and as whom, taken up anew when it changes.

The file has the form of the CloudStack Kubernetes Provider, so that its Secret serves as it is:
section `[Global]`, names without regard to case, `;` and `#` before comments, values in double
quotes where they need it, and a yes-or-no name alone on its line for yes.
"""

import configparser
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TypeVar, cast
from urllib.parse import urlsplit

from hooks.cloudstack.config import CloudConfig
from hooks.settings.reloading import OnReload, ReloadingFile

T = TypeVar("T")

_SECTION = "global"
_REQUIRED = ("api-url", "api-key", "secret-key")

#: Every name that means something, with its sentence; the reference page is made from these.
NAMES = {
    "api-url": "The API's whole address, such as `https://cloud.example.com/client/api`. Needed.",
    "api-key": "The API key of an ordinary user. Needed.",
    "secret-key": "The secret key that belongs to it. Needed.",
    "project-id": "The project that the VMs are in. Left out: the account's own resources.",
    "zone": "Name or id of the zone that the VMs are in. Left out: every zone is looked through.",
    "region": "The nodes' region label. Left out: the zone's name.",
    "ssl-no-verify": "`true`: any certificate is taken from the server. Left out: `false`.",
    "ca-file": "A file (PEM) with the certificate authorities to trust, in the place of the public "
    "ones. Left out: what `REQUESTS_CA_BUNDLE`, `CURL_CA_BUNDLE`, `SSL_CERT_FILE` or "
    "`SSL_CERT_DIR` names, else the public ones.",
    "proxy": "The proxy to reach the API through, such as `http://proxy.example.com:3128`; it may "
    "hold user and password. Left out: what `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and "
    "`NO_PROXY` say, in upper or lower case.",
}
_TRUE = ("true", "yes", "on", "1")
_FALSE = ("false", "no", "off", "0")

_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"\s*(?:[;#].*)?')
_COMMENT = re.compile(r"(?:^|\s)[;#]")
_NAME = re.compile(r"[a-z][a-z-]{1,30}")


class CloudConfigError(ValueError):
    """A cloud-config that cannot be used: every problem, none of them with a value in it.

    Values are left out because a key may stand in the wrong place.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


def parse_cloud_config(text: str, *, warn: Callable[[str], None]) -> CloudConfig:
    """Read a cloud-config's text.

    Args:
        text: the file's content.
        warn: hears of names that mean nothing, which are most likely misspelt.

    Raises:
        CloudConfigError: naming every problem at once.
    """
    values = _section(text, warn)
    problems = [f"{name} is missing" for name in _REQUIRED if not values.get(name)]
    if values.get("api-url"):
        problems += _url_problems(values["api-url"] or "")
    proxy = values.get("proxy") or ""
    if proxy and not re.fullmatch(r"https?://[^/?#\s]+/?", proxy):
        problems.append("proxy is not an http or https URL; write for example http://proxy:3128")
    verify = values.get("ssl-no-verify", "false")
    if verify is not None and verify.lower() not in _TRUE + _FALSE:
        problems.append("ssl-no-verify must be true or false")
    if problems:
        raise CloudConfigError(problems)
    return CloudConfig(
        api_url=values["api-url"] or "",
        api_key=values["api-key"] or "",
        secret_key=values["secret-key"] or "",
        project_id=values.get("project-id") or "",
        zone=values.get("zone") or "",
        region=values.get("region") or "",
        ssl_no_verify=verify is None or verify.lower() in _TRUE,
        ca_file=values.get("ca-file") or "",
        proxy=proxy,
    )


def read_cloud_config(path: str, *, warn: Callable[[str], None]) -> CloudConfig:
    """Read a cloud-config file. Raises CloudConfigError, OSError."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise CloudConfigError([f"is not UTF-8 at byte {error.start}"]) from None
    return parse_cloud_config(text, warn=warn)


def follow_cloud_config(
    path: str,
    first: CloudConfig,
    make: Callable[[CloudConfig], T],
    *,
    on_reload: OnReload,
    warn: Callable[[str], None],
) -> ReloadingFile[T]:
    """Follow a cloud-config, and make a cloud of it when its content changes.

    Args:
        path: the cloud-config file.
        first: the content that was read when the process started.
        make: builds a cloud; not called again for an equal content, such as another comment.
        on_reload: called each time the file was read.
        warn: called for each line without a meaning.
    """
    made = lru_cache(maxsize=1)(make)
    return ReloadingFile(
        "cloud-config",
        (path,),
        lambda: made(read_cloud_config(path, warn=warn)),
        first=made(first),
        on_reload=on_reload,
    )


def _section(text: str, warn: Callable[[str], None]) -> dict[str, str | None]:
    """Take out the names and values of `[Global]`; None is a name without a value."""
    parser = configparser.ConfigParser(
        allow_no_value=True,
        comment_prefixes=(";", "#"),
        default_section="",
        delimiters=("=",),
        interpolation=None,
    )
    try:
        # Indented lines would otherwise continue the value before them.
        parser.read_string("\n".join(line.strip() for line in text.splitlines()))
    except configparser.Error as error:
        raise CloudConfigError([_syntax_problem(error)]) from None
    values: dict[str, str | None] = {}
    for section in parser.sections():
        if section.lower() != _SECTION:
            warn("cloud-config: only section [Global] means something")
            continue
        for name, value in cast("Mapping[str, str | None]", parser[section]).items():
            if name in NAMES:
                values[name] = None if value is None else _plain(name, value)
            else:
                _warn_of_unknown(name, value, warn)
    return values


def _plain(name: str, value: str) -> str:
    """Take a value out of its quotes, or cut off the comment behind it."""
    if value.startswith('"'):
        quoted = _QUOTED.fullmatch(value)
        if not quoted:
            raise CloudConfigError([f"{name}: its quotes are not closed"])
        return re.sub(r"\\(.)", r"\1", quoted[1])
    return _COMMENT.split(value, maxsplit=1)[0].strip()


def _warn_of_unknown(name: str, value: str | None, warn: Callable[[str], None]) -> None:
    """Name what means nothing, unless it could be a key that lost its name."""
    shown = name if value is not None and _NAME.fullmatch(name) else "one of the lines"
    known = ", ".join(NAMES)
    warn(f"cloud-config: {shown} means nothing here; the names are {known}")


def _syntax_problem(error: configparser.Error) -> str:
    """Say where the form is wrong; the parser's own words would show the line, and keys in it."""
    match error:
        case configparser.DuplicateOptionError(lineno=line):
            return f"line {line}: the name is given a second time"
        case configparser.DuplicateSectionError(lineno=line):
            return f"line {line}: the section is opened a second time"
        case configparser.MissingSectionHeaderError(lineno=line):
            return f"line {line}: something stands before [Global]"
        case configparser.ParsingError(errors=[(line, _), *_]):
            return f"line {line}: is not of the form name = value"
    return "is not of the form [Global], then name = value on each line"


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
