"""The load: clients that write drafts, edit, submit, decide, claim, hand over, withdraw, retry and read, all at once.

Started by run.py. A client repeats what was not answered, as people and browsers do; each call is an operation.
"""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

import httpx
import psycopg

from sandbox import Sandbox
from tests.chaos.ledger import KnownDraft, Ledger, Operation, Written, new_name
from tests.serving import ADMIN, REVIEWER, SECOND_REVIEWER, Someone
from tests.stories.behind import FHIR_JSON, edited
from tests.verbs import CLAIM, COMPLETE, REASSIGN, REQUEST_CHANGES, RETRY, STATUS, SUBMIT, UNCLAIM, WITHDRAW

AUTHORS = ("author", "second-author")
REVIEWERS = (REVIEWER, SECOND_REVIEWER)
LIVING = 8  # drafts that are worked on; few, so that the clients meet on them
PATIENCE = 20.0  # seconds a client waits for an answer
INBOX = """query Inbox { pendingTasks(limit: 10) { totalCount items {
  id draft { id status } basePlan { versionId } currentPlan { versionId } hasConflict } } }"""


@dataclass
class Client:
    """One of many; its draws are its own, so that they do not depend on the others' pace."""

    random: Random
    base_url: str
    sandbox: Sandbox
    ledger: Ledger
    plans: list[str]
    http: httpx.AsyncClient = field(init=False)

    async def run(self, stop: asyncio.Event) -> None:
        """One thing after the other, until `stop`; what is under way then is finished."""
        weights = [weight for weight, _ in VERBS.values()]
        async with httpx.AsyncClient(base_url=self.base_url, timeout=PATIENCE, trust_env=False) as self.http:
            while not stop.is_set():
                verb = self.random.choices(list(VERBS), weights)[0]
                await VERBS[verb][1](self)
                await asyncio.sleep(self.random.uniform(0, 0.2))

    def draft(self) -> KnownDraft:
        """One of the drafts worked on."""
        return self.random.choice(self.ledger.living[-LIVING:])

    async def call(self, operation: Operation, query: str, someone: Someone, **variables: object) -> Operation:
        """Ask, and mostly again as long as there is no answer; the last try."""
        while True:
            await self.ask(self.ledger.note(operation), query, someone, variables)
            if operation.payload is not None or self.random.random() < 0.4:
                return operation
            await asyncio.sleep(self.random.uniform(0.1, 1.0))
            operation = replace(operation, payload=None, failure=None)

    async def ask(self, operation: Operation, query: str, someone: Someone, variables: Mapping[str, object]) -> None:
        """Ask once, and note what is answered on the operation."""
        try:
            answer = await self.http.post(
                "/graphql", json={"query": query, "variables": variables}, headers=someone.headers
            )
            body = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            operation.failure = type(error).__name__
            return
        operation.payload = next(iter((body.get("data") or {}).values()), None)
        if operation.payload is None:
            errors = body.get("errors") or [{}]
            operation.failure = errors[0].get("extensions", {}).get("code", "NO_DATA")

    async def mutate(self, operation: Operation, query: str, someone: Someone, **fields: object) -> Operation:
        return await self.call(operation, query, someone, input=fields)

    async def open_task(self, draft_id: str, author: str) -> str | None:
        """The open task of a draft, by a read that is an operation too."""
        asked = await self.call(Operation("status", author, draft_id), STATUS, Someone(author), draftId=draft_id)
        open_tasks = (asked.payload or {}).get("openTasks") or []
        return open_tasks[0]["id"] if open_tasks else None


async def write_draft(client: Client) -> None:
    """A new draft: of a new plan, or of one of the plans in the store."""
    if draft := await written_draft(client, client.random.choice([None, *client.plans])):
        client.ledger.living.append(draft)


async def written_draft(client: Client, plan_id: str | None) -> KnownDraft | None:
    """A draft that the database took, or None."""
    draft_id = str(uuid.uuid4())
    draft = KnownDraft(draft_id, client.random.choice(AUTHORS), plan_id or draft_id)
    draft.contents.append(Written(edited(name=new_name("Edit")), certain=True))
    statement = (
        "INSERT INTO benefit_plan_drafts (id, name, plan_data, aidbox_id, created_by) VALUES (%s, %s, %s, %s, %s)"
    )
    values = [draft_id, draft.name, draft.contents[0].plan, plan_id, draft.author]
    if not await in_database(client, "write", draft, statement, values):
        return None
    client.ledger.drafts.append(draft)
    return draft


