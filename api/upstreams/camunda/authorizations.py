"""The engine's authorizations: those that this service's user needs, and how it is made sure that it has them.

With authorization on, the engine does not refuse to list what its user may not read: it answers with an empty list. So
an empty answer counts as "there is none" only where the engine says that this user may read it.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from api.errors import Denied
from api.upstreams.camunda.client import Camunda
from resilience.http.request import Params

RESOURCES = {"ProcessDefinition": 6, "Task": 7, "ProcessInstance": 8, "Deployment": 9, "Batch": 13}
UNAUTHENTICATED = "InvalidRequestException"  # of an engine that asks nobody who they are, and so checks nothing

_log = logging.getLogger(__name__)

Permission = tuple[str, str]
"""A permission and the resource it is on: of our process definitions, or of every task, instance, deployment."""


@dataclass(frozen=True)
class Need:
    """What the service does, and the permissions that allow it: all of one of these alternatives."""

    purpose: str
    alternatives: tuple[tuple[Permission, ...], ...]

    def named(self, keys: Sequence[str]) -> str:
        """The permissions of the first alternative, with what they are on."""
        definitions = f"ProcessDefinition {', '.join(keys)}"
        return " and ".join(
            f"{permission} on {definitions if kind == 'ProcessDefinition' else f'{kind} *'}"
            for permission, kind in self.alternatives[0]
        )


def _need(purpose: str, *alternatives: str) -> Need:
    """Each alternative as "PERMISSION Resource", several of them joined by "+"."""
    parts = (tuple(each.split("+")) for each in alternatives)
    return Need(purpose, tuple(tuple((each.split()[0], each.split()[1]) for each in part) for part in parts))


READ_MODEL = _need("read the process model", "READ ProcessDefinition")
START = _need("start approvals", "CREATE_INSTANCE ProcessDefinition+CREATE ProcessInstance")
READ_HISTORY = _need("read variables, decisions and past approvals", "READ_HISTORY ProcessDefinition")
READ_TASKS = _need("read tasks", "READ_TASK ProcessDefinition", "READ Task")
UPDATE_TASKS = _need(
    "claim, hand over and complete tasks",
    "UPDATE_TASK ProcessDefinition",
    "UPDATE Task",
    "TASK_WORK ProcessDefinition+TASK_ASSIGN ProcessDefinition",
)
READ_INSTANCES = _need("read what processes wait for", "READ_INSTANCE ProcessDefinition", "READ ProcessInstance")
UPDATE_INSTANCES = _need(
    "carry out and withdraw approvals", "UPDATE_INSTANCE ProcessDefinition", "UPDATE ProcessInstance"
)
NEEDS = (READ_MODEL, START, READ_HISTORY, READ_TASKS, UPDATE_TASKS, READ_INSTANCES, UPDATE_INSTANCES)
DEPLOY = _need("deploy the process model, for `plan-api setup`", "CREATE Deployment")
MIGRATE = _need(
    "move running approvals to another version, for `plan-api setup --migrate`",
    "MIGRATE_INSTANCE ProcessDefinition+CREATE Batch+READ Batch+DELETE Batch",
)


class _Checked(msgspec.Struct, frozen=True):
    authorized: bool | None = None
    type: str | None = None


async def missing(camunda: Camunda, needs: Sequence[Need]) -> list[Need]:
    """Those that the service's user does not have: a request each, and one more for each alternative it lacks."""
    met = await asyncio.gather(*(_is_met(camunda, need) for need in needs))
    return [need for need, is_met in zip(needs, met, strict=True) if not is_met]


async def demand(camunda: Camunda, *needs: Need) -> None:
    """Make sure that what was not found is not there, and is not only hidden. Raises Denied, which names what lacks."""
    if lacking := await missing(camunda, needs):
        keys = camunda.own.process_keys
        message = "; ".join(f"to {need.purpose} it needs {need.named(keys)}" for need in lacking)
        _log.error("a permission is missing in the engine", extra={"reason": message})
        raise Denied("camunda", f"The engine does not show this service all of an approval: {message}", status=403)


def hidden() -> Denied:
    """Of a process that is there, but without the variables that each of ours has."""
    message = (
        "The engine does not show this service the variables of an approval; `plan-api check` says which permission "
        "is missing, or that the history keeps too little"
    )
    return Denied("camunda", message)


async def _is_met(camunda: Camunda, need: Need) -> bool:
    for alternative in need.alternatives:
        if all([await _has(camunda, *permission) for permission in alternative]):
            return True
    return False


async def _has(camunda: Camunda, permission: str, kind: str) -> bool:
    params: Params = {"permissionName": permission, "resourceName": kind, "resourceType": RESOURCES[kind]}
    if kind != "ProcessDefinition":
        return await _is_authorized(camunda, params)
    return all([await _is_authorized(camunda, {**params, "resourceId": key}) for key in camunda.own.process_keys])


async def _is_authorized(camunda: Camunda, params: Params) -> bool:
    answer = await camunda.engine.call(
        "GET", "/authorization/check", params=params, answers=(200, 401), idempotent=True
    )
    if answer.status_code == 200:
        return camunda.engine.decode(answer, _Checked).authorized is True
    if answer.content and camunda.engine.decode(answer, _Checked).type == UNAUTHENTICATED:
        return True
    raise Denied("camunda", "camunda does not accept this service's credentials", status=401)
