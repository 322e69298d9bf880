"""Checks of the FHIR store: each kind of request is tried, so that the one which a policy refuses is named.

A store's CapabilityStatement says nothing about our credentials, so it is used for the release alone. Nothing is
written.
"""

import asyncio
from collections.abc import Iterator

import msgspec

from api.errors import Denied, TimedOut, UpstreamFailed
from api.upstreams.aidbox.client import Aidbox
from doctor.finding import Finding, address_of, failure, ok, warning, wrong
from doctor.trial_requests import ABSENT, Tried, try_requests
from fhir_client.server import FHIR_JSON

URL_RULE = "AIDBOX_URL must be the store's FHIR base, ending in /fhir"
CREDENTIALS = "AIDBOX_CLIENT_ID and AIDBOX_CLIENT_SECRET, and the client's access policy"
SLOW = 6.0  # seconds for the store's statement about itself, which some put together for that long


class _Resource(msgspec.Struct, frozen=True):
    type: str = ""
    versioning: str | None = None


class _Rest(msgspec.Struct, frozen=True):
    resource: tuple[_Resource, ...] = ()


class _Software(msgspec.Struct, frozen=True):
    name: str = ""
    version: str | None = None


class Statement(msgspec.Struct, frozen=True, rename="camel"):
    """The parts of a CapabilityStatement that matter here."""

    fhir_version: str
    software: _Software = _Software()
    rest: tuple[_Rest, ...] = ()


async def look_at_store(aidbox: Aidbox, url: str) -> list[Finding]:
    """All findings on the store; one if it does not answer."""
    address = address_of(url)
    try:
        await _ask(aidbox)
        tried, statement = await asyncio.gather(
            try_requests(aidbox.store, with_provenance=aidbox.has_provenance), _statement(aidbox)
        )
    except UpstreamFailed as failed:
        return [failure("store", failed, address=address, url_rule=URL_RULE, credentials=CREDENTIALS)]
    stated = [ok("store", f"answers at {address}")] if statement is None else judge_statement(statement, address)
    return [*stated, *judge_tried(tried, has_provenance=aidbox.has_provenance)]


async def _ask(aidbox: Aidbox) -> None:
    """Make sure that the store answers and accepts our credentials. What these permit is tried afterwards."""
    try:
        await aidbox.ping()
    except Denied as denied:
        if denied.status != 403:
            raise


async def _statement(aidbox: Aidbox) -> Statement | None:
    """The CapabilityStatement; None if the store refuses it or is slow, as some are right after their start."""
    try:
        async with asyncio.timeout(SLOW):
            response = await aidbox.store.call("GET", "/metadata", headers=FHIR_JSON)
    except (TimeoutError, TimedOut, Denied):
        return None
    return aidbox.store.decode(response, Statement)


def judge_statement(statement: Statement, address: str) -> Iterator[Finding]:
    """Findings on a store's release. Pure."""
    software = " ".join(word for word in (statement.software.name, statement.software.version) if word)
    release = f"{software or 'FHIR'} at {address}, FHIR {statement.fhir_version}"
    is_r4 = statement.fhir_version.startswith("4.0.")
    yield ok("store", release) if is_r4 else wrong("store", f"{release}; FHIR R4 (4.0.x) is needed")
    plans = [resource for rest in statement.rest for resource in rest.resource if resource.type == "InsurancePlan"]
    if plans and plans[0].versioning not in (None, "versioned-update"):
        yield warning(
            "versions", f"the store declares {plans[0].versioning}; it must refuse an If-Match of an older version"
        )


def judge_tried(tried: list[Tried], *, has_provenance: bool) -> list[Finding]:
    """Findings on the requests that were tried. Pure."""
    refused = [each for each in tried if each.status not in each.expected]
    plans = [wrong("plans", _refusal(each)) for each in refused if "Provenance" not in each.request]
    records = [wrong("provenance", _refusal(each)) for each in refused if "Provenance" in each.request]
    right = "may be read, searched and written"
    switched_off = "PROVENANCE=false: who approved a plan is known as long as the engine has its history"
    return [
        *(plans or [ok("plans", f"{right}, their versions and histories read in a batch")]),
        *(records or [ok("provenance", right) if has_provenance else warning("provenance", switched_off)]),
    ]


def _refusal(tried: Tried) -> str:
    words = f": {tried.words}" if tried.words else ""
    answer = f"{tried.request} is answered with status {tried.status}{words}"
    if tried.status in (401, 403):
        off = "; without it set PROVENANCE=false" if "Provenance" in tried.request else ""
        return f"{answer}; the client's access policy must allow it (Aidbox: operation {tried.policy}){off}"
    if tried.policy == "FhirHistory" and tried.status == 422:
        return f"{answer}; switch the history of InsurancePlan on, by which an interrupted publication is known again"
    if tried.policy == "FhirUpdate" and tried.status < 300:
        return (
            f"{answer}, though the store must refuse it; delete {tried.request.split()[1].partition('/')[0]}/{ABSENT}"
        )
    return f"{answer}; the service needs this request"