async def edit(client: Client) -> None:
    """What its author does in Retool."""
    draft = client.draft()
    statement = "UPDATE benefit_plan_drafts SET plan_data = %s::jsonb, updated_at = now() WHERE id = %s"
    async with draft.pen:
        written = Written(edited(name=new_name("Edit")))
        draft.contents.append(written)
        written.certain = await in_database(client, "edit", draft, statement, [written.plan, draft.id])


async def in_database(client: Client, verb: str, draft: KnownDraft, statement: str, values: list[Any]) -> bool:
    """Whether the database said that it took the statement."""
    operation = client.ledger.note(Operation(verb, draft.author, draft.id))
    try:
        async with asyncio.timeout(PATIENCE):
            connection = await psycopg.AsyncConnection.connect(
                client.sandbox.retool_database_url, autocommit=True, connect_timeout=5
            )
            async with connection:
                await connection.execute(statement.encode(), values)
    except (psycopg.Error, TimeoutError) as error:
        operation.failure = type(error).__name__
        return False
    operation.payload = {}
    return True


async def submit(client: Client) -> None:
    draft = client.draft()
    someone = Someone(draft.author)
    await client.mutate(Operation("submit", someone.id, draft.id), SUBMIT, someone, draftId=draft.id)


async def withdraw(client: Client) -> None:
    draft = client.draft()
    someone = Someone(draft.author)
    await client.mutate(Operation("withdraw", someone.id, draft.id), WITHDRAW, someone, draftId=draft.id)


async def retry(client: Client) -> None:
    draft = client.draft()
    await client.mutate(Operation("retry", ADMIN.id, draft.id), RETRY, ADMIN, draftId=draft.id)


async def approve(client: Client) -> None:
    await _decide(client, "approve", "APPROVED", COMPLETE, approved=True)


async def reject(client: Client) -> None:
    await _decide(client, "reject", "REJECTED", COMPLETE, approved=False)


async def request_changes(client: Client) -> None:
    await _decide(client, "request changes", "RETURNED", REQUEST_CHANGES, comment="Mend it")


async def _decide(client: Client, verb: str, wanted: str, query: str, **fields: object) -> None:
    draft, someone = client.draft(), client.random.choice(REVIEWERS)
    if task_id := await client.open_task(draft.id, draft.author):
        operation = Operation(verb, someone.id, draft.id, task_id, wanted)
        await client.mutate(operation, query, someone, taskId=task_id, **fields)


async def claim(client: Client) -> None:
    draft, someone = client.draft(), client.random.choice(REVIEWERS)
    if task_id := await client.open_task(draft.id, draft.author):
        await client.mutate(Operation("claim", someone.id, draft.id, task_id), CLAIM, someone, taskId=task_id)


async def unclaim(client: Client) -> None:
    draft = client.draft()
    if task_id := await client.open_task(draft.id, draft.author):
        await client.mutate(Operation("unclaim", ADMIN.id, draft.id, task_id), UNCLAIM, ADMIN, taskId=task_id)


async def reassign(client: Client) -> None:
    draft, to = client.draft(), client.random.choice(REVIEWERS)
    if task_id := await client.open_task(draft.id, draft.author):
        operation = Operation("reassign", ADMIN.id, draft.id, task_id, to.id)
        await client.mutate(operation, REASSIGN, ADMIN, taskId=task_id, userId=to.id)


async def read(client: Client) -> None:
    someone = client.random.choice(REVIEWERS)
    await client.call(Operation("inbox", someone.id, ""), INBOX, someone)


async def store_version(client: Client) -> None:
    """What somebody else does to a plan in the store itself."""
    plan_id = client.random.choice([*client.plans, client.draft().plan_id])
    operation = client.ledger.note(Operation("store", "somebody else", plan_id))
    body = edited(name=new_name("Outside"), id=plan_id)
    try:
        async with httpx.AsyncClient(timeout=PATIENCE, trust_env=False) as http:
            answer = await http.put(
                f"{client.sandbox.aidbox_url}/InsurancePlan/{plan_id}", content=body, headers=FHIR_JSON
            )
    except httpx.HTTPError as error:
        operation.failure = type(error).__name__
    else:
        operation.payload, operation.failure = ({}, None) if answer.is_success else (None, str(answer.status_code))


VERBS: Mapping[str, tuple[int, Callable[[Client], Awaitable[None]]]] = {
    "write": (2, write_draft),
    "edit": (5, edit),
    "submit": (18, submit),
    "approve": (14, approve),
    "reject": (4, reject),
    "request changes": (4, request_changes),
    "withdraw": (5, withdraw),
    "claim": (5, claim),
    "unclaim": (2, unclaim),
    "reassign": (3, reassign),
    "retry": (2, retry),
    "read": (8, read),
    "store": (2, store_version),
}
