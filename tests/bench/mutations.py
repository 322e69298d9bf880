# ruff: noqa: S608  # statements of our own constants
"""`python -m tests.bench.mutations`: a draft submitted and approved by the service, and by hand with the same checks.

By hand is one asyncio program with aiohttp and psycopg, connections open: the fewest calls by which a draft is
submitted and approved as safely. It reads the plan's version and the draft's revision, starts the process, carries out
its external tasks under a lock, publishes on the condition that nothing has moved, and records the approval as a
Provenance, of what it knows without asking. The two take turns.
"""

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import aiohttp
import orjson
import psycopg
import uvloop

from tests.bench.load import Client, connected, http_request
from tests.bench.processes import python, serving
from tests.engine_access import engine_settings
from tests.serving import AUTHOR, GOLD, REVIEWER, Drafts, Someone

REVISION = "encode(sha256(convert_to(jsonb_build_array(name, plan_data::text)::text, 'UTF8')), 'hex')"
TOPICS = [
    {
        "topicName": topic,
        "lockDuration": 20_000,
        "processDefinitionKey": "benefit-approval",
        "processVariables": {"draftSource": "retool"},
    }
    for topic in ("register-submission", "publish-plan", "record-outcome")
]
FHIR = {"Content-Type": "application/fhir+json"}
WARM = 10  # rounds before those that count
SUBMIT = """mutation Submit($id: ID!) { submitForApproval(input: {draftId: $id}) {
  processId status draft { id status } userErrors { code } } }"""
APPROVE = """mutation Approve($id: ID!) { completeApproval(input: {taskId: $id, approved: true}) {
  status draft { id status } plan { id versionId } userErrors { code } } }"""


class Way(Protocol):
    """How a draft is submitted and approved."""

    async def submit(self, draft_id: str) -> None: ...
    async def approve(self, task_id: str, draft_id: str) -> None: ...


class ByHand:
    """The sequence somebody would write."""

    def __init__(self, http: aiohttp.ClientSession, engine: str, store: str, sql: psycopg.AsyncConnection[Any]) -> None:
        self._http, self._engine, self._store, self._sql = http, engine, store, sql

    async def submit(self, draft_id: str) -> None:
        """Four requests, two statements."""
        query = f"SELECT aidbox_id, created_by, {REVISION} FROM benefit_plan_drafts WHERE id = %s AND status = 'draft'"
        plan_id, author, revision = await self._row(query, draft_id)
        plan = await self.json("GET", f"{self._store}/InsurancePlan/{plan_id}")
        given = {
            "draftId": draft_id,
            "draftSource": "retool",
            "draftRevision": revision,
            "submittedBy": author,
            "aidboxPlanId": plan_id,
            "baseVersion": plan["meta"]["versionId"],
        }
        body = {"businessKey": draft_id, "variables": {name: {"value": value} for name, value in given.items()}}
        await self.json("POST", f"{self._engine}/process-definition/key/benefit-approval/start", body)
        (task,) = await self._locked(draft_id)
        registered = await self._row(
            "UPDATE benefit_plan_drafts SET status = 'submitted', camunda_process_id = %s, updated_at = now()"
            f" WHERE id = %s AND status = 'draft' AND {REVISION} = %s RETURNING status",
            task["processInstanceId"], draft_id, revision,
        )  # fmt: skip
        assert registered == ("submitted",)
        await self._complete(task, {})

    async def approve(self, task_id: str, draft_id: str) -> None:
        """Nine requests, three statements."""
        offered = {"taskId": task_id, "orQueries": [{"assignee": "reviewer", "candidateGroups": ["benefit-reviewers"]}]}
        (task,) = await self.json(
            "POST", f"{self._engine}/task", {**offered, "processDefinitionKey": "benefit-approval"}
        )
        asked = {"processInstanceIdIn": [task["processInstanceId"]]}
        rows = await self.json("POST", f"{self._engine}/history/variable-instance?deserializeValues=false", asked)
        values = {row["name"]: row["value"] for row in rows}
        assert (values["draftId"], values["submittedBy"] != "reviewer") == (draft_id, True)
        path = f"{self._store}/InsurancePlan/{values['aidboxPlanId']}"
        revised = f"SELECT {REVISION} FROM benefit_plan_drafts WHERE id = %s AND camunda_process_id = %s"
        (revision,), plan = await asyncio.gather(
            self._row(revised, draft_id, task["processInstanceId"]), self.json("GET", path)
        )
        assert (revision, plan["meta"]["versionId"]) == (values["draftRevision"], values["baseVersion"])
        await self.json("POST", f"{self._engine}/task/{task_id}/claim", {"userId": "reviewer"})
        decided = {"approved": True, "approvedBy": "reviewer", "decider": "reviewer"}
        body = {"variables": {name: {"value": value} for name, value in decided.items()}}
        await self.json("POST", f"{self._engine}/task/{task_id}/complete", body)
        (external,) = await self._locked(draft_id)
        query = f"SELECT plan_data::text, {REVISION} FROM benefit_plan_drafts WHERE id = %s"
        document, revision = await self._row(query, draft_id)
        assert revision == values["draftRevision"]
        tag = {"system": "urn:plan-api:process", "code": task["processInstanceId"]}
        resource = {**json.loads(document), "id": values["aidboxPlanId"], "meta": {"tag": [tag]}}
        condition = {"If-Match": f'W/"{values["baseVersion"]}"', "Content-Type": "application/fhir+json"}
        stored = await self.json("PUT", path, resource, condition)
        await self.json("PUT", f"{self._store}/Provenance/{task_id}", _record(task_id, stored, values), FHIR)
        marked = await self._row(
            "UPDATE benefit_plan_drafts SET status = 'approved', aidbox_id = %s, updated_at = now()"
            " WHERE id = %s AND status = 'submitted' AND camunda_process_id = %s RETURNING status",
            stored["id"], draft_id, task["processInstanceId"],
        )  # fmt: skip
        assert marked == ("approved",)
        await self._complete(external, {"publishedVersion": {"value": stored["meta"]["versionId"]}})

    async def _locked(self, draft_id: str) -> Any:
        topics = [{**topic, "businessKey": draft_id} for topic in TOPICS]
        body = {"workerId": "by-hand", "maxTasks": 3, "topics": topics}
        return await self.json("POST", f"{self._engine}/external-task/fetchAndLock", body)

    async def _complete(self, task: dict[str, Any], variables: object) -> None:
        body = {"workerId": "by-hand", "variables": variables}
        await self.json("POST", f"{self._engine}/external-task/{task['id']}/complete", body)

    async def _row(self, query: Any, *values: str) -> Any:
        return await (await self._sql.execute(query, values)).fetchone()

    async def json(self, method: str, url: str, body: object = None, headers: dict[str, str] | None = None) -> Any:
        """The answer of one request."""
        sending = {"Content-Type": "application/json", **(headers or {})}
        sent = None if body is None else orjson.dumps(body)
        async with self._http.request(method, url, data=sent, headers=sending) as answer:
            text = await answer.read()
            assert answer.status < 300, text
            return orjson.loads(text) if text else None


