"""The FHIR store: plan versions and the routes to them. Aidbox, HAPI or any other FHIR R4 server.

Resources pass through as the bytes the store sent, exact to the digit; they are parsed only by who reads inside.
Version ids are opaque. What differs between stores stays in here (409 and 412 are both `Stale`). Lists can be read
without resources (`whole=False`): the store is asked for the elements of a header alone.
"""

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Literal, TypeVar
from urllib.parse import parse_qsl, urlsplit

import httpx
import msgspec

from api.errors import Garbled, Stale, Unfit, UpstreamFailed
from api.upstreams.calling import Upstream
from api.upstreams.kept_versions import KeptVersions
from api.upstreams.plan_version import PlanKey, PlanVersion, Tag

CHUNK = 100  # ids in one search, entries in one batch: what Aidbox advises, and no second page on HAPI
NO_VERSION = "0"  # one that no plan has: HAPI takes a write on it only where there is none yet
STALE = (409, 412)
SMALLEST_PAGE = 10  # entries; no store is known to cut its pages shorter
HEADER = "id,meta,name,status"  # for `_elements`
Answer = TypeVar("Answer")
Item = TypeVar("Item")

_FHIR_JSON = {"Accept": "application/fhir+json"}
_SENT_FHIR_JSON = {**_FHIR_JSON, "Content-Type": "application/fhir+json"}
_ID = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9.-]{1,64}")  # `.` and `..` are ways in a URL


class _Meta(msgspec.Struct, frozen=True, rename="camel"):
    version_id: str
    last_updated: datetime
    tag: tuple[Tag, ...] = ()


class _Header(msgspec.Struct, frozen=True):
    id: str
    meta: _Meta
    name: str | None = None
    status: str | None = None


_NOTHING = msgspec.Raw(b"")


class _EntryAnswer(msgspec.Struct, frozen=True):
    status: str = ""


class _Entry(msgspec.Struct, frozen=True):
    resource: msgspec.Raw = _NOTHING
    response: _EntryAnswer | None = None

    @property
    def plan(self) -> msgspec.Raw | None:
        """The resource, if there is one and the entry did not fail."""
        succeeded = self.response is None or self.response.status.startswith("2")
        return self.resource if succeeded and self.resource != _NOTHING else None


class _Link(msgspec.Struct, frozen=True):
    relation: str
    url: str


class _Bundle(msgspec.Struct, frozen=True, rename="camel"):
    resource_type: Literal["Bundle"]
    entry: tuple[_Entry, ...] = ()
    link: tuple[_Link, ...] = ()


class _HeaderEntry(msgspec.Struct, frozen=True):
    resource: _Header | None = None


class _Headers(msgspec.Struct, frozen=True, rename="camel"):
    """A page of a search that asked for headers alone: read in one go."""

    resource_type: Literal["Bundle"]
    entry: tuple[_HeaderEntry, ...] = ()
    link: tuple[_Link, ...] = ()


class _Kind(msgspec.Struct, frozen=True, rename="camel"):
    resource_type: str = ""


class _Issue(msgspec.Struct, frozen=True):
    severity: str = ""
    diagnostics: str | None = None
    details: dict[str, object] | None = None


class _NotFound(msgspec.Struct, frozen=True, rename="camel"):
    resource_type: Literal["OperationOutcome"]


class _Outcome(msgspec.Struct, frozen=True):
    issue: tuple[_Issue, ...] = ()


class _Statement(msgspec.Struct, frozen=True, rename="camel"):
    fhir_version: str


