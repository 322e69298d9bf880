"""The receivers of webhooks, as an operator lists them in JSON, and the rules for their addresses. Pure.

No message repeats an address or a secret: the address of a chat's webhook is a secret itself.
"""

import base64
import binascii
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Literal

import msgspec
from pydantic import SecretStr
from yarl import URL

Format = Literal["standard", "slack", "teams"]
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,60}")
_SECRET_BYTES = range(24, 65)  # of Standard Webhooks


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    url: str
    name: str | None = None
    secret: str | None = None
    events: tuple[str, ...] = ()
    format: Format = "standard"


@dataclass(frozen=True)
class Receiver:
    """Where events go. `name`: unique, for logs and metrics. `events`: the only ones it gets; empty for all."""

    name: str
    url: SecretStr
    secret: SecretStr | None = None
    events: frozenset[str] = field(default_factory=frozenset)
    format: Format = "standard"

    @property
    def address(self) -> URL:
        """Its address, parsed."""
        return URL(self.url.get_secret_value())

    @property
    def host(self) -> str:
        """The host of its address, in small letters."""
        return self.address.host or ""

    def wants(self, event: str) -> bool:
        """Whether it gets events of this name."""
        return not self.events or event in self.events


def receivers_of(text: str, *, events: Collection[str]) -> tuple[Receiver, ...]:
    """Receivers from a JSON list. `events`: the names that there are. Raises ValueError in one sentence."""
    try:
        entries = msgspec.json.decode(text, type=list[_Entry])
    except msgspec.DecodeError as error:
        # A wrong value is in the message only for a format, and for the name of an unknown field.
        raise ValueError(f"a JSON list of receivers is needed: {error}") from None
    found = tuple(_receiver(place, entry, events) for place, entry in enumerate(entries, 1))
    if len({receiver.name for receiver in found}) < len(found):
        raise ValueError("each receiver needs a name of its own; without one it is called like its host")
    return found


def _receiver(place: int, entry: _Entry, events: Collection[str]) -> Receiver:
    try:
        url = URL(entry.url)
        _ = url.port
    except ValueError:
        url = URL()
    if url.scheme not in {"http", "https"} or not url.host or url.user or url.password or url.fragment:
        raise ValueError(f"receiver {place} needs a url, https://… without user, password and fragment")
    name = url.host if entry.name is None else entry.name
    if not _NAME.fullmatch(name):
        raise ValueError(f"receiver {place} needs a name of letters, digits, and . _ - only")
    if unknown := sorted(set(entry.events) - set(events)):
        known = ", ".join(sorted(events))
        raise ValueError(f"{name} asks for unknown events, {', '.join(unknown)[:100]}; there are {known}")
    if entry.format == "standard" and not _is_secret(entry.secret):
        raise ValueError(f"{name} needs a secret, whsec_ and 24 to 64 random bytes in base64")
    secret = None if entry.secret is None else SecretStr(entry.secret)
    return Receiver(name, SecretStr(entry.url), secret, frozenset(entry.events), entry.format)


def _is_secret(secret: str | None) -> bool:
    try:
        return len(base64.b64decode((secret or "").removeprefix("whsec_"), validate=True)) in _SECRET_BYTES
    except binascii.Error:
        return False


def demand_allowed(receivers: Sequence[Receiver], *, allowed: Collection[str], private: Collection[str]) -> None:
    """Refuse receivers at other hosts, and those that are asked in clear text. Raises ValueError in one sentence.

    `allowed`: hosts, or `*.example.com` for all below one. `private`: hosts that may have a private address and http.
    """
    for receiver in receivers:
        if receiver.host in private:
            continue
        if not any(_matches(receiver.host, pattern) for pattern in allowed):
            raise ValueError(f"WEBHOOK_ALLOWED_HOSTS has not the host of receiver {receiver.name}")
        if receiver.address.scheme != "https":
            raise ValueError(
                f"receiver {receiver.name} needs an https:// address, or its host in WEBHOOK_PRIVATE_HOSTS"
            )


def _matches(host: str, pattern: str) -> bool:
    return host.endswith(pattern[1:]) if pattern.startswith("*.") else host == pattern
