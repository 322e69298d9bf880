"""The FHIR store, looked at: whether it takes our credentials, and what it says of itself. Called by `run_checks`."""

import asyncio
from collections.abc import Iterator

import msgspec

from api.check.finding import Finding, address_of, failure, ok, warning, wrong
from api.errors import TimedOut, UpstreamFailed
from api.upstreams.aidbox import Aidbox

URL_RULE = "AIDBOX_URL must be the store's FHIR base, ending in /fhir"
CREDENTIALS = "AIDBOX_CLIENT_ID and AIDBOX_CLIENT_SECRET, and the client's access policy"
INTERACTIONS = ("read", "vread", "update", "history-instance", "search-type")
SLOW = 6.0  # seconds for the store's statement about itself, which some put together for that long


class _Coded(msgspec.Struct, frozen=True):
    code: str = ""


class _Resource(msgspec.Struct, frozen=True):
    type: str = ""
    interaction: tuple[_Coded, ...] = ()
    versioning: str | None = None


class _Rest(msgspec.Struct, frozen=True):
    resource: tuple[_Resource, ...] = ()


class _Software(msgspec.Struct, frozen=True):
    name: str = ""
    version: str | None = None


class Statement(msgspec.Struct, frozen=True, rename="camel"):
    """A CapabilityStatement, as far as it matters here."""

    fhir_version: str
    software: _Software = _Software()
    rest: tuple[_Rest, ...] = ()


async def look_at_store(aidbox: Aidbox, url: str) -> list[Finding]:
    """All findings; one, if it can not be asked."""
    address = address_of(url)
    try:
        await aidbox.ping()
        statement = await _statement(aidbox)
    except UpstreamFailed as failed:
        return [failure("store", failed, address=address, url_rule=URL_RULE, credentials=CREDENTIALS)]
    if statement is None:
        return [warning("store", f"answers at {address}, but takes long to say what it can do; try once more")]
    return list(judge_statement(statement, address))


async def _statement(aidbox: Aidbox) -> Statement | None:
    """What it says of itself; None when that takes long, which it does for some right after their start."""
    try:
        async with asyncio.timeout(SLOW):
            response = await aidbox.store.call("GET", "/metadata", headers={"Accept": "application/fhir+json"})
    except (TimeoutError, TimedOut):
        return None
    return aidbox.store.decode(response, Statement)


def judge_statement(statement: Statement, address: str) -> Iterator[Finding]:
    """What is to be said of a store. What it does not declare it may do all the same, so that is a warning. Pure."""
    software = " ".join(word for word in (statement.software.name, statement.software.version) if word)
    release = f"{software or 'FHIR'} at {address}, FHIR {statement.fhir_version}"
    is_r4 = statement.fhir_version.startswith("4.0.")
    yield ok("store", release) if is_r4 else wrong("store", f"{release}; FHIR R4 (4.0.x) is needed")
    plans = [resource for rest in statement.rest for resource in rest.resource if resource.type == "InsurancePlan"]
    if not plans:
        yield warning("plans", "the store does not declare InsurancePlan; it must keep these, with their versions")
        return
    declared = {interaction.code for interaction in plans[0].interaction}
    missing = [interaction for interaction in INTERACTIONS if interaction not in declared]
    if missing:
        yield warning("plans", f"the store does not declare {', '.join(missing)} for InsurancePlan")
    else:
        yield ok("plans", f"InsurancePlan with {', '.join(INTERACTIONS)}")
    if plans[0].versioning not in (None, "versioned-update"):
        yield warning(
            "versions", f"the store declares {plans[0].versioning}; it must refuse an If-Match of an older version"
        )
