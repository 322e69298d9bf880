"""Inboxes of many tasks, made on the real systems as fast as they take them: `Inboxes.of(length)`.

Each has a candidate group of its own, by a model of its own under a tenant of its own, so that lists do not mix. The
processes begin at their review: what registration would write on the draft is inserted with it.
"""

import asyncio
import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from doctor.setup import MODEL
from fhir_client.server import chunks
from tests.serving import GOLD, Drafts, Someone

AT_ONCE = 12
MOVED = 10  # every so manieth plan has a version after the one that its draft was submitted against
FHIR_JSON = {"Content-Type": "application/fhir+json"}


@dataclass(frozen=True)
class Inbox:
    """Tasks that one reviewer sees, the drafts and processes behind them, and the plans these edit."""

    reviewer: Someone
    author: Someone
    draft_ids: Sequence[str]
    process_ids: Sequence[str]
    plan_ids: Sequence[str]


@dataclass(frozen=True)
class Inboxes:
    """By length; made once each. The plans are the same for all, the longest has all of them."""

    drafts: Drafts
    camunda_url: str
    aidbox_url: str
    made: dict[int, Inbox] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)

    def of(self, length: int) -> Inbox:
        """The inbox with so many tasks."""
        if length not in self.made:
            self.made[length] = asyncio.run(self._make(length))
        return self.made[length]

    async def _make(self, length: int) -> Inbox:
        word = uuid.uuid4().hex[:12]
        author = Someone(f"author-{word}")
        async with httpx.AsyncClient(timeout=60) as client:
            await self._store_plans(client, length - len(self.versions))
            plan_ids = list(self.versions)[:length]
            draft_ids = [str(uuid.uuid4()) for _ in plan_ids]
            definition = await self._deploy(client, word)
            places = asyncio.Semaphore(AT_ONCE)
            asked = (
                self._start(client, places, definition, draft_id, self._variables(draft_id, plan_id, author))
                for draft_id, plan_id in zip(draft_ids, plan_ids, strict=True)
            )
            process_ids = await asyncio.gather(*asked)
        rows = zip(draft_ids, process_ids, plan_ids, strict=True)
        self._insert(author.id, rows)
        return Inbox(Someone(f"reviewer-{word}", (word,)), author, draft_ids, process_ids, plan_ids)

    def _insert(self, author: str, rows: Iterable[tuple[str, str, str]]) -> None:
        """Drafts as they are while their processes wait for a review."""
        statement = (
            "INSERT INTO benefit_plan_drafts (id, name, plan_data, status, created_by, camunda_process_id, aidbox_id)"
            " VALUES (%s, %s, %s, 'submitted', %s, %s, %s)"
        )
        with self.drafts.connection.cursor() as cursor:
            values = [
                (draft_id, f"Plan {number} of {author}", GOLD, author, process_id, plan_id)
                for number, (draft_id, process_id, plan_id) in enumerate(rows)
            ]
            cursor.executemany(statement, values)

    def _variables(self, draft_id: str, plan_id: str, author: Someone) -> dict[str, str]:
        base = {"aidboxPlanId": plan_id, "baseVersion": self.versions[plan_id]}
        return {
            "draftId": draft_id,
            "draftSource": "retool",
            "submittedBy": author.id,
            "draftRevision": "0" * 64,
        } | base

    async def _deploy(self, client: httpx.AsyncClient, word: str) -> str:
        """Our model for a group of its own; the id of its definition."""
        model = MODEL.read_bytes().replace(b"benefit-reviewers", word.encode())
        form = {"deployment-name": word, "tenant-id": word}
        address = f"{self.camunda_url}/deployment/create"
        answer = await client.post(address, data=form, files={"model.bpmn": ("model.bpmn", model)})
        assert answer.is_success, answer.text
        (definition,) = answer.json()["deployedProcessDefinitions"]
        return str(definition)

    async def _start(
        self,
        client: httpx.AsyncClient,
        places: asyncio.Semaphore,
        definition: str,
        draft_id: str,
        variables: Mapping[str, str],
    ) -> str:
        body = {
            "businessKey": draft_id,
            "variables": {name: {"value": value, "type": "String"} for name, value in variables.items()},
            "startInstructions": [{"type": "startBeforeActivity", "activityId": "review"}],
        }
        async with places:
            answer = await client.post(f"{self.camunda_url}/process-definition/{definition}/start", json=body)
        assert answer.is_success, answer.text
        return str(answer.json()["id"])

    async def _store_plans(self, client: httpx.AsyncClient, missing: int) -> None:
        """So many more plans, each with the version that drafts are based on, some with a later one."""
        numbers = range(len(self.versions), len(self.versions) + max(0, missing))
        plans = [
            {"resourceType": "InsurancePlan", "id": str(uuid.uuid4()), "name": f"Plan {number}", "status": "active"}
            for number in numbers
        ]
        self.versions.update(await self._put(client, plans))
        await self._put(client, [{**plan, "name": "Moved"} for plan in plans[3::MOVED]])

    async def _put(self, client: httpx.AsyncClient, plans: Sequence[Mapping[str, Any]]) -> dict[str, str]:
        versions = {}
        for chunk in chunks(plans):
            entries = [
                {"resource": plan, "request": {"method": "PUT", "url": f"InsurancePlan/{plan['id']}"}} for plan in chunk
            ]
            bundle = {"resourceType": "Bundle", "type": "batch", "entry": entries}
            answer = await client.post(self.aidbox_url, content=json.dumps(bundle), headers=FHIR_JSON)
            assert answer.is_success, answer.text
            for plan, entry in zip(chunk, answer.json()["entry"], strict=True):
                versions[str(plan["id"])] = entry["response"]["etag"].removeprefix("W/").strip('"')
        return versions
