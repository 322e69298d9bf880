"""A store that cuts its pages shorter than was asked, silently where it stores no search: nothing is lost by that."""

import re

import httpx

from api.settings import Settings
from tests.calls.inboxes import Inboxes
from tests.calls.recording import Recording
from tests.serving import serving
from tests.wiretap import Send, tapped

LONGEST = 20
QUERY = "{ pendingTasks(limit: 1000) { items { currentPlan { id versionId } } } }"


async def cutting(request: httpx.Request, send: Send) -> httpx.Response:
    """The search, for fewer entries than it was to ask for."""
    form = re.sub(rb"_count=\d+", b"_count=%d" % LONGEST, await request.aread())
    headers = {name: value for name, value in request.headers.items() if name != "content-length"}
    extensions = request.extensions
    return await send(httpx.Request(request.method, request.url, headers=headers, content=form, extensions=extensions))


def test_what_is_missing_from_a_full_page_is_asked_for_again(patient: Settings, inboxes: Inboxes) -> None:
    inbox, recording = inboxes.of(50), Recording()

    cut = tapped(cutting, system="aidbox", call=".*/_search")

    def transports(name: str, inner: httpx.AsyncBaseTransport) -> httpx.AsyncBaseTransport:
        return recording.transports(name, cut(name, inner))

    with serving(patient, transports=transports) as api:
        for searches in (2, 2):
            recording.calls.clear()
            items = api.ask(QUERY, inbox.reviewer)["pendingTasks"]["items"]
            assert sorted(item["currentPlan"]["id"] for item in items) == sorted(inbox.plan_ids)
            assert recording.counts()["POST /InsurancePlan/_search"] == searches


def test_what_is_missing_from_a_shorter_page_is_not_there(patient: Settings, inboxes: Inboxes) -> None:
    inbox, recording = inboxes.of(50), Recording()
    named = ", ".join(f'p{number}: plan(id: "none-{number}") {{ id }}' for number in range(20))
    with recording.before(patient) as api:
        assert set(api.ask(f"{{ {named} }}", inbox.reviewer).values()) == {None}
        assert recording.counts() == {"POST /InsurancePlan/_search": 1}
