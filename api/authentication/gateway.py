"""Keys of gateways, programs that call for their users, as Retool's server does. Pure, but for the making of a key.

Keys are random, so a plain SHA-256 of one can not be turned back; no salt, no stretching.
"""

import hashlib
import hmac
import secrets
from collections.abc import Sequence

from api.settings import GatewayKey

PREFIX = "plan_api_"  # lets secret scanners and people know one when they see it


def known_key(presented: str, keys: Sequence[GatewayKey]) -> GatewayKey | None:
    """The entry of a presented key. It takes the same time whichever it is, and when it is none."""
    digest = _digest(presented)
    found = None
    for key in keys:
        if hmac.compare_digest(key.digest, digest):
            found = key
    return found


def new_key(name: str, *, trusted: bool) -> tuple[str, str]:
    """A new key of 256 random bits, and its entry for GATEWAY_KEYS."""
    key = PREFIX + secrets.token_urlsafe(32)
    return key, f"{name}:{_digest(key)}{':trusted' if trusted else ''}"


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
