"""The versions of the process models in the engine, and which of our approvals run on which."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from api.errors import Denied
from api.upstreams.camunda.authorizations import READ_HISTORY, READ_MODEL, demand
from api.upstreams.camunda.client import PAGE, Camunda
from doctor.deployment import Definition
from resilience.http.request import Params


class _Running(msgspec.Struct, frozen=True, rename="camel"):
    id: str
    process_definition_id: str


class _Counted(msgspec.Struct, frozen=True):
    count: int


@dataclass(frozen=True)
class Version:
    """A version of a process model; `process_ids`: our approvals that run on it. `others`: how many more run on it.

    Those are of another deployment, or were started by hand and belong to none yet.
    """

    definition: Definition
    process_ids: Sequence[str] = field(default_factory=tuple)
    others: int = 0


async def running_versions(camunda: Camunda, key: str) -> list[Version]:
    """The newest version of a model, and each older one that something runs on, newest first. Raises Denied.

    Empty when the model is not deployed.
    """
    await demand(camunda, READ_MODEL, READ_HISTORY)
    definitions, running = await asyncio.gather(_definitions(camunda, key), _running(camunda, key))
    ours = {each.id: [one.id for one in running if one.process_definition_id == each.id] for each in definitions}
    all_of_them = await asyncio.gather(*(_count(camunda, each.id) for each in definitions))
    versions = [
        Version(each, ours[each.id], others=max(0, count - len(ours[each.id])))
        for each, count in zip(definitions, all_of_them, strict=True)
    ]
    return [*versions[:1], *(each for each in versions[1:] if each.process_ids or each.others)]


async def all_described(camunda: Camunda) -> list[str]:
    """What runs on which version of each model of ours; a line that says why when this user may not see it."""
    try:
        found = [await running_versions(camunda, key) for key in camunda.own.process_keys]
    except Denied as denied:
        return [f"what runs on which version of the model is not known: {denied}"]
    return [line for versions in found for line in described(versions)]


def described(versions: Sequence[Version]) -> list[str]:
    """A line for each version: how many approvals run on it, and what to do about older ones. Pure."""
    return [_line(each, versions[0]) for each in versions]


def _line(version: Version, newest: Version) -> str:
    definition, count = version.definition, len(version.process_ids)
    others = f", {version.others} of other deployments" if version.others else ""
    line = f"{definition.key}, version {definition.version}: {count} running{others}"
    if version is newest or not count:
        return line
    return (
        f"{line}; they end on it, unless `plan-api setup --migrate` moves them to version {newest.definition.version}"
    )


async def _definitions(camunda: Camunda, key: str) -> list[Definition]:
    found: list[Definition] = []
    while len(found) % PAGE == 0:
        params: Params = {
            "key": key, "withoutTenantId": "true", "sortBy": "version", "sortOrder": "desc",
            "maxResults": PAGE, "firstResult": len(found),
        }  # fmt: skip
        response = await camunda.engine.call("GET", "/process-definition", params=params, idempotent=True)
        if not (page := camunda.engine.decode(response, list[Definition])):
            break
        found += page
    return found


async def _running(camunda: Camunda, key: str) -> list[_Running]:
    """Our approvals that run on any version of the model, suspended ones as well."""
    found: list[_Running] = []
    while len(found) % PAGE == 0:
        query = camunda.own.processes({"unfinished": True, "sorting": [{"sortBy": "instanceId", "sortOrder": "asc"}]})
        query = {name: value for name, value in query.items() if name != "processDefinitionKeyIn"}
        params: Params = {"maxResults": PAGE, "firstResult": len(found)}
        body = {**query, "processDefinitionKey": key}
        response = await camunda.engine.call(
            "POST", "/history/process-instance", body=body, params=params, idempotent=True
        )
        if not (page := camunda.engine.decode(response, list[_Running])):
            break
        found += page
    return found


async def _count(camunda: Camunda, definition_id: str) -> int:
    body = {"processDefinitionId": definition_id, "unfinished": True}
    response = await camunda.engine.call("POST", "/history/process-instance/count", body=body, idempotent=True)
    return camunda.engine.decode(response, _Counted).count