class Aidbox:
    """The store's routes over one connection pool. Every method raises UpstreamFailed when it can not be asked."""

    def __init__(self, store: Upstream, kept: KeptVersions) -> None:
        self.store = store
        self.kept = kept
        self._longest_page = SMALLEST_PAGE

    async def plan(self, plan_id: str) -> PlanVersion | None:
        """The plan as it is now; None when it is deleted or never was."""
        if not _ID.fullmatch(plan_id):
            return None
        response = await self.store.call(
            "GET", f"/InsurancePlan/{plan_id}", answers=(200, 404, 410), headers=_FHIR_JSON, again=True
        )
        if response.status_code == 200:
            return self._version(msgspec.Raw(response.content))
        if response.status_code == 404:
            # The store says so in FHIR; a gateway that finds no way to it says 404 as well.
            self.store.decode(response, _NotFound)
        return None

    async def plans_by_id(self, plan_ids: Sequence[str], *, whole: bool = True) -> dict[str, PlanVersion]:
        """Plans as they are now, by id; one search a hundred ids, side by side."""
        wanted = [plan_id for plan_id in plan_ids if _ID.fullmatch(plan_id)]
        found = await asyncio.gather(*(self._search(chunk, whole=whole) for chunk in chunks(wanted)))
        return {plan.id: plan for page in found for plan in page}

    async def _search(self, plan_ids: Sequence[str], *, whole: bool) -> list[PlanVersion]:
        """Plans by id.

        HAPI answers from a search of the last minute unless told otherwise, and with `no-cache` it makes one that
        it stores and pages through, in ten times the time. `no-store` does neither, but cuts the list silently where
        a page is full; so what is missing from a page that may have been full is asked for again.
        """
        found = await self._searched(plan_ids, "no-store", whole=whole)
        missing = list({*plan_ids} - {plan.id for plan in found})
        may_be_cut = len(found) >= self._longest_page
        self._longest_page = max(self._longest_page, len(found))
        if missing and may_be_cut:
            found += await self._searched(missing, "no-cache", whole=whole)
        return found

    async def _searched(self, plan_ids: Sequence[str], caching: str, *, whole: bool) -> list[PlanVersion]:
        form = {"_id": ",".join(plan_ids), "_count": str(len(plan_ids))} | ({} if whole else {"_elements": HEADER})
        headers = {**_FHIR_JSON, "Cache-Control": caching}
        response = await self.store.call("POST", "/InsurancePlan/_search", form=form, headers=headers, again=True)
        found: list[PlanVersion] = []
        while True:
            versions, following = self._page(response, whole=whole)
            found += versions
            if following is None:
                return found
            response = await self._following(following)

    def _page(self, response: httpx.Response, *, whole: bool) -> tuple[list[PlanVersion], str | None]:
        """The versions of a page, and the link to the next one."""
        if whole:
            bundle = self.store.decode(response, _Bundle)
            return [self._version(entry.plan) for entry in bundle.entry if entry.plan is not None], _next(bundle.link)
        headers = self.store.decode(response, _Headers)
        versions = [_headed(entry.resource, None) for entry in headers.entry if entry.resource is not None]
        return versions, _next(headers.link)

    async def _following(self, link: str) -> httpx.Response:
        """A further page. The link's host is the store's own idea of itself, so only its query is taken."""
        parts = urlsplit(link)
        path = "/InsurancePlan" if parts.path.endswith("/InsurancePlan") else ""
        return await self.store.call("GET", path, params=dict(parse_qsl(parts.query)), headers=_FHIR_JSON, again=True)

    async def versions_by_key(self, keys: Sequence[PlanKey], *, whole: bool = True) -> dict[PlanKey, PlanVersion]:
        """Given versions, by (id, version id): those that are kept, and one batch a hundred of the others."""
        wanted = [key for key in keys if all(_ID.fullmatch(part) for part in key)]
        found = self.kept.find(wanted, whole=whole)
        urls = [_version_url(*key, whole=whole) for key in wanted if key not in found]
        for entry in await self._batch(urls):
            if entry.plan is not None:
                version = self._version(entry.plan, whole=whole)
                found[version.id, version.version_id] = version
                self.kept.keep(version)
        return found

    async def histories_by_key(
        self, keys: Sequence[tuple[str, int]], *, whole: bool = True
    ) -> dict[tuple[str, int], list[PlanVersion]]:
        """By (id, how many at most): the plan's versions, newest first; deletions are left out."""
        wanted = [key for key in keys if _ID.fullmatch(key[0])]
        entries = await self._batch([_history_url(plan_id, limit, whole=whole) for plan_id, limit in wanted])
        return {key: self._history(entry, whole=whole)[: key[1]] for key, entry in zip(wanted, entries, strict=True)}

    def _history(self, answer: _Entry, *, whole: bool) -> list[PlanVersion]:
        if answer.plan is None:
            return []
        bundle = self._decoded(answer.plan, _Bundle)
        held = (entry.plan for entry in bundle.entry if entry.plan is not None)
        return [self._version(resource, whole=whole) for resource in held if self._is_plan(resource)]

    def _is_plan(self, resource: msgspec.Raw) -> bool:
        return self._decoded(resource, _Kind).resource_type == "InsurancePlan"

    async def _batch(self, urls: Sequence[str]) -> list[_Entry]:
        answers = await asyncio.gather(*(self._batch_once(chunk) for chunk in chunks(urls)))
        return [entry for answer in answers for entry in answer]

    async def _batch_once(self, urls: Sequence[str]) -> tuple[_Entry, ...]:
        entries = [{"request": {"method": "GET", "url": url}} for url in urls]
        bundle = {"resourceType": "Bundle", "type": "batch", "entry": entries}
        response = await self.store.call("POST", "", body=bundle, headers=_SENT_FHIR_JSON, again=True)
        answered = self.store.decode(response, _Bundle).entry
        if len(answered) != len(urls):
            raise Garbled("aidbox", f"aidbox answered {len(answered)} of {len(urls)} entries of a batch")
        return answered

    async def put(self, plan_id: str, resource: Mapping[str, object], *, base_version: str | None) -> PlanVersion:
        """Write a plan: as the successor of `base_version`, or as a new one with None.

        Raises Stale (the store has moved on, or two writes met: read again), Unfit (with the store's words).
        """
        response = await self._put(plan_id, resource, {"If-Match": f'W/"{base_version or NO_VERSION}"'})
        if base_version is None and response.status_code in STALE and await self.plan(plan_id) is None:
            # deleted once, or a store that takes no condition where nothing is
            response = await self._put(plan_id, resource, {})
        if response.status_code in STALE:
            raise Stale("aidbox", self._words(response), status=response.status_code)
        if response.status_code >= 400:
            raise self._refusal(response)
        return self._version(msgspec.Raw(response.content))

    async def _put(self, plan_id: str, resource: Mapping[str, object], condition: Mapping[str, str]) -> httpx.Response:
        return await self.store.call(
            "PUT",
            f"/InsurancePlan/{plan_id}",
            body=resource,
            headers={**_SENT_FHIR_JSON, **condition},
            answers=(200, 201, 400, 404, 422, 413, *STALE),
        )

    async def fhir_version(self) -> str:
        """The store's FHIR version by its capability statement; slow, for `check` alone."""
        response = await self.store.call("GET", "/metadata", headers=_FHIR_JSON, deadline=60, again=True)
        return self.store.decode(response, _Statement).fhir_version

    async def ping(self) -> None:
        """A sign of life: a cheap read of a plan that is not there."""
        await self.plan("plan-api-is-there-anybody")

    def _version(self, resource: msgspec.Raw, *, whole: bool = True) -> PlanVersion:
        return _headed(self._decoded(resource, _Header), resource if whole else None)

    def _decoded(self, raw: msgspec.Raw, kind: type[Answer]) -> Answer:
        return self.store.read(raw, kind)

    def _refusal(self, response: httpx.Response) -> UpstreamFailed:
        """Unfit by the store's own word, which is JSON. What stands before it says such things too, about a request."""
        kind = Unfit if response.content.lstrip()[:1] == b"{" else UpstreamFailed
        return kind("aidbox", self._words(response), status=response.status_code)

    def _words(self, response: httpx.Response) -> str:
        """What an OperationOutcome says, read softly: gateways answer in HTML."""
        try:
            outcome = msgspec.json.decode(response.content, type=_Outcome)
        except msgspec.DecodeError:
            return f"aidbox answered with status {response.status_code}"
        said = (issue.diagnostics or str((issue.details or {}).get("text", "")) for issue in outcome.issue)
        return "; ".join(text for text in said if text) or f"aidbox answered with status {response.status_code}"


def _headed(header: _Header, document: msgspec.Raw | None) -> PlanVersion:
    meta = header.meta
    return PlanVersion(header.id, meta.version_id, meta.last_updated, header.name, header.status, meta.tag, document)


def _next(links: Iterable[_Link]) -> str | None:
    return next((link.url for link in links if link.relation == "next"), None)


def _version_url(plan_id: str, version_id: str, *, whole: bool) -> str:
    return f"InsurancePlan/{plan_id}/_history/{version_id}" + ("" if whole else f"?_elements={HEADER}")


def _history_url(plan_id: str, limit: int, *, whole: bool) -> str:
    """Without `_since`, HAPI counts versions once a minute and leaves out those that came since then."""
    everything = f"InsurancePlan/{plan_id}/_history?_count={limit}&_since=1970-01-01T00:00:00Z"
    return everything if whole else f"{everything}&_elements={HEADER}"


def chunks(items: Sequence[Item]) -> Iterable[Sequence[Item]]:
    """The items in pieces no longer than CHUNK."""
    return (items[start : start + CHUNK] for start in range(0, len(items), CHUNK))
