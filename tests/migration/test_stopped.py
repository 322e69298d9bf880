"""The import stopped after every call of it, and repeated: the end is one."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx

from resilience.postgres.pool import Connection
from tests.migration.conftest import Old
from tests.stories.behind import edited
from tests.wiretap import Send, tapped, tapped_database


class Tripwire:
    """Stops the import for good once the call of this number was answered."""

    def __init__(self, number: int) -> None:
        self.number, self.calls = number, 0
        self.is_reached = asyncio.Event()

    async def call(self, carry_on: Callable[[], Awaitable[Any]]) -> Any:
        self.calls += 1
        is_here = self.calls == self.number
        answer = await carry_on()
        if is_here:
            self.is_reached.set()
            await asyncio.Event().wait()
        return answer

    @property
    def parts(self) -> dict[str, Any]:
        async def request(request: httpx.Request, send: Send) -> httpx.Response:
            answer: httpx.Response = await self.call(lambda: send(request))
            return answer

        async def statement(_connection: Connection, _text: str, execute: Callable[[], Awaitable[Any]]) -> Any:
            return await self.call(execute)

        return {"transports": tapped(request), "connection_class": tapped_database(statement=statement)}


def rows_in_several_states(old: Old) -> dict[str, str]:
    """Drafts, and the status that each must come to."""
    running, _ = old.submitted()
    rejected, process_id = old.submitted()
    old.decide(process_id, approved=False)
    plan_id, base = old.behind.stored_plan()
    published = old.behind.drafts.new(plan=edited(name="Edited"), aidbox_id=plan_id)
    process_id = old.start(published, draftId=published, aidboxPlanId=plan_id, baseVersion=base)
    old.row(published, process_id, base_version=base)
    old.decide(process_id, approved=True)
    return {running: "submitted", rejected: "rejected", published: "approved"}


async def stopped(old: Old, number: int) -> bool:
    """Whether an import came to this call, where it was stopped."""
    wire = Tripwire(number)
    importing = asyncio.create_task(old.entries(is_dry_run=False, **wire.parts))
    reaching = asyncio.create_task(wire.is_reached.wait())
    await asyncio.wait([importing, reaching], return_when=asyncio.FIRST_COMPLETED)
    is_stopped = wire.is_reached.is_set()
    importing.cancel()
    reaching.cancel()
    await asyncio.gather(importing, reaching, return_exceptions=True)
    return is_stopped


def tried(old: Old, number: int) -> bool:
    """Whether an import was stopped at this call. It is repeated, and then everything is as it must be."""
    old.empty()
    wanted = rows_in_several_states(old)
    is_stopped = asyncio.run(stopped(old, number))
    assert {entry.result.value for entry in old.imported()} <= {"done", "already"}
    rows = {draft_id: old.behind.drafts.row(draft_id) for draft_id in wanted}
    assert {draft_id: row["status"] for draft_id, row in rows.items()} == wanted
    for draft_id, row in rows.items():
        assert [process["id"] for process in old.behind.processes(draft_id)] == [row["camunda_process_id"]]
        versions = old.behind.versions(row["aidbox_id"]) if row["aidbox_id"] else []
        assert len(versions) == (2 if row["status"] == "approved" else 0)
    assert [entry.result.value for entry in old.imported()] == ["already"] * 3
    return is_stopped


def test_stopped_after_any_call(old: Old) -> None:
    number = 1
    while tried(old, number):
        number += 1
    assert number > 15
