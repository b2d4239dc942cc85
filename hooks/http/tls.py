"""Which servers are trusted: certificate authorities in files or texts, and our own certificate."""

import os
import re
import ssl
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from hooks.http.sockets import BoundedTlsSocket

#: A certificate in PEM.
_CERTIFICATE = re.compile(
    r"^-----BEGIN CERTIFICATE-----\r?$.*?^-----END CERTIFICATE-----", re.DOTALL | re.MULTILINE
)


class BadTrust(Exception):
    """Certificates cannot be used; str() says which."""


def new_context(ca_path: str = "", *, ca: str = "", verify: bool = True) -> ssl.SSLContext:
    """Make a context that trusts the authorities given, or the public ones where none are.

    Python 3.13's VERIFY_X509_STRICT is left off: certificates that kubectl accepts (without an
    authority key identifier, as many clusters make them) would be refused.

    Args:
        ca_path: a file (PEM) of authorities, a folder of such files, whatever their names are, or
            several folders with `:` between them.
        ca: authorities in PEM, in its place; those that cannot be read are left out, as Go does,
            unless none can.
        verify: whether the server's certificate is checked at all.

    Raises:
        OSError: they cannot be read; ssl.SSLError is one.
    """
    paths = _authorities(ca_path)
    if ca:
        context = _context_of(ca)
    elif paths[1:] or Path(paths[0]).is_dir():
        context = ssl.create_default_context(capath=paths[0])
        for folder in paths:
            _load_all(context, Path(folder))
    else:
        context = ssl.create_default_context(cafile=paths[0])
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # as Go: an intermediate CA is enough
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    context.sslsocket_class = BoundedTlsSocket
    return context


def _context_of(ca: str) -> ssl.SSLContext:
    """Make a context that trusts the authorities in a text. Raises ssl.SSLError if none is one."""
    try:
        return ssl.create_default_context(cadata=ca)
    except ssl.SSLError:
        good = list(filter(_is_certificate, _CERTIFICATE.findall(ca)))
        if not good:
            raise
        return ssl.create_default_context(cadata="\n".join(good))


def _is_certificate(block: str) -> bool:
    with suppress(ssl.SSLError):
        ssl.create_default_context(cadata=block)
        return True
    return False


def _authorities(ca_path: str) -> tuple[str, ...]:
    """Return what is read: one path, or those of several folders that exist, as OpenSSL does."""
    path = ca_path or DEFAULT_CA_BUNDLE_PATH
    if os.path.lexists(path):
        return (path,)
    return tuple(filter(os.path.lexists, path.split(os.pathsep))) or (path,)


def _load_all(context: ssl.SSLContext, folder: Path) -> None:
    """Load every certificate of a folder: OpenSSL finds those alone that are named by a hash."""
    for path in folder.iterdir():
        if path.is_file():
            with suppress(OSError):  # another kind of file, or a private one
                context.load_verify_locations(path)


def file_context(
    ca_path: str = "", *, verify: bool = True, certificate: tuple[str, str] | None = None
) -> ssl.SSLContext:
    """Return the context of files, made again when one of them has changed.

    Making one takes 50 ms with the public authorities.

    Args:
        ca_path: a file (PEM), a folder or several; empty for the public authorities.
        verify: whether the server's certificate is checked at all.
        certificate: files (PEM) of our own certificate and its key; None for none.

    Raises:
        BadTrust: naming what cannot be used.
    """
    own = certificate or ()
    paths = (*_authorities(ca_path), *own)
    try:
        changed = tuple(os.stat(path).st_mtime_ns for path in paths)  # noqa: PTH116
        return _cached_context(ca_path, own, (paths, changed), verify)
    except (OSError, ValueError) as error:
        raise BadTrust(f"{' with '.join(paths)} cannot be used: {error}") from None


@lru_cache(maxsize=16)
def _cached_context(
    ca_path: str, own: tuple[str, ...], _changed: object, verify: bool
) -> ssl.SSLContext:
    context = new_context(ca_path, verify=verify)
    if own:
        # Without a password an encrypted key would ask for one on the terminal.
        context.load_cert_chain(own[0], own[1], "")
    return context
