"""Keys of gateways: programs that call for their users, as Retool's server does. Pure, except making a key.

Keys are random, so a plain SHA-256 of one cannot be reversed; salt and stretching are not needed.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class GatewayKey:
    """An accepted key: its SHA-256 in hex, and whether its holder may act for others."""

    name: str
    digest: str = field(repr=False)
    trusted: bool


def gateway_key(entry: str) -> GatewayKey:
    """The key of an entry, `name:sha256` or `name:sha256:trusted`. Raises ValueError without repeating the entry."""
    found = re.fullmatch(r"([\w.-]{1,64}):([0-9a-fA-F]{64})(:trusted)?", entry)
    if found is None:
        raise ValueError("an entry must be name:sha256, or name:sha256:trusted")
    return GatewayKey(found[1], found[2].lower(), trusted=bool(found[3]))


def known_key(presented: str, keys: Sequence[GatewayKey]) -> GatewayKey | None:
    """The entry of a presented key, if there is one. Constant time."""
    digest = _digest(presented)
    found = None
    for key in keys:
        if hmac.compare_digest(key.digest, digest):
            found = key
    return found


def new_key(name: str, *, prefix: str, trusted: bool) -> tuple[str, str]:
    """A new key of 256 random bits, and its entry. `prefix`: what secret scanners and people recognise it by."""
    key = prefix + secrets.token_urlsafe(32)
    return key, f"{name}:{_digest(key)}{':trusted' if trusted else ''}"


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
