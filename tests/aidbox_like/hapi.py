"""HAPI, asked so that nothing of its own shows: no tags carried over, no results of the last minute, digits as sent."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, cast

import httpx
import msgspec

from tests.aidbox_like.outcomes import Resource

DECODER = msgspec.json.Decoder(float_hook=Decimal)
ENCODER = msgspec.json.Encoder(decimal_format="number")
LONGEST_PAGE = 200  # entries
NOTHING_YET = 0  # the version before the first
SINCE_EVER = "1970-01-01T00:00:00Z"  # without `_since` HAPI leaves out the newest versions of a history

# the tags, profiles and labels of a version are those it was sent with
_SNAPSHOT = {"Content-Type": "application/fhir+json", "X-Meta-Snapshot-Mode": "TAG, PROFILE, SECURITY_LABEL"}
_FORM = {"Content-Type": "application/x-www-form-urlencoded", "Cache-Control": "no-cache"}


@dataclass(frozen=True)
class Said:
    """An answer of HAPI's."""

    status: int
    resource: Resource
    location: str = ""

    @property
    def words(self) -> str:
        """The first issue's, of a refusal."""
        return str(self.resource.get("issue", [{}])[0].get("diagnostics", ""))


@dataclass(frozen=True)
class Current:
    """A resource as it is: its newest version, which has no content if it is a deletion."""

    version: int
    resource: Resource | None


@dataclass(frozen=True)
class Hapi:
    """The real store."""

    client: httpx.AsyncClient

    async def current(self, address: str) -> Current | None:
        """`Type/id` as it is; None if it never was."""
        said = await self._get(f"/{address}")
        if said.status == 200:
            return Current(version_of(said.resource), said.resource)
        return Current(int(said.location.rpartition("/")[2]), None) if said.status == 410 else None

    async def version(self, address: str, version: int) -> Said:
        """One version; 410 if it is a deletion."""
        return await self._get(f"/{address}/_history/{version}")

    async def put(self, address: str, resource: Resource, if_match: int | None) -> Said:
        """A version after `if_match`, or after whatever there is."""
        condition = {} if if_match is None else {"If-Match": f'W/"{if_match}"'}
        content = encoded(resource)
        return _said(await self.client.put(f"/{address}", content=content, headers={**_SNAPSHOT, **condition}))

    async def validate(self, kind: str, resource: Resource) -> Said:
        """What its validator says; 400 for what it cannot parse."""
        headers = {"Content-Type": "application/fhir+json"}
        return _said(await self.client.post(f"/{kind}/$validate", content=encoded(resource), headers=headers))

    async def delete(self, address: str) -> None:
        """Delete it; a deletion is a version too."""
        (await self.client.delete(f"/{address}")).raise_for_status()

    async def search(self, kind: str, params: Mapping[str, str]) -> Said:
        """A page of a search, by `_offset` and `_count`: HAPI keeps no results of such a one."""
        return _said(await self.client.post(f"/{kind}/_search", data=dict(params), headers=_FORM))

    async def history(self, address: str, params: Mapping[str, str]) -> Said:
        """A page of a history, newest first; the number of versions is not said."""
        since = {} if "_at" in params else {"_since": SINCE_EVER}
        return await self._get(f"/{address}/_history", {**since, **params})

    async def statement(self) -> Said:
        """The capability statement. HAPI takes seconds to put it together anew."""
        return _said(await self.client.get("/metadata", headers={"Cache-Control": "max-age=60"}))

    async def deleted_at(self, address: str, version: int) -> str:
        """When a version that is a deletion came about."""
        said = await self.version(address, version)
        found = re.search(r"deleted at (\S+)", said.words)
        assert found, said
        return found[1]

    async def _get(self, path: str, params: Mapping[str, str] | None = None) -> Said:
        return _said(await self.client.get(path, params=params, headers={"Cache-Control": "no-cache"}))


def version_of(resource: Resource) -> int:
    """HAPI's version of a resource it sent."""
    return int(resource["meta"]["versionId"])


def encoded(value: Any) -> bytes:
    """JSON with its digits, and no exponents: as PostgreSQL writes a number that jsonb holds."""
    return ENCODER.encode(_written_out(value))


def _written_out(value: Any) -> Any:
    match value:
        case Decimal():
            return msgspec.Raw(f"{value:f}".encode())
        case dict():
            return {name: _written_out(part) for name, part in value.items()}
        case list():
            return [_written_out(part) for part in value]
        case _:
            return value


def decoded(content: bytes) -> Any:
    """JSON with its digits. Raises msgspec.DecodeError."""
    return DECODER.decode(content)


def _said(response: httpx.Response) -> Said:
    return Said(response.status_code, cast("Resource", decoded(response.content)), response.headers.get("location", ""))
