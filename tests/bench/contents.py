"""What the systems behind the benchmark hold: as many tasks as asked, each with its process, draft and plan.

The patterns are recorded ones; ids, names and versions differ. One task in five is about a new plan, one in seven of
the others is in conflict. Used by replay.py for the answers, and by running.py for the drafts table.
"""

import json
from dataclasses import dataclass
from typing import Any

import psycopg

from tests.bench.recording import FILE
from tests.serving import GOLD

RECORDED: dict[str, Any] = json.loads(FILE.read_text("utf-8"))
BASE_VERSION = "3"


def task_id(number: int) -> str:
    return f"7adedb50-e871-11f1-8b00-{number:012x}"


def process_id(number: int) -> str:
    return f"7a9a0b06-e871-11f1-8b00-{number:012x}"


def draft_id(number: int) -> str:
    return f"5b0f3c1e-0001-4c6a-9a53-{number:012x}"


def plan_id(number: int) -> str | None:
    return None if number % 5 == 0 else f"3f6c2a54-6d0c-4d6e-9f0b-{number:012x}"


def current_version(number: int) -> str:
    return "4" if number % 7 == 0 else BASE_VERSION


@dataclass(frozen=True)
class Contents:
    """The answers' parts, as JSON bytes: `variables` by process id and name, the store's by plan id."""

    tasks: list[bytes]
    variables: dict[str, dict[str, bytes]]
    found: dict[str, bytes]
    found_narrowed: dict[str, bytes]
    version: dict[str, bytes]


def contents(count: int) -> Contents:
    """Of so many tasks."""
    plans = {plan: number for number in range(count) if (plan := plan_id(number))}
    return Contents(
        [encoded(_task(number)) for number in range(count)],
        {process_id(number): _variables(number) for number in range(count)},
        {plan: _entry("found", plan, current_version(number)) for plan, number in plans.items()},
        {plan: _entry("found_narrowed", plan, current_version(number)) for plan, number in plans.items()},
        {plan: _entry("version", plan, BASE_VERSION) for plan in plans},
    )


def encoded(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _task(number: int) -> dict[str, Any]:
    assignee = f"person-{number}@example.com" if number % 3 == 0 else None
    return {**RECORDED["task"], "id": task_id(number), "processInstanceId": process_id(number), "assignee": assignee}


def _variables(number: int) -> dict[str, bytes]:
    plan = plan_id(number)
    own = {
        "draftId": draft_id(number),
        "aidboxPlanId": plan,
        "baseVersion": BASE_VERSION if plan else None,
    }
    return {
        row["name"]: encoded(
            {**row, "processInstanceId": process_id(number), "value": own.get(row["name"], row["value"])}
        )
        for row in RECORDED["variables"]
    }


def _entry(kind: str, plan: str, version: str) -> bytes:
    entry = RECORDED[kind]
    resource = entry["resource"]
    meta = {**resource["meta"], "versionId": version}
    return encoded({**entry, "resource": {**resource, "id": plan, "meta": meta}})


def fill_drafts(url: str, count: int) -> None:
    """The drafts of so many tasks, in a table of the usual name, empty before."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("TRUNCATE benefit_plan_drafts")
        with (
            connection.cursor() as cursor,
            cursor.copy(
                "COPY benefit_plan_drafts (id, name, status, plan_data, aidbox_id, camunda_process_id, created_by)"
                " FROM STDIN"
            ) as copy,
        ):
            for number in range(count):
                name = f"Summit Gold PPO {number}"
                row = (draft_id(number), name, "submitted", GOLD, plan_id(number), process_id(number), "author")
                copy.write_row(row)
        connection.execute("VACUUM ANALYZE benefit_plan_drafts")
