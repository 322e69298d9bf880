"""The store moves at a certain moment of an approval, once, whichever replica brings it on. For scenarios.py."""

import asyncio
import json
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache

import httpx

from tests.serving import GOLD

OUTSIDE = {**json.loads(GOLD), "name": "Outside"}


class When(StrEnum):
    """After the task is completed: at once, or when its publication has begun, on the plan that the decision read."""

    DECIDED = "decided"
    LOCKED = "locked"


@dataclass(frozen=True)
class Move:
    """Somebody else's next version of a plan, at a moment of the approval of a task."""

    task_id: str
    plan_id: str
    base_version: str
    when: When


@dataclass(frozen=True)
class Moves:
    """What a replica's wires bring on."""

    camunda_url: str
    aidbox_url: str
    expected: tuple[Move, ...] = ()
    made: set[Move] = field(default_factory=set)

    async def after(self, call: str) -> None:
        """To be told `METHOD /path` of every call that succeeded."""
        for move in self.expected:
            if move not in self.made and self._is_moment(move, call):
                await asyncio.to_thread(self._store, move)

    def _is_moment(self, move: Move, call: str) -> bool:
        if move.when is When.DECIDED:
            return call.endswith(f"/task/{move.task_id}/complete")
        return call.endswith("/external-task/fetchAndLock")

    def _store(self, move: Move) -> None:
        """The base version has to be there still, and the task to be over. Several calls at once may bring it on."""
        address = f"{self.aidbox_url}/InsurancePlan/{move.plan_id}"
        if _client().get(f"{self.camunda_url}/task/{move.task_id}").status_code == 200:
            return
        condition = {"If-Match": f'W/"{move.base_version}"'}
        while _client().get(address).json()["meta"]["versionId"] == move.base_version:
            answer = _client().put(address, json={**OUTSIDE, "id": move.plan_id}, headers=condition)
            assert answer.is_success or answer.status_code in (409, 412), answer.text
        self.made.add(move)


@cache
def _client() -> httpx.Client:
    return httpx.Client(timeout=60, trust_env=False)
