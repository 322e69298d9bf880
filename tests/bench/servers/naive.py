"""What a first version does: one handler that asks everything anew for every task, side by side."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from resilience.postgres.pool import Connections
from tests.bench.query import SORTED, TASKS, VARIABLES, engine_address, environment

DRAFT = "SELECT id, name, upper(status) FROM benefit_plan_drafts WHERE camunda_process_id = %s"
STORE = environment("AIDBOX_URL")
ENGINE = engine_address()
AT_MOST = httpx.Limits(max_connections=50)


async def inbox(request: Request) -> Response:
    state = request.app.state
    limit = (await request.json())["variables"]["limit"]
    tasks = await _json(state, "POST", f"{ENGINE}/task", params={"maxResults": limit}, json={**TASKS, **SORTED})
    count = await _json(state, "POST", f"{ENGINE}/task/count", json=TASKS)
    items = await asyncio.gather(*(_item(state, task) for task in tasks))
    return JSONResponse({"data": {"pendingTasks": {"totalCount": count["count"], "items": items}}})


async def _item(state: Any, task: Any) -> dict[str, Any]:
    process = task["processInstanceId"]
    query = {"processInstanceIdIn": [process], "variableNameIn": VARIABLES}
    rows = await _json(state, "POST", f"{ENGINE}/history/variable-instance", json=query)
    variables = {row["name"]: row["value"] for row in rows}
    plan, version = variables["aidboxPlanId"], variables["baseVersion"]
    base = await _json(state, "GET", f"{STORE}/InsurancePlan/{plan}/_history/{version}") if plan else None
    now = await _json(state, "GET", f"{STORE}/InsurancePlan/{plan}") if plan else None
    return {
        "id": task["id"],
        "name": task["name"],
        "createdAt": f"{task['created'][:23]}000Z",
        "assignee": {"id": task["assignee"]} if task["assignee"] else None,
        "draft": await _draft(state, process),
        "basePlan": {"versionId": base["meta"]["versionId"]} if base else None,
        "currentPlan": {
            "versionId": now["meta"]["versionId"],
            "name": now["name"],
            "publishedAt": f"{now['meta']['lastUpdated'][:23]}000Z",
        }
        if now
        else None,
        "hasConflict": now["meta"]["versionId"] != version if now else False,
    }


async def _json(state: Any, method: str, url: str, **more: Any) -> Any:
    async with state.request_slots:
        response = await state.client.request(method, url, **more)
    response.raise_for_status()
    return response.json()


async def _draft(state: Any, process: str) -> dict[str, str] | None:
    async with state.database.connection() as connection:
        row = await (await connection.execute(DRAFT, [process])).fetchone()
    return dict(zip(("id", "name", "status"), row, strict=True)) if row else None


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    app.state.database = Connections(environment("RETOOL_DATABASE_URL"), size=10, application_name="bench")
    app.state.request_slots = asyncio.Semaphore(50)  # waiting for a connection of httpx's has a time-out
    async with httpx.AsyncClient(limits=AT_MOST, timeout=60) as app.state.client:
        yield


app = Starlette(routes=[Route("/graphql", inbox, methods=["POST"])], lifespan=lifespan)

if __name__ == "__main__":
    uvicorn.run(app, port=int(environment("PORT")), log_level="warning", access_log=False)
