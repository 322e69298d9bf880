"""A FHIR R4 server: Aidbox, HAPI or any other. What differs between servers stays in here.

Resources pass through as the bytes the server sent, exact to the digit; they are parsed only by who reads inside.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TypeVar
from urllib.parse import parse_qsl, urlsplit

import httpx
import msgspec

from fhir_answers import operation_outcome
from fhir_answers.bundle import Bundle, Entry
from resilience.failures import Stale, Unfit, UpstreamFailed
from resilience.http.call import Upstream

BATCH = "POST / (an entry of a batch)"  # in the log
CHUNK = 100  # ids in one search, entries in one batch: what Aidbox advises, and no second page on HAPI
NO_VERSION = "0"  # one that no resource has: HAPI takes a write on it only where there is none yet
STALE = (409, 412)
SUCCEEDED = 200
WRITE_ANSWERS = frozenset({200, 201, 204, 400, 404, 413, 422, *STALE})
FHIR_JSON = {"Accept": "application/fhir+json"}
SENT_FHIR_JSON = {**FHIR_JSON, "Content-Type": "application/fhir+json"}

Item = TypeVar("Item")
Resource = Mapping[str, object] | msgspec.Raw
Page = tuple[list[Item], str | None]
"""The items of a page, and the link to the next one."""


class FhirServer:
    """The interactions of FHIR's REST API. Every method raises UpstreamFailed when the server can not be asked."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    async def searched(
        self, kind: str, form: Mapping[str, str], read: Callable[[httpx.Response], Page[Item]], *, caching: str
    ) -> list[Item]:
        """What a search finds, page by page. `caching`: HAPI answers from a search of the last minute without it."""
        headers = {**FHIR_JSON, "Cache-Control": caching}
        path = f"/{kind}"
        response = await self._upstream.call(
            "POST", f"{path}/_search", form=dict(form), headers=headers, idempotent=True
        )
        found: list[Item] = []
        while True:
            items, following = read(response)
            found += items
            if following is None:
                return found
            response = await self._following(following, path)

    async def _following(self, link: str, kind: str) -> httpx.Response:
        """A further page. The link's host is the server's own idea of itself, so only its query is taken."""
        parts = urlsplit(link)
        path = kind if parts.path.endswith(kind) else ""
        return await self._upstream.call(
            "GET", path, params=dict(parse_qsl(parts.query)), headers=FHIR_JSON, idempotent=True
        )

    async def batch(self, urls: Sequence[str]) -> list[msgspec.Raw | UpstreamFailed | None]:
        """What the server has at each of the URLs, a request a hundred: None where it has nothing, a failure where it
        does not say.
        """
        answers = await asyncio.gather(*(self._batch(chunk) for chunk in chunks(urls)))
        return [entry for answer in answers for entry in answer]

    async def _batch(self, urls: Sequence[str]) -> list[msgspec.Raw | UpstreamFailed | None]:
        entries = [{"request": {"method": "GET", "url": url}} for url in urls]
        bundle = {"resourceType": "Bundle", "type": "batch", "entry": entries}
        response = await self._upstream.call("POST", "", body=bundle, headers=SENT_FHIR_JSON, idempotent=True)
        answered = self._upstream.decode(response, Bundle).entry
        if len(answered) != len(urls):
            raise self._upstream.refusal(SUCCEEDED, BATCH, f"{len(answered)} entries for {len(urls)}")
        failures: dict[int, UpstreamFailed] = {}
        return [self._answer(entry, failures) for entry in answered]

    def _answer(self, entry: Entry, failures: dict[int, UpstreamFailed]) -> msgspec.Raw | UpstreamFailed | None:
        """One entry of a batch, as if it had been asked for alone. Failures of one status are one, and logged once."""
        status = entry.result
        if status in (404, 410):
            return None
        if 200 <= status < 300 and entry.has_resource:
            return entry.resource
        if status not in failures:
            failures[status] = self._upstream.refusal(status, BATCH, operation_outcome.words(entry.outcome))
        return failures[status]

    def demand_order(self, asked: object, answered: object) -> None:
        """Raises Garbled where an entry is not about what was asked at its place: then no entry can be relied on."""
        if asked != answered:
            raise self._upstream.refusal(SUCCEEDED, BATCH, f"{answered} in place of {asked}")

    async def write(
        self,
        path: str,
        resource: Resource,
        condition: Mapping[str, str],
        *,
        method: str = "PUT",
        further: Collection[int] = (),
    ) -> httpx.Response:
        """A write on a condition, as headers say it; the server's answer, a refusal as well. Sent once.

        `further`: statuses that are answers, beside WRITE_ANSWERS.
        """
        headers = {**SENT_FHIR_JSON, "Prefer": "return=representation", **condition}
        answers = WRITE_ANSWERS | set(further)
        return await self._upstream.call(method, path, body=resource, headers=headers, answers=answers)

    def demand_written(self, response: httpx.Response, said: str = "") -> None:
        """Raises Stale (another write was first, or two met: read again), and Unfit; `said` before the server's words.

        Unfit is the server's own word, which is JSON. What stands before it says such things too, about a request.
        """
        words = f"{said}{self._words(response)}"
        if response.status_code in STALE:
            raise Stale(self._upstream.name, self._words(response), status=response.status_code)
        if response.status_code >= 400:
            kind = Unfit if response.content.lstrip()[:1] == b"{" else UpstreamFailed
            raise kind(self._upstream.name, words, status=response.status_code)

    def _words(self, response: httpx.Response) -> str:
        words = operation_outcome.words(response.content)
        return words or f"{self._upstream.name} answered with status {response.status_code}"


def chunks(items: Sequence[Item]) -> Iterable[Sequence[Item]]:
    """The items in lists of at most CHUNK."""
    return (items[start : start + CHUNK] for start in range(0, len(items), CHUNK))
