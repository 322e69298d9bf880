"""Each kind of request this service makes of the store, tried without any effect there."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

import httpx

from api.upstreams.aidbox.client import HEADER
from api.upstreams.approval_records import PREFIX
from fhir_answers import operation_outcome
from fhir_answers.bundle import Bundle, Entry
from fhir_answers.urls import history_url, version_url
from fhir_client.server import FHIR_JSON, SENT_FHIR_JSON
from resilience.http.call import Upstream

ABSENT = "plan-api-check-absent"  # the id of a plan that is not there
PATH, RECORD = f"InsurancePlan/{ABSENT}", f"Provenance/{ABSENT}"
REFUSED = (400, 404, 409, 410, 412, 422)  # what a store says of a write that it must not take, once it may be made
NONE = (200, 404, 410)


@dataclass(frozen=True)
class Tried:
    """A kind of request, what allows it in an access policy, and what the store answered: a status, and its words."""

    request: str
    policy: str
    status: int
    words: str = ""
    expected: tuple[int, ...] = NONE


async def try_requests(store: Upstream, *, with_provenance: bool = True) -> list[Tried]:
    """Each request this service makes, about a plan that is not there; of the write one that no store may take.

    `with_provenance`: those about Provenance too.
    """
    kinds = ("InsurancePlan", "Provenance") if with_provenance else ("InsurancePlan",)
    forms = {"InsurancePlan": {"_id": ABSENT}, "Provenance": {"_tag": f"{PREFIX}|{ABSENT}"}}
    searches = (_sent(store, "POST", f"/{kind}/_search", form=forms[kind]) for kind in kinds)
    writes = (_sent(store, "PUT", f"/{kind}/{ABSENT}", body=_unfit(), condition='W/"0"') for kind in kinds)
    read, entries, searched, written = await asyncio.gather(
        _sent(store, "GET", f"/{PATH}"),
        _sent(store, "POST", "", body=_batch(with_provenance=with_provenance)),
        asyncio.gather(*searches),
        asyncio.gather(*writes),
    )
    return [
        _tried("GET InsurancePlan/{id}", "FhirRead", read),
        *(
            _tried(f"POST {kind}/_search", "FhirSearch", each, expected=(200,))
            for kind, each in zip(kinds, searched, strict=True)
        ),
        _tried("POST / (a batch)", "FhirTransaction", entries, expected=(200,)),
        *_tried_in(store, entries, with_provenance=with_provenance),
        *(
            _tried(f"PUT {kind}/{{id}}", "FhirUpdate", each, expected=REFUSED)
            for kind, each in zip(kinds, written, strict=True)
        ),
    ]


def _batch(*, with_provenance: bool) -> dict[str, object]:
    urls = [version_url(PATH, "0", HEADER), history_url(PATH, 1, HEADER)]
    entries = [{"request": {"method": "GET", "url": url}} for url in [*urls, *([RECORD] if with_provenance else [])]]
    return {"resourceType": "Bundle", "type": "batch", "entry": entries}


def _unfit() -> dict[str, object]:
    """A body that is refused for three reasons beside its condition: another type, no name, an unknown element."""
    return {"resourceType": "Basic", "id": ABSENT, "planApiCheck": True}


async def _sent(
    store: Upstream,
    method: str,
    path: str,
    *,
    body: object = None,
    form: dict[str, str] | None = None,
    condition: str | None = None,
) -> httpx.Response:
    """Send a trial request; the answer, whatever its status. Raises UpstreamFailed when there is none."""
    headers = {**(FHIR_JSON if form else SENT_FHIR_JSON), **({"If-Match": condition} if condition else {})}
    return await store.call(method, path, answers=range(200, 600), body=body, form=form, headers=headers)


def _tried(request: str, policy: str, response: httpx.Response, expected: tuple[int, ...] = NONE) -> Tried:
    return Tried(request, policy, response.status_code, operation_outcome.words(response.content), expected)


def _tried_in(store: Upstream, response: httpx.Response, *, with_provenance: bool) -> Iterator[Tried]:
    """The entries of the batch; none when it was refused as a whole."""
    if response.status_code != 200:
        return
    entries = store.decode(response, Bundle).entry
    history = "GET InsurancePlan/{id}/_history"
    asked = [(f"{history}/{{version}}", "FhirVread"), (history, "FhirHistory")]
    asked += [("GET Provenance/{id}", "FhirRead")] if with_provenance else []
    for place, (request, policy) in enumerate(asked):
        entry = entries[place] if place < len(entries) else Entry()
        status = entry.status or (200 if entry.has_resource else 500)
        yield Tried(f"{request} in a batch", policy, status, operation_outcome.words(entry.outcome))
