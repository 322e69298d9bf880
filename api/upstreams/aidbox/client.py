"""The client of the FHIR store: plan versions and the routes to them. Aidbox, HAPI or any other FHIR R4 server.

Resources pass through as the bytes the store sent, exact to the digit; they are parsed only by who reads inside.
Version ids are opaque. What differs between stores stays in here (409 and 412 are both `Stale`). Lists can be read
without resources (`with_document=False`): the store is asked for the elements of a header alone.
"""

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Literal, TypeVar

import httpx
import msgspec

from api.errors import Unfit, UpstreamFailed
from api.upstreams.aidbox.plan_header import Header, Headers
from api.upstreams.aidbox.records import PlanKey, PlanVersion
from fhir_answers import operation_outcome
from fhir_answers.bundle import Bundle, Outcome, next_link
from fhir_answers.provenance import Provenance
from fhir_answers.urls import history_url, url_at, version_url
from fhir_client.server import (
    CHUNK,
    FHIR_JSON,
    NO_VERSION,
    SENT_FHIR_JSON,
    STALE,
    SUCCEEDED,
    FhirServer,
    Page,
    Resource,
    chunks,
)
from fhir_client.version_cache import VersionCache
from resilience.http.call import Upstream

PLAN, HEADER = "InsurancePlan/", "id,meta,name,status"  # of addresses; for `_elements`
SMALLEST_PAGE = 10  # entries; no store is known to cut its pages shorter
Answer = TypeVar("Answer")
Item = TypeVar("Item")
Key = TypeVar("Key")
Found = TypeVar("Found", PlanVersion, Provenance)

_ID = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9.-]{1,64}")  # FHIR's rule; `.` and `..` are ways in a URL
_PLAN_OR_OUTCOME: Any = Header | Outcome


class _Kind(msgspec.Struct, frozen=True, rename="camel"):
    resource_type: str = ""


class _NotFound(msgspec.Struct, frozen=True, rename="camel"):
    resource_type: Literal["OperationOutcome"]


