"""Keys of gateways: programs that call for their users, as Retool's server does. Pure, except making a key.

Keys are random, so a plain SHA-256 of one cannot be reversed; salt and stretching are not needed.
"""

import hashlib
import hmac
import secrets
from collections.abc import Sequence

from api.settings import GatewayKey

PREFIX = "plan_api_"  # recognisable for secret scanners and people


def known_key(presented: str, keys: Sequence[GatewayKey]) -> GatewayKey | None:
    """The entry of a presented key, if there is one. Constant time."""
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
