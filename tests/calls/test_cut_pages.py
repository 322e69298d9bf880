"""A store that cuts its pages shorter than was asked, silently where it stores no search: nothing is lost by that."""

import re

import httpx

from api.settings import Settings
from tests.calls.inboxes import Inboxes
from tests.calls.recording import Recording
from tests.serving import serving

LONGEST = 20
QUERY = "{ pendingTasks(limit: 1000) { items { currentPlan { id versionId } } } }"


class Cutting(httpx.AsyncBaseTransport):
    """Searches ask for fewer entries than they were to."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self.inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/_search"):
            form = re.sub(rb"_count=\d+", b"_count=%d" % LONGEST, await request.aread())
            headers = {name: value for name, value in request.headers.items() if name != "content-length"}
            request = httpx.Request(
                request.method, request.url, headers=headers, content=form, extensions=request.extensions
            )
        return await self.inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self.inner.aclose()


def test_what_is_missing_from_a_full_page_is_asked_for_again(patient: Settings, inboxes: Inboxes) -> None:
    inbox, recording = inboxes.of(50), Recording()

    def transports(name: str, inner: httpx.AsyncBaseTransport) -> httpx.AsyncBaseTransport:
        return recording.transports(name, Cutting(inner) if name == "aidbox" else inner)

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