class Aidbox:
    """The store's routes. Every method raises UpstreamFailed when the store can not be asked."""

    def __init__(self, store: Upstream, versions: VersionCache[PlanVersion], *, has_provenance: bool = True) -> None:
        """`has_provenance`: whether Provenance is written and read; if not, there seems to be none."""
        self.store = store
        self.fhir = FhirServer(store)
        self.has_provenance = has_provenance
        self.cached = versions
        self._longest_page = SMALLEST_PAGE

    async def plan(self, plan_id: str) -> PlanVersion | None:
        """The plan as it is now; None when it is deleted or never was."""
        if not _ID.fullmatch(plan_id):
            return None
        response = await self.store.call(
            "GET", f"/InsurancePlan/{plan_id}", answers=(200, 404, 410), headers=FHIR_JSON, idempotent=True
        )
        if response.status_code == 200:
            return self._version(msgspec.Raw(response.content))
        if response.status_code == 404:
            # The store says so in FHIR; a gateway that finds no way to it says 404 as well.
            self.store.decode(response, _NotFound)
        return None

    async def plans_by_id(self, plan_ids: Sequence[str], *, with_document: bool = True) -> dict[str, PlanVersion]:
        """Plans as they are now, by id; one search a hundred ids, side by side."""
        wanted = [plan_id for plan_id in plan_ids if _ID.fullmatch(plan_id)]
        found = await asyncio.gather(*(self._search(chunk, with_document=with_document) for chunk in chunks(wanted)))
        return {plan.id: plan for page in found for plan in page}

    async def _search(self, plan_ids: Sequence[str], *, with_document: bool) -> list[PlanVersion]:
        """Plans by id.

        HAPI answers from a search of the last minute unless told otherwise, and with `no-cache` it makes one that
        it stores and pages through, in ten times the time. `no-store` does neither, but cuts the list silently where
        a page is full; so what is missing from a page that may have been full is asked for again.
        """
        found = await self._searched(plan_ids, "no-store", with_document=with_document)
        missing = list({*plan_ids} - {plan.id for plan in found})
        may_be_cut = len(found) >= self._longest_page
        self._longest_page = max(self._longest_page, len(found))
        if missing and may_be_cut:
            found += await self._searched(missing, "no-cache", with_document=with_document)
        return found

    async def _searched(self, plan_ids: Sequence[str], caching: str, *, with_document: bool) -> list[PlanVersion]:
        form = {"_id": ",".join(plan_ids), "_count": str(len(plan_ids))} | (
            {} if with_document else {"_elements": HEADER}
        )
        read = partial(self._page, with_document=with_document)
        return await self.fhir.searched("InsurancePlan", form, read, caching=caching)

    def _page(self, response: httpx.Response, *, with_document: bool) -> Page[PlanVersion]:
        if with_document:
            bundle = self.store.decode(response, Bundle)
            return self._plans_in(bundle, with_document=True), next_link(bundle.link)
        headers = self.store.decode(response, Headers)
        return [header.version(None) for header in headers.held()], next_link(headers.link)

    async def version(self, plan_id: str, version_id: str) -> PlanVersion | None:
        """A version of a plan; None when the store has no such version (any longer)."""
        key = (plan_id, version_id)
        return _demanded((await self.versions_by_key([key])).get(key))

    async def versions_by_key(
        self, keys: Sequence[PlanKey], *, with_document: bool = True
    ) -> dict[PlanKey, PlanVersion | UpstreamFailed]:
        """Given versions, by (id, version id): cached ones, and one batch a hundred of the others.

        A version that the store refuses to tell is the failure it would be if it had been asked for alone.
        """
        wanted = [key for key in keys if all(_ID.fullmatch(part) for part in key)]
        cached = self.cached.find(wanted, with_document=with_document)
        found: dict[PlanKey, PlanVersion | UpstreamFailed] = {**cached}
        missing = [key for key in wanted if key not in cached]
        answers = await self.fhir.batch(
            [version_url(PLAN + key[0], key[1], None if with_document else HEADER) for key in missing]
        )
        for key, answer in zip(missing, answers, strict=True):
            plans = self._read(answer, lambda resource: [self._version(resource, with_document=with_document)])
            if isinstance(plans, UpstreamFailed):
                found[key] = plans
                continue
            for plan in plans:
                self.fhir.demand_order(key, (plan.id, plan.version_id))
                self.cached.store(plan)
                found[key] = plan
        return found

    async def history(self, plan_id: str, limit: int) -> list[PlanVersion]:
        """A plan's versions, newest first, so many at most; deletions are left out."""
        key = (plan_id, limit)
        return _demanded((await self.histories_by_key([key])).get(key)) or []

    async def histories_by_key(
        self, keys: Sequence[tuple[str, int]], *, with_document: bool = True
    ) -> dict[tuple[str, int], list[PlanVersion] | UpstreamFailed]:
        """By (id, how many at most): the plan's versions, newest first; deletions are left out.

        A history that the store refuses to tell is the failure it would be if it had been asked for alone.
        """
        elements = None if with_document else HEADER
        urls = {key: history_url(PLAN + key[0], key[1], elements) for key in keys if _ID.fullmatch(key[0])}
        found = await self._resources(
            urls, lambda page: self._plans_in(self._decoded(page, Bundle), with_document=with_document)
        )
        return {key: each[: key[1]] if isinstance(each, list) else each for key, each in found.items()}

    async def versions_at(
        self, keys: Sequence[tuple[str, datetime]], *, with_document: bool = True
    ) -> dict[tuple[str, datetime], PlanVersion | UpstreamFailed]:
        """By (id, instant): the version that was current then; absent where there was none, or it was deleted."""
        elements = None if with_document else HEADER
        urls = {key: url_at(PLAN + key[0], key[1], elements) for key in keys if _ID.fullmatch(key[0])}
        return _firsts(await self._resources(urls, lambda page: self._newest_in(page, with_document=with_document)))

    def _newest_in(self, page: msgspec.Raw, *, with_document: bool) -> list[PlanVersion]:
        """The newest version of a history; none where that is a deletion."""
        bundle = self._decoded(page, Bundle)
        return self._plans_in(msgspec.structs.replace(bundle, entry=bundle.entry[:1]), with_document=with_document)

    async def provenances_by_id(self, ids: Sequence[str]) -> dict[str, Provenance | UpstreamFailed]:
        """Provenance resources by id: one batch a hundred."""
        urls = {each: f"Provenance/{each}" for each in ids} if self.has_provenance else {}
        return _firsts(await self._resources(urls, lambda resource: [self._decoded(resource, Provenance)]))

    async def _resources(
        self, urls: Mapping[Key, str], read: Callable[[msgspec.Raw], list[Found]]
    ) -> dict[Key, list[Found] | UpstreamFailed]:
        """What a batch has at each URL, `Type/id…`; a failure where the store does not say."""
        answers = await self.fhir.batch(list(urls.values()))
        found = {key: self._read(answer, read) for key, answer in zip(urls, answers, strict=True)}
        for key, resources in found.items():
            for resource in resources if isinstance(resources, list) else ():
                self.fhir.demand_order(urls[key].split("/")[1], resource.id)
        return found

    async def provenances_by_tag(self, system: str, codes: Sequence[str]) -> list[Provenance]:
        """All Provenance resources that have one of these tags: one search a hundred."""
        asked = list(chunks(codes)) if self.has_provenance else []
        pages = await asyncio.gather(*(self._provenances(f"{system}|", chunk) for chunk in asked))
        return [provenance for page in pages for provenance in page]

    async def _provenances(self, system: str, codes: Sequence[str]) -> list[Provenance]:
        form = {"_tag": ",".join(system + code for code in codes), "_count": str(CHUNK)}
        return await self.fhir.searched("Provenance", form, self._provenances_in, caching="no-cache")  # see `_search`

    def _provenances_in(self, response: httpx.Response) -> Page[Provenance]:
        bundle = self.store.decode(response, Bundle)
        return [self._decoded(resource, Provenance) for resource in bundle.held()], next_link(bundle.link)

    def _read(
        self, answer: msgspec.Raw | UpstreamFailed | None, read: Callable[[msgspec.Raw], list[Item]]
    ) -> list[Item] | UpstreamFailed:
        """What an answer of a batch has, none where the store has nothing; else why that is not known."""
        if not isinstance(answer, msgspec.Raw):
            return answer or []
        try:
            return read(answer)
        except UpstreamFailed as failure:
            return failure

    def _plans_in(self, bundle: Bundle, *, with_document: bool) -> list[PlanVersion]:
        """The plans of a search or a history. What a store says beside them is left out; nothing else may be there."""
        read = ((self._decoded(resource, _PLAN_OR_OUTCOME), resource) for resource in bundle.held())
        return [
            plan.version(resource if with_document else None) for plan, resource in read if isinstance(plan, Header)
        ]

    async def put(self, plan_id: str, resource: Resource, *, base_version: str | None) -> PlanVersion:
        """Write a plan: as the successor of `base_version`, or as a new one with None.

        What comes back is what the store has now, which may be less than was sent. Raises Stale (the store has moved
        on, or two writes met: read again), Unfit (with the store's words).
        """
        if not _ID.fullmatch(plan_id):
            raise Unfit("aidbox", f"{plan_id!r} can not be a plan's id: FHIR allows 1 to 64 letters, digits, - and .")
        response = await self._put(plan_id, resource, {"If-Match": f'W/"{base_version or NO_VERSION}"'})
        if base_version is None and response.status_code in STALE and await self.plan(plan_id) is None:
            # deleted once, or a store that takes no condition where nothing is
            response = await self._create(plan_id, resource, refusal=response)
        self.fhir.demand_written(response)
        return await self._written(plan_id, response)

    async def put_provenance(self, provenance: Provenance) -> None:
        """Write a Provenance, unless there is one of its id: that is never replaced. Raises Stale, Unfit."""
        path, resource = f"/Provenance/{provenance.id}", msgspec.Raw(msgspec.json.encode(provenance))
        # without condition for stores that take none where nothing is, repeated since writes may meet
        for condition in ({"If-Match": f'W/"{NO_VERSION}"'}, {}, {}, {}):
            response = await self.fhir.write(path, resource, condition, further=[403])
            if response.status_code not in STALE:
                break
            found = await self.store.call("GET", path, answers=(200, 404, 410), headers=FHIR_JSON, idempotent=True)
            if found.status_code == 200:
                return
        self.fhir.demand_written(
            response, f"The plan is stored, but not who approved it: the store refuses {path[1:]}. "
        )

    async def _create(self, plan_id: str, resource: Resource, *, refusal: httpx.Response) -> httpx.Response:
        """Write a plan where nothing is; in Aidbox so that what somebody else writes meanwhile is not replaced.

        Aidbox keeps the id of a POST, and refuses one that is taken with 409 (api/rest-api/crud/create.md). Other
        stores give a POST an id of their own, so it is sent only to who refuses as Aidbox does: 412, the outcome's id
        `conflict`. Where no policy allows FhirCreate, and in other stores, the write is a PUT without condition.
        """
        if refusal.status_code == 412 and operation_outcome.identifier(refusal.content) == "conflict":
            created = await self.fhir.write("/InsurancePlan", resource, {}, method="POST", further=[403])
            if created.status_code != 403:
                return created
        return await self._put(plan_id, resource, {})

    async def _put(self, plan_id: str, resource: Resource, condition: Mapping[str, str]) -> httpx.Response:
        return await self.fhir.write(f"/InsurancePlan/{plan_id}", resource, condition)

    async def _written(self, plan_id: str, response: httpx.Response) -> PlanVersion:
        """The version that a write made; read, where the store answers with nothing or only says that all is well."""
        body = msgspec.Raw(response.content)
        if response.content and self._decoded(body, _Kind).resource_type != "OperationOutcome":
            return self._version(body)
        version_id = response.headers.get("ETag", "").removeprefix("W/").strip('"')
        found = await (self.version(plan_id, version_id) if _ID.fullmatch(version_id) else self.plan(plan_id))
        if found is None:
            raise self.store.refusal(SUCCEEDED, f"PUT /InsurancePlan/{plan_id}", "written, and not there")
        return found

    async def validate(self, resource: bytes, *, profile: str | None) -> list[operation_outcome.Issue]:
        """What the store finds wrong with a plan (FHIR's operation $validate); nothing is written.

        HAPI answers 200 for good and bad and 400 for what it cannot parse; Aidbox always answers 200.
        """
        response = await self.store.call(
            "POST",
            "/InsurancePlan/$validate",
            body=msgspec.Raw(resource),
            params={"profile": profile} if profile else None,
            headers=SENT_FHIR_JSON,
            answers=(200, 400, 412, 422),
            idempotent=True,
        )
        return operation_outcome.issues(response.content)

    async def ping(self) -> None:
        """A health check: a cheap read of a plan that is not there."""
        await self.plan("plan-api-is-there-anybody")

    def _version(self, resource: msgspec.Raw, *, with_document: bool = True) -> PlanVersion:
        return self._decoded(resource, Header).version(resource if with_document else None)

    def _decoded(self, raw: msgspec.Raw, kind: type[Answer]) -> Answer:
        return self.store.read(raw, kind)


def _demanded(found: Item | UpstreamFailed | None) -> Item | None:
    """The result of one entry. Raises its failure where it could not be read."""
    if isinstance(found, UpstreamFailed):
        raise found
    return found


def _firsts(found: Mapping[Key, list[Item] | UpstreamFailed]) -> dict[Key, Item | UpstreamFailed]:
    """The first of each, where there is one."""
    return {key: each if isinstance(each, UpstreamFailed) else each[0] for key, each in found.items() if each}
