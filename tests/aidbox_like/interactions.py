"""The interactions with resources as Aidbox documents them: `Interactions`, over HAPI's own."""

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import Any, cast
from urllib.parse import urlencode

from tests.aidbox_like.hapi import LONGEST_PAGE, NOTHING_YET, Current, Hapi, Said, version_of
from tests.aidbox_like.outcomes import (
    SERIALIZATION_FAILURE,
    VERSION_MISMATCH,
    Problem,
    Resource,
    failed,
    invalid,
    validated,
)
from tests.aidbox_like.switches import Switches
from tests.aidbox_like.transaction_ids import TransactionIds
from tests.aidbox_like.validation import problem_by_hapi, problems_by_validator, problems_of

CREATED_AT = "https://fhir.aidbox.app/fhir/StructureDefinition/created-at"
USUAL_PAGE = 100  # entries
ANY_VERSION = "*"


@dataclass(frozen=True)
class Answer:
    """Status, body and headers."""

    status: int
    body: Resource | None
    headers: Mapping[str, str] = field(default_factory=dict)


def failure(status: int, words: str, *, code: str | None = None) -> Answer:
    """The answer to a request that failed as a whole."""
    return Answer(status, failed(status, words, code=code))


@dataclass
class Interactions:
    """One store. `ids` may be shared by several before one HAPI; `created` is when resources came about, by address."""

    hapi: Hapi
    switches: Switches
    ids: TransactionIds
    created: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._random = Random(self.switches.seed)  # noqa: S311  # which writes clash

    def clash(self) -> Answer | None:
        """The refusal of a write that met another one, of so many as the switches say."""
        if self._random.random() < self.switches.clashes:
            return failure(412, SERIALIZATION_FAILURE)
        return None

    async def read(self, address: str) -> Answer:
        """GET Type/id."""
        current = await self._current(address)
        if current is None:
            return _not_found(address)
        if current.resource is None:
            return failure(410, f"Resource {address} was deleted")
        return await self._answered(200, address, current.resource)

    async def vread(self, address: str, transaction_id: str) -> Answer:
        """GET Type/id/_history/vid."""
        await self._current(address)
        version = self.ids.version(address, transaction_id)
        if version is None:
            return _not_found(f"{address}/_history/{transaction_id}")
        said = await self.hapi.version(address, version)
        if said.status == 410:
            return failure(410, f"Resource {address} was deleted")
        return await self._answered(200, address, said.resource)

    async def history(self, address: str, params: Mapping[str, str]) -> Answer:
        """GET Type/id/_history: an empty one for what never was, as the documented query has it."""
        if not self.switches.has_history:
            kind = address.partition("/")[0]
            return failure(422, f"History is disabled for resource type {kind}", code="not-supported")
        current = await self._current(address)
        if current is None:
            return Answer(200, {"resourceType": "Bundle", "type": "history", "total": 0, "entry": []})
        count, page = _page_of(params)
        asked = {"_count": str(count), "_offset": str(count * (page - 1))}
        asked |= {name: params[name] for name in ("_since",) if name in params}
        if "_at" in params:  # with a count HAPI finds nothing
            asked = {"_at": params["_at"]}
        entries = (await self.hapi.history(address, asked)).resource.get("entry", [])
        with_older = zip(entries, [*entries, None][1:], strict=True)
        told = [await self._past(address, entry, older) for entry, older in with_older]
        is_whole = current.version <= count * page
        links = self._links(f"{address}/_history", params, page, is_last=is_whole)
        total = {"total": current.version} if params.get("_since", "1970") < "1971" else {}
        return Answer(200, {"resourceType": "Bundle", "type": "history", **total, "entry": told, "link": links})

    async def _past(self, address: str, entry: Resource, older: Resource | None) -> Resource:
        """An entry of a history: a resource, a deletion's too, and the type alone in `request.url`."""
        method, version = entry["request"]["method"], int(entry["request"]["url"].rpartition("/")[2])
        request = {"method": method, "url": address.partition("/")[0]}
        if method != "DELETE":
            return {"resource": await self._known(address, entry["resource"]), "request": request}
        before = older["resource"] if older else (await self.hapi.version(address, version - 1)).resource
        return {"resource": await self._deleted(address, before, version), "request": request}

    async def _deleted(self, address: str, before: Resource, version: int) -> Resource:
        """What was deleted, with the version that the deletion is."""
        at = await self.hapi.deleted_at(address, version)
        meta = {**before["meta"], "versionId": str(version), "lastUpdated": at}
        return await self._known(address, {**before, "meta": meta})

    async def search(self, kind: str, params: Mapping[str, str]) -> Answer:
        """GET Type?… and POST Type/_search."""
        count, page = _page_of(params)
        asked = {name: value for name, value in params.items() if name not in ("_page", "_total")}
        asked |= {"_count": str(count), "_offset": str(count * (page - 1)), "_total": "accurate"}
        said = await self.hapi.search(kind, asked)
        if said.status >= 400:
            return _by_hapi(said)
        found = [entry["resource"] for entry in said.resource.get("entry", [])]
        entries = [
            {"resource": await self._known(f"{kind}/{each['id']}", each), "search": {"mode": "match"}} for each in found
        ]
        total = said.resource["total"]
        links = self._links(kind, params, page, is_last=total <= count * page)
        bundle = {"resourceType": "Bundle", "type": "searchset", "total": total, "entry": entries, "link": links}
        return Answer(200, bundle)

    async def create(self, kind: str, body: Resource) -> Answer:
        """POST Type: an id in the body is the resource's."""
        address = f"{kind}/{body.get('id') or uuid.uuid4()}"
        current = await self._current(address)
        if current is not None and current.resource is not None:
            return failure(409, f"Resource {address} already exists")
        answer = await self._write(address, body, current.version if current else NOTHING_YET)
        return failure(409, f"Resource {address} already exists") if answer.status == 412 else answer

    async def update(self, address: str, body: Resource, if_match: str | None) -> Answer:
        """PUT Type/id."""
        if if_match is None:
            return await self._write(address, body, None)
        current = await self._current(address)
        if current is None or current.resource is None:
            if if_match == ANY_VERSION or not self.switches.takes_if_match_where_nothing_is:
                return failure(412, VERSION_MISMATCH)
            return await self._write(address, body, current.version if current else NOTHING_YET)
        if if_match not in (ANY_VERSION, self.ids.of(address, current.version)):
            return failure(412, VERSION_MISMATCH)
        return await self._write(address, body, current.version)

    async def delete(self, address: str, if_match: str | None) -> Answer:
        """DELETE Type/id."""
        current = await self._current(address)
        if current is None or current.resource is None:
            return Answer(204, None)
        if if_match not in (None, ANY_VERSION, self.ids.of(address, current.version)):
            return failure(412, VERSION_MISMATCH)
        await self.hapi.delete(address)
        return Answer(200, await self._deleted(address, current.resource, current.version + 1))

    async def validate(self, kind: str, body: Resource) -> Answer:
        """POST Type/$validate: what is found without HAPI, else what its validator calls an error."""
        resource = {"resourceType": kind, **body}
        problems = problems_of(resource)
        if not problems:
            said = await self.hapi.validate(kind, resource)
            refused = [problem_by_hapi(said.words, resource)] if said.status == 400 else []
            problems = refused or problems_by_validator(said.resource)
        return Answer(200, validated(problems, self.switches.diagnostics))

    async def _write(self, address: str, body: Resource, after: int | None) -> Answer:
        """The next version of a resource; its id is that of the address, whatever the body says."""
        kind, _, resource_id = address.partition("/")
        resource = {"resourceType": kind, **body, "id": resource_id}
        if problems := problems_of(resource):
            return self._invalid(problems)
        sent = _without_created_at(resource if self.switches.keeps_digits else _as_doubles(resource))
        said = await self.hapi.put(address, sent, after)
        if said.status == 409:
            return failure(412, VERSION_MISMATCH if "HAPI-0989" in said.words else SERIALIZATION_FAILURE)
        if said.status in (400, 422):
            return self._invalid([problem_by_hapi(said.words, resource)])
        return await self._answered(said.status, address, said.resource) if said.status < 400 else _by_hapi(said)

    def _invalid(self, problems: list[Problem]) -> Answer:
        return Answer(422, invalid(problems, self.switches.diagnostics))

    async def _answered(self, status: int, address: str, resource: Resource) -> Answer:
        known = await self._known(address, resource)
        version = known["meta"]["versionId"]
        location = f"{self.switches.base_url}/{address}/_history/{version}"
        headers = {"ETag": version, "Last-Modified": known["meta"]["lastUpdated"]}
        return Answer(status, known, headers | ({"Location": location} if status == 201 else {}))

    async def _current(self, address: str) -> Current | None:
        """As HAPI has it; all its versions have their ids then."""
        current = await self.hapi.current(address)
        if current is not None:
            self.ids.of(address, current.version)
        return current

    async def _known(self, address: str, resource: Resource) -> Resource:
        """A resource of HAPI's with the `meta` that Aidbox gives it."""
        meta = {key: value for key, value in resource["meta"].items() if key != "source"}
        if source := resource["meta"].get("source", "").partition("#")[0]:
            meta["source"] = source
        version = version_of(resource)
        meta["versionId"] = self.ids.of(address, version)
        meta["lastUpdated"] = meta["lastUpdated"].replace("+00:00", "Z")
        created = await self._created_at(address, version, meta["lastUpdated"])
        meta["extension"] = [*meta.get("extension", []), {"url": CREATED_AT, "valueInstant": created}]
        return {**resource, "meta": meta}

    async def _created_at(self, address: str, version: int, updated: str) -> str:
        if address not in self.created:
            first = updated
            if version > 1:
                first = (await self.hapi.version(address, 1)).resource["meta"]["lastUpdated"]
            self.created[address] = first.replace("+00:00", "Z")
        return self.created[address]

    def _links(self, path: str, params: Mapping[str, str], page: int, *, is_last: bool) -> list[dict[str, str]]:
        """To pages by `_page`, at the host that BOX_WEB_BASE_URL names."""
        pages = {"first": 1, "self": page} | ({} if is_last else {"next": page + 1})
        pages |= {"previous": page - 1} if page > 1 else {}
        return [
            {"relation": relation, "url": f"{self.switches.base_url}/{path}?{urlencode({**params, '_page': number})}"}
            for relation, number in pages.items()
        ]


def _page_of(params: Mapping[str, str]) -> tuple[int, int]:
    """Entries of a page, and its number."""
    return min(int(params.get("_count", USUAL_PAGE)), LONGEST_PAGE), int(params.get("_page", 1))


def _not_found(address: str) -> Answer:
    return failure(404, f"Resource {address} not found")


def _by_hapi(said: Said) -> Answer:
    """A refusal that has no counterpart of its own."""
    return failure(said.status, re.sub(r"HAPI-\d+: ", "", said.words), code=None if said.status == 404 else "invalid")


def _without_created_at(resource: Resource) -> Resource:
    """Without what only the store says; other extensions of `meta` stay."""
    meta = cast("Resource", resource.get("meta") or {})
    others = [each for each in meta.get("extension", []) if each.get("url") != CREATED_AT]
    kept = {key: value for key, value in meta.items() if key != "extension"} | ({"extension": others} if others else {})
    return {**{key: value for key, value in resource.items() if key != "meta"}, **({"meta": kept} if kept else {})}


def _as_doubles(value: Any) -> Any:
    match value:
        case Decimal():
            return float(value)
        case dict():
            return {name: _as_doubles(part) for name, part in value.items()}
        case list():
            return [_as_doubles(part) for part in value]
        case _:
            return value
