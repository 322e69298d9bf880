"""A GraphQL server as anybody would write it: Strawberry's own integration, resolvers, aiodataloader, httpx.

It batches as the service does, and makes as many requests.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import httpx
import strawberry
import uvicorn
from aiodataloader import DataLoader
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from strawberry.asgi import GraphQL

from resilience.postgres.pool import Connections
from tests.bench.query import SORTED, TASKS, VARIABLES, engine_address, environment

ENGINE = engine_address()
STORE = environment("AIDBOX_URL")
DRAFTS = (
    "SELECT camunda_process_id, id, name, upper(status) FROM benefit_plan_drafts WHERE camunda_process_id = ANY(%s)"
)
CHUNK = 100


@strawberry.type
class Person:
    id: strawberry.ID


@strawberry.type
class Draft:
    id: strawberry.ID
    name: str
    status: str


@strawberry.type
class PlanVersion:
    resource: strawberry.Private[Any]

    @strawberry.field
    def version_id(self) -> str:
        return str(self.resource["meta"]["versionId"])

    @strawberry.field
    def name(self) -> str:
        return str(self.resource["name"])

    @strawberry.field
    def published_at(self) -> str:
        return _instant(self.resource["meta"]["lastUpdated"])


@strawberry.type
class Task:
    task: strawberry.Private[Any]

    @strawberry.field
    def id(self) -> strawberry.ID:
        return strawberry.ID(self.task["id"])

    @strawberry.field
    def name(self) -> str:
        return str(self.task["name"])

    @strawberry.field
    def created_at(self) -> str:
        return _instant(self.task["created"])

    @strawberry.field
    def assignee(self) -> Person | None:
        return Person(id=self.task["assignee"]) if self.task["assignee"] else None

    @strawberry.field
    async def draft(self, info: strawberry.Info) -> Draft | None:
        found: Draft | None = await info.context["drafts"].load(self.task["processInstanceId"])
        return found

    @strawberry.field
    async def base_plan(self, info: strawberry.Info) -> PlanVersion | None:
        variables = await self._variables(info)
        if variables["aidboxPlanId"] is None:
            return None
        resource = await info.context["versions"].load((variables["aidboxPlanId"], variables["baseVersion"]))
        return PlanVersion(resource=resource) if resource else None

    @strawberry.field
    async def current_plan(self, info: strawberry.Info) -> PlanVersion | None:
        variables = await self._variables(info)
        if variables["aidboxPlanId"] is None:
            return None
        resource = await info.context["plans"].load(variables["aidboxPlanId"])
        return PlanVersion(resource=resource) if resource else None

    @strawberry.field
    async def has_conflict(self, info: strawberry.Info) -> bool:
        variables = await self._variables(info)
        if variables["aidboxPlanId"] is None:
            return False
        resource = await info.context["plans"].load(variables["aidboxPlanId"])
        return bool(resource["meta"]["versionId"] != variables["baseVersion"])

    async def _variables(self, info: strawberry.Info) -> dict[str, str | None]:
        found: dict[str, str | None] = await info.context["variables"].load(self.task["processInstanceId"])
        return found


def _instant(text: str) -> str:
    moment = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%f%z")
    return moment.isoformat().replace("+00:00", "Z")


@strawberry.type
class TaskPage:
    limit: strawberry.Private[int]

    @strawberry.field
    async def items(self, info: strawberry.Info) -> list[Task]:
        rows = await info.context["post"](f"{ENGINE}/task", params={"maxResults": self.limit}, json={**TASKS, **SORTED})
        return [Task(task=row) for row in rows]

    @strawberry.field
    async def total_count(self, info: strawberry.Info) -> int:
        counted = await info.context["post"](f"{ENGINE}/task/count", json=TASKS)
        return int(counted["count"])


@strawberry.type
class Query:
    @strawberry.field
    def pending_tasks(self, limit: int = 50) -> TaskPage:
        return TaskPage(limit=limit)


def loaders(post: Callable[..., Awaitable[Any]], database: Connections) -> dict[str, Any]:
    async def variables(processes: list[str]) -> list[dict[str, Any]]:
        query = {"processInstanceIdIn": processes, "variableNameIn": VARIABLES}
        held: dict[str, dict[str, Any]] = {process: {} for process in processes}
        for row in await post(f"{ENGINE}/history/variable-instance", json=query):
            held[row["processInstanceId"]][row["name"]] = row["value"]
        return [held[process] for process in processes]

    async def drafts(processes: list[str]) -> list[Draft | None]:
        async with database.connection() as connection:
            rows = await (await connection.execute(DRAFTS, [processes])).fetchall()
        found = {row[0]: Draft(id=row[1], name=row[2], status=row[3]) for row in rows}
        return [found.get(process) for process in processes]

    async def plans(ids: list[str]) -> list[Any]:
        pages = [ids[at : at + CHUNK] for at in range(0, len(ids), CHUNK)]
        forms = [{"_id": ",".join(page), "_count": len(page), "_elements": "id,meta,name"} for page in pages]
        found = await asyncio.gather(*(post(f"{STORE}/InsurancePlan/_search", data=form) for form in forms))
        resources = {entry["resource"]["id"]: entry["resource"] for page in found for entry in page["entry"]}
        return [resources.get(plan) for plan in ids]

    async def versions(keys: list[tuple[str, str]]) -> list[Any]:
        urls = [f"InsurancePlan/{plan}/_history/{version}" for plan, version in keys]
        entries = [{"request": {"method": "GET", "url": url}} for url in urls]
        pages = [entries[at : at + CHUNK] for at in range(0, len(keys), CHUNK)]
        bundles = [{"resourceType": "Bundle", "type": "batch", "entry": page} for page in pages]
        found = await asyncio.gather(*(post(STORE, json=bundle) for bundle in bundles))
        return [entry["resource"] for page in found for entry in page["entry"]]

    batches: dict[str, Any] = {"variables": variables, "drafts": drafts, "plans": plans, "versions": versions}
    return {"post": post, **{name: DataLoader(batch) for name, batch in batches.items()}}


class Inbox(GraphQL):
    async def get_context(self, request: Request | Any, response: Response | Any) -> Any:
        del response
        state = request.app.state

        async def post(url: str, **more: Any) -> Any:
            answer = await state.client.post(url, **more)
            answer.raise_for_status()
            return answer.json()

        return loaders(post, state.database)


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    app.state.database = Connections(environment("RETOOL_DATABASE_URL"), size=10, application_name="bench")
    async with httpx.AsyncClient(timeout=60) as app.state.client:
        yield


app = Starlette(routes=[Route("/graphql", Inbox(strawberry.Schema(Query)))], lifespan=lifespan)

if __name__ == "__main__":
    uvicorn.run(app, port=int(environment("PORT")), log_level="warning", access_log=False)
