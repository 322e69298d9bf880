"""A run: the stage, the load, the faults one after the other, the healing after each, and the verdict.

Called by __main__.py and test_chaos.py.
"""

import asyncio
import itertools
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import httpx

from sandbox import Sandbox, SandboxError
from tests.chaos.balancer import balancing
from tests.chaos.faults import Fault, drawn
from tests.chaos.ledger import Ledger, Operation
from tests.chaos.load import LIVING, Client, write_draft, written_draft
from tests.chaos.stage import Stage, set_stage
from tests.chaos.verdict import Verdict, judge, waiting
from tests.serving import REVIEWER, Drafts, Someone
from tests.stories.behind import Behind
from tests.verbs import COMPLETE, SUBMIT

CLIENTS = 6
PLANS = ("Outside, first", "Outside, second", "Outside, third")
HEALS_WITHIN = 180.0  # seconds; what is not well by then counts as stuck
SETTLES_WITHIN = 180.0
TRIES_TO_START = 5

Tell = Callable[[str], None]


def run(
    sandbox: Sandbox, logs: Path, *, seed: int, seconds: float, quick: bool = False, tell: Tell = lambda _: None
) -> tuple[Ledger, Verdict]:
    """So many seconds of faults by this seed; what was done, and what it came to."""
    ledger = Ledger()
    with set_stage(sandbox, logs) as stage, looking_behind(sandbox) as behind:
        plans = [str(uuid.uuid4()) for _ in PLANS]
        for plan_id, name in zip(plans, PLANS, strict=True):
            behind.put(plan_id, name=name)
        asyncio.run(_Play(stage, ledger, plans, seed, tell).play(seconds, quick=quick))
        _settle(behind, ledger)
        return ledger, judge(behind, ledger)


@contextmanager
def looking_behind(sandbox: Sandbox) -> Iterator[Behind]:
    """The three systems themselves, past every wire."""
    drafts = Drafts(sandbox.retool_database_url)
    with (
        httpx.Client(base_url=sandbox.camunda_url, timeout=60, trust_env=False) as engine,
        httpx.Client(
            base_url=sandbox.aidbox_url, timeout=60, trust_env=False, headers={"Cache-Control": "no-cache"}
        ) as store,
    ):
        yield Behind(drafts, engine, store)
        for connection in drafts.held:
            connection.close()


def _settle(behind: Behind, ledger: Ledger) -> None:
    began = time.monotonic()
    while waiting(behind, ledger) and time.monotonic() - began < SETTLES_WITHIN:
        time.sleep(0.5)
    ledger.settled_after = time.monotonic() - began


class _Play:
    """The part of a run in which things happen."""

    def __init__(self, stage: Stage, ledger: Ledger, plans: list[str], seed: int, tell: Tell) -> None:
        self.stage, self.ledger, self.plans, self.seed, self.tell = stage, ledger, plans, seed, tell
        self._numbers = itertools.count()

    async def play(self, seconds: float, *, quick: bool) -> None:
        """Clients work all the while; one episode of faults after the other begins until the time is over."""
        ports = [replica.port for replica in self.stage.replicas]
        until = time.monotonic() + seconds
        stop = asyncio.Event()
        async with balancing(ports) as port:
            clients = [self._client(port) for _ in range(CLIENTS)]
            for _ in range(LIVING):
                await write_draft(clients[0])
            async with asyncio.TaskGroup() as group:
                for client in clients:
                    group.create_task(client.run(stop))
                random = Random(self.seed)  # noqa: S311  # to be had again, not to be secret
                for faults in drawn(random, self.stage, quick=quick):
                    if time.monotonic() > until:
                        break
                    await self._episode(faults, random.uniform(0.2, 2))
                stop.set()

    def _client(self, port: int) -> Client:
        own = Random(f"{self.seed}/{next(self._numbers)}")  # noqa: S311  # as above
        return Client(own, f"http://127.0.0.1:{port}", self.stage.sandbox, self.ledger, self.plans)

    async def _episode(self, faults: list[Fault], pause: float) -> None:
        """The faults, the second in the middle of the first, and how long it then takes until all is well."""
        async with asyncio.TaskGroup() as group:
            for number, fault in enumerate(faults):
                group.create_task(_befall(fault, after=number * faults[0].seconds / 2))
        began = time.monotonic()
        await asyncio.gather(*(self._healed(replica.name, replica.port) for replica in self.stage.replicas))
        took = time.monotonic() - began
        names = [fault.name for fault in faults]
        self.ledger.faults += names
        self.ledger.healed_after.append(took)
        self.tell(f"{' + '.join(names)}: well after {took:.1f} s")
        await asyncio.sleep(pause)

    async def _healed(self, name: str, port: int) -> None:
        """Wait until a draft goes its whole way through this replica: written, submitted, approved, published."""
        client = self._client(port)
        until = time.monotonic() + HEALS_WITHIN
        async with httpx.AsyncClient(base_url=client.base_url, timeout=10, trust_env=False) as client.http:
            while time.monotonic() < until:
                if (draft := await written_draft(client, None)) and await _published(client, draft.id, draft.author):
                    return
                await asyncio.sleep(0.1)
        self.ledger.not_healed.append(f"{name} was not well within {HEALS_WITHIN:.0f} s")


async def _published(client: Client, draft_id: str, author: str) -> bool:
    """Whether a draft can be submitted, approved and published, each at the first call."""
    submitted = Operation("submit", author, draft_id)
    await client.ask(client.ledger.note(submitted), SUBMIT, Someone(author), {"input": {"draftId": draft_id}})
    task_id = await client.open_task(draft_id, author) if submitted.accepted else None
    if task_id is None:
        return False
    approval = Operation("approve", REVIEWER.id, draft_id, task_id, "APPROVED")
    fields = {"taskId": task_id, "approved": True}
    await client.ask(client.ledger.note(approval), COMPLETE, REVIEWER, {"input": fields})
    return approval.accepted and (approval.payload or {}).get("status") == "APPROVED"


async def _befall(fault: Fault, *, after: float) -> None:
    await asyncio.sleep(after)
    await asyncio.to_thread(fault.begin)
    await asyncio.sleep(fault.seconds)
    for further in reversed(range(TRIES_TO_START)):
        try:
            await asyncio.to_thread(fault.end)
        except SandboxError:  # it ended while it started, since another fault took away what it needs
            if not further:
                raise
        else:
            return
