"""Five thousand rows: what they cost behind the API, and an import of them that is stopped and repeated."""

import json
import os
import signal
import subprocess
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx

from resilience.postgres.pool import Connection
from tests.migration.conftest import ROOT, Old
from tests.wiretap import Send, tapped, tapped_database

ROWS = 5_000
PAGES = 10
RUNNING = 12
ENDED = 8


def many_rows(old: Old) -> None:
    """Most are over; a few are in approval, spread over all pages, of which some have ended."""
    table = old.settings.drafts_table
    ids = [f"draft-{number:04}-{uuid.uuid4()}" for number in range(ROWS)]
    old.behind.drafts.connection.execute(
        f"INSERT INTO {table} (id, name, plan_data, status, created_by, updated_at)"  # noqa: S608  # a name of our own
        " SELECT id, 'A plan', '{}', 'draft', 'author', '2026-01-01' FROM unnest(%s::text[]) AS id",
        [ids],
    )
    in_approval = ids[:: ROWS // (RUNNING + ENDED)]
    started = {draft_id: old.start(draft_id) for draft_id in in_approval}
    for process_id in [*started.values()][:ENDED]:
        old.decide(process_id, approved=False)
    rows = [
        (draft_id, started.get(draft_id, str(uuid.uuid4())), "pending" if draft_id in started else "rejected")
        for draft_id in ids
    ]
    with old.connection.cursor().copy(f"COPY {old.table.table} (draft_id, process_id, status) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


class Calls:
    """Calls as `METHOD /path` without ids, and the first words of statements."""

    def __init__(self) -> None:
        self.counts = Counter[str]()

    async def request(self, request: httpx.Request, send: Send) -> httpx.Response:
        parts = ["…" if part.count("-") == 4 else part for part in request.url.path.split("/")]
        self.counts[f"{request.method} {'/'.join(parts).removeprefix('/engine-rest')}"] += 1
        return await send(request)

    async def statement(self, _connection: Connection, text: str, execute: Callable[[], Awaitable[Any]]) -> Any:
        self.counts[text.split(maxsplit=1)[0]] += 1
        return await execute()

    @property
    def parts(self) -> dict[str, Any]:
        return {"transports": tapped(self.request), "connection_class": tapped_database(statement=self.statement)}


def test_stopped_and_repeated_and_what_it_costs(of_its_own: Old, tmp_path: Path) -> None:
    old = of_its_own
    many_rows(old)
    _stopped_after_the_first_lines(old, tmp_path / "killed.json", signal.SIGKILL)
    _stopped_after_the_first_lines(old, tmp_path / "stopped.json", signal.SIGINT)
    stopped = json.loads((tmp_path / "stopped.json").read_text("utf-8"))
    assert stopped["isComplete"] is False
    assert 0 < len(stopped["rows"]) < ROWS
    assert sum(stopped["summary"].values()) == len(stopped["rows"])

    found = Counter(entry.result.value for entry in old.imported())
    assert found["cannot"] == 0
    assert found.total() == ROWS
    named = old.behind.drafts.connection.execute(
        f"SELECT status, count(*) FROM {old.settings.drafts_table} WHERE camunda_process_id IS NOT NULL GROUP BY 1"  # noqa: S608  # as above
    ).fetchall()
    assert dict(named) == {"submitted": RUNNING, "rejected": ENDED}

    calls = Calls()
    again = Counter(entry.result.value for entry in old.imported(**calls.parts))
    assert again == {"already": ROWS}
    assert calls.counts == {
        "SELECT": PAGES + 1,
        # Which processes the history has; that none of the others is hidden from this service, but runs.
        "POST /history/process-instance": 2 * PAGES,
        "GET /authorization/check": 3 * PAGES,
        "POST /process-instance/count": PAGES,
        "POST /history/variable-instance": PAGES,
    }


def _stopped_after_the_first_lines(old: Old, report: Path, how: signal.Signals) -> None:
    words = old.command("--report", str(report))
    environment = {**old.environment, "PYTHONUNBUFFERED": "1"}
    # Whoever runs the tests in the background has SIGINT ignored, and what they start would ignore it, too.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(words, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:  # noqa: S603  # our own interpreter
        signal.signal(signal.SIGINT, before)
        assert process.stdout is not None
        assert process.stdout.readline()
        os.kill(process.pid, how)
        process.communicate(timeout=60)
        assert process.returncode != 0
