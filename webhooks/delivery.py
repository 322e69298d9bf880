"""One delivery of an event to one receiver: signed, to a public address, without redirects, within a time."""

import asyncio
import ssl
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime

import aiohttp
from standardwebhooks import Webhook

from webhooks.addresses import AddressRefused, PublicResolver, demand_public_literal
from webhooks.event import Event, body_of
from webhooks.receivers import Receiver

LONGEST_ANSWER = 2000  # bytes that are read of an answer; what it says matters to operators alone
LONGEST_HEADER = 8000  # bytes, of a status line or a header


class DeliveryFailed(Exception):
    """A receiver has not answered that it took an event; it may have it all the same. The text says why."""


@dataclass(frozen=True)
class Limits:
    """What holds for every delivery. `private`: hosts that may have addresses that are not public."""

    seconds: float
    private: Collection[str]
    tls: ssl.SSLContext = field(repr=False)
    user_agent: str


async def deliver(receiver: Receiver, event: Event, limits: Limits) -> int:
    """Send an event once; the status of the answer. Raises DeliveryFailed.

    Any 2xx is success. A redirect is a failure like any other status: who is listed is who gets it.
    """
    media_type, body = body_of(event, receiver.format)
    headers = {"Content-Type": media_type, "User-Agent": limits.user_agent, **signature(receiver, event.id, body)}
    try:
        demand_public_literal(receiver.host, limits.private)
        async with asyncio.timeout(limits.seconds):
            status, words = await _posted(receiver, body, headers, limits)
    except TimeoutError:
        raise DeliveryFailed(f"{receiver.name} has not answered within {limits.seconds:g} s") from None
    except AddressRefused as refused:
        raise DeliveryFailed(str(refused)) from None
    except (aiohttp.ClientError, OSError, ValueError) as failure:
        # The text of the failure may have the address in it.
        raise DeliveryFailed(f"{receiver.name} could not be reached ({type(failure).__name__})") from None
    if not 200 <= status < 300:
        raise DeliveryFailed(f"{receiver.name} answered {status}{f': {words}' if words else ''}")
    return status


def signature(receiver: Receiver, event_id: str, body: str) -> dict[str, str]:
    """The headers of Standard Webhooks. A receiver without a secret gets the id alone, to recognise repeats."""
    if receiver.secret is None:
        return {"webhook-id": event_id}
    now = datetime.now(UTC)
    signed = Webhook(receiver.secret.get_secret_value()).sign(event_id, now, body)
    return {"webhook-id": event_id, "webhook-timestamp": str(int(now.timestamp())), "webhook-signature": signed}


async def _posted(receiver: Receiver, body: str, headers: dict[str, str], limits: Limits) -> tuple[int, str]:
    """The status, and the first words of the answer. A connection for each delivery, which no other waits for."""
    connector = aiohttp.TCPConnector(resolver=PublicResolver(limits.private), ssl=limits.tls, force_close=True)
    async with (
        aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            max_line_size=LONGEST_HEADER,
            max_field_size=LONGEST_HEADER,
            auto_decompress=False,
        ) as session,
        session.post(receiver.address, data=body.encode(), headers=headers, allow_redirects=False) as answer,
    ):
        # Of a success nothing more is read: a body that never ends would make it a failure.
        words = "" if answer.ok else (await answer.content.read(LONGEST_ANSWER)).decode("utf-8", "replace")
        return answer.status, " ".join("".join(each if each.isprintable() else " " for each in words).split())[:200]
