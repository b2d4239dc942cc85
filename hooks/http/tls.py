"""Which servers are trusted: certificate authorities in files or texts, and our own certificate."""

import os
import ssl
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from hooks.http.sockets import BoundedTlsSocket


class BadTrust(Exception):
    """Certificates cannot be used; str() says which."""


def new_context(ca_path: str = "", *, ca: str = "", verify: bool = True) -> ssl.SSLContext:
    """Make a context that trusts the authorities given, or the public ones where none are.

    Python 3.13's VERIFY_X509_STRICT is left off: certificates that kubectl accepts (without an
    authority key identifier, as many clusters make them) would be refused.

    Args:
        ca_path: a file (PEM) of authorities, or a folder of such files, whatever their names are.
        ca: authorities in PEM, in its place.
        verify: whether the server's certificate is checked at all.

    Raises:
        OSError: they cannot be read; ssl.SSLError is one.
    """
    path = ca_path or DEFAULT_CA_BUNDLE_PATH
    if ca:
        context = ssl.create_default_context(cadata=ca)
    elif (folder := Path(path)).is_dir():
        context = ssl.create_default_context(capath=path)
        _load_all(context, folder)
    else:
        context = ssl.create_default_context(cafile=path)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # as Go: an intermediate CA is enough
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    context.sslsocket_class = BoundedTlsSocket
    return context


def _load_all(context: ssl.SSLContext, folder: Path) -> None:
    """Load every certificate of a folder: OpenSSL finds those alone that are named by a hash."""
    for path in folder.iterdir():
        if path.is_file():
            with suppress(ssl.SSLError):  # another kind of file
                context.load_verify_locations(path)


def file_context(
    ca_path: str = "", *, verify: bool = True, certificate: tuple[str, str] | None = None
) -> ssl.SSLContext:
    """Return the context of files, made again when one of them has changed.

    Making one takes 50 ms with the public authorities.

    Args:
        ca_path: a file (PEM) or folder of authorities; empty for the public ones.
        verify: whether the server's certificate is checked at all.
        certificate: files (PEM) of our own certificate and its key; None for none.

    Raises:
        BadTrust: naming what cannot be used.
    """
    paths = (ca_path or DEFAULT_CA_BUNDLE_PATH, *(certificate or ()))
    try:
        return _cached_context(paths, tuple(os.stat(path).st_mtime_ns for path in paths), verify)  # noqa: PTH116
    except (OSError, ValueError) as error:
        raise BadTrust(f"{' with '.join(paths)} cannot be used: {error}") from None


@lru_cache(maxsize=16)
def _cached_context(paths: tuple[str, ...], _changed: object, verify: bool) -> ssl.SSLContext:
    context = new_context(paths[0], verify=verify)
    if paths[1:]:
        # Without a password an encrypted key would ask for one on the terminal.
        context.load_cert_chain(paths[1], paths[2], "")
    return context