def _record(task_id: str, stored: Any, values: dict[str, Any]) -> dict[str, Any]:
    """The approval as FHIR's Provenance has it: of which version, when, and by whom."""
    version = f"InsurancePlan/{stored['id']}/_history/{stored['meta']['versionId']}"
    return {
        "resourceType": "Provenance",
        "id": task_id,
        "target": [{"reference": version}],
        "recorded": stored["meta"]["lastUpdated"],
        "agent": [{"who": {"display": each}} for each in (values["submittedBy"], "reviewer")],
    }


class ByService:
    """The service's two mutations."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def submit(self, draft_id: str) -> None:
        assert b'"status":"SUBMITTED"' in await self._client.ask(_request(SUBMIT, AUTHOR, draft_id))

    async def approve(self, task_id: str, _draft_id: str) -> None:
        assert b'"status":"APPROVED"' in await self._client.ask(_request(APPROVE, REVIEWER, task_id))


def _request(query: str, someone: Someone, named: str) -> bytes:
    return http_request("/graphql", someone.headers, orjson.dumps({"query": query, "variables": {"id": named}}))


@dataclass
class Taken:
    """Milliseconds of each round."""

    submit: list[float] = field(default_factory=list)
    approve: list[float] = field(default_factory=list)


async def rounds(given: argparse.Namespace, port: int) -> Iterator[str]:
    """A line for each mutation: medians, and their ratio."""
    engine, drafts = engine_settings(given.camunda_url), Drafts(given.retool_dsn)
    auth = aiohttp.BasicAuth(engine["camunda_username"], engine["camunda_password"])
    by_hand, by_service = Taken(), Taken()
    async with (
        aiohttp.ClientSession(auth=auth) as http,
        await psycopg.AsyncConnection.connect(given.retool_dsn, autocommit=True) as sql,
        connected(port, 1) as (client,),
    ):
        hand = ByHand(http, engine["camunda_url"], given.aidbox_url, sql)
        ways: list[tuple[Way, Taken]] = [(hand, by_hand), (ByService(client), by_service)]
        for number in range(2 * (given.rounds + WARM)):
            way, taken = ways[number % 2]
            stored = await hand.json("POST", f"{given.aidbox_url}/InsurancePlan", json.loads(GOLD), FHIR)
            draft_id = drafts.new(
                "Bench", json.dumps({**json.loads(GOLD), "name": f"Bench {number}"}), aidbox_id=stored["id"]
            )
            begun = time.perf_counter()
            await way.submit(draft_id)
            submitted = time.perf_counter()
            (task,) = await hand.json("POST", f"{engine['camunda_url']}/task", {"processInstanceBusinessKey": draft_id})
            found = time.perf_counter()
            await way.approve(task["id"], draft_id)
            taken.submit.append((submitted - begun) * 1000)
            taken.approve.append((time.perf_counter() - found) * 1000)
    return (_line(name, getattr(by_service, name), getattr(by_hand, name)) for name in ("submit", "approve"))


def _line(name: str, service: list[float], hand: list[float]) -> str:
    mine, theirs = statistics.median(service[WARM:]), statistics.median(hand[WARM:])
    return f"{name}: p50 {mine:.1f} ms, by hand {theirs:.1f} ms: {mine / theirs:.2f} times"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.mutations", description=__doc__)
    for name in ("--retool-dsn", "--camunda-url", "--aidbox-url"):
        parser.add_argument(name, required=True, help="of a running sandbox")
    parser.add_argument("--rounds", type=int, default=60)
    given = parser.parse_args()
    environment = {
        "RETOOL_DATABASE_URL": given.retool_dsn,
        **{name.upper(): value for name, value in engine_settings(given.camunda_url).items()},
        "AIDBOX_URL": given.aidbox_url,
        "AUTH": "headers",
        "WORKER": "false",
        "LOG_LEVEL": "error",
        "VALIDATE_PLANS": "false",
    }
    with serving("plan-api", python("api", "serve"), environment) as measured:
        for line in uvloop.run(rounds(given, measured.port)):
            print(line, flush=True)  # noqa: T201  # what this program is for


if __name__ == "__main__":
    main()
