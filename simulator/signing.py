"""Checks the signature of a request: version 3 with an expiry, or the older form without."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import quote

from simulator.errors import unauthorized
from simulator.model import User
from simulator.world import World


def java_encode(value: str) -> str:
    """Encode a value as Java's URLEncoder does, with %20 for spaces: `~` is encoded, `*` is not."""
    return quote(value, safe="*").replace("~", "%7E")


def sign(params: Mapping[str, str], secret_key: str) -> str:
    """Return the signature of a call's parameters (without `signature`)."""
    text = "&".join(f"{name}={java_encode(params[name])}" for name in sorted(params))
    digest = hmac.new(secret_key.encode(), text.lower().encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()


def authenticate(world: World, params: Mapping[str, str]) -> User:
    """Return the user who signed the call; raise ApiError 401 for a wrong or expired signature."""
    lowered = {name.lower(): value for name, value in params.items()}
    user = world.user_with_key(lowered.get("apikey", ""))
    signature = lowered.get("signature")
    if user is None or signature is None:
        raise unauthorized()
    if lowered.get("signatureversion") == "3":
        check_expiry(world, lowered.get("expires"))
    signed = {name: value for name, value in params.items() if name.lower() != "signature"}
    if not hmac.compare_digest(sign(signed, user.secret_key).encode(), signature.encode()):
        raise unauthorized()
    return user


def check_expiry(world: World, expires: str | None) -> None:
    """Refuse a call whose expiry is missing, malformed or past."""
    try:
        moment = datetime.strptime(expires or "", "%Y-%m-%dT%H:%M:%S%z")
    except ValueError:
        raise unauthorized() from None
    if moment.timestamp() < world.clock.now():
        raise unauthorized()
