"""`plan-api import` as people run it: its lines, its report, its exit codes, and what it says of wrong options."""

import json
import uuid
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from migration.command import run
from tests.migration.conftest import Old


def report(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


def test_dry_run_import_verify(old: Old, tmp_path: Path) -> None:
    draft_id, process_id = old.submitted()
    over = old.behind.drafts.new()
    old.row(over, None, "rejected")
    before = [old.behind.picture(each) for each in (draft_id, over)], old.behind.variables(process_id)

    why = f"process {process_id}: adopted, set draftId, draftRevision, draftSource, submittedBy"
    lines = sorted([f"done    {draft_id}: {why}", f"already {over}: it was rejected, and the draft is in no approval"])
    for word in ("--dry-run", "--verify"):
        ran = old.run(word, "--report", str(tmp_path / "dry.json"))
        told = ran.stdout.splitlines()
        assert (sorted(told[:2], reverse=True), ran.stderr) == (sorted(lines, reverse=True), "")
        verdict = ["The old table is still needed: 1 of 2 rows are not moved."] if word == "--verify" else []
        assert (told[2:], ran.exit_code) == (["1 to do, 1 already, 0 cannot", *verdict], int(word == "--verify"))
        assert report(tmp_path / "dry.json")["isDryRun"] is True
    assert ([old.behind.picture(each) for each in (draft_id, over)], old.behind.variables(process_id)) == before

    ran = old.run("--report", str(tmp_path / "report.json"))
    assert (ran.exit_code, ran.stdout.splitlines()[-1]) == (0, "1 done, 1 already, 0 cannot")
    found = report(tmp_path / "report.json")
    rows = {row["draftId"]: row for row in found.pop("rows")}
    assert found == {"isDryRun": False, "summary": {"done": 1, "already": 1, "cannot": 0}, "isComplete": True}
    assert rows[draft_id] == {
        "draftId": draft_id,
        "processId": process_id,
        "status": "in_review",
        "result": "done",
        "why": f"{why}; the draft is in approval by process {process_id}",
    }

    ran = old.run("--verify")
    assert (ran.exit_code, ran.stdout.splitlines()[-2:]) == (
        0,
        ["0 to do, 2 already, 0 cannot", "The old table can be dropped: nothing of it is needed any longer."],
    )


@pytest.mark.anyio
@pytest.mark.parametrize("is_terminal", [True, False])
async def test_progress_is_for_terminals(old: Old, *, is_terminal: bool) -> None:
    old.row(None)
    console = Console(file=StringIO(), force_terminal=is_terminal, width=200)
    ended = await run(old.settings, old.table, is_dry_run=False, verifies=False, report=None, console=console)
    assert isinstance(console.file, StringIO)
    told = console.file.getvalue()
    assert ("Rows" in told, "0/1" in told or "1/1" in told) == (is_terminal, is_terminal)
    assert ended == 1
    assert "cannot  (no draft): the row names no draft: delete it, or write its draft\n" in told
    assert told.endswith("0 done, 0 already, 1 cannot\n")


def test_what_can_not_be_moved_is_exit_code_1(old: Old) -> None:
    old.row(old.behind.drafts.new(), str(uuid.uuid4()))
    for words in ((), ("--dry-run",), ("--verify",)):
        assert old.run(*words).exit_code == 1


def test_columns_and_statuses_as_the_table_has_them(old: Old) -> None:
    old.connection.execute(
        f"ALTER TABLE {old.table.table} DROP COLUMN base_version, DROP COLUMN submitted_at;"
        f" ALTER TABLE {old.table.table} RENAME COLUMN draft_id TO plan_draft;"
        f' ALTER TABLE {old.table.table} RENAME COLUMN status TO "Workflow State"'
    )
    gone = str(uuid.uuid4())
    old.connection.execute(
        f"INSERT INTO {old.table.table} (plan_draft, \"Workflow State\") VALUES (%s, 'FINI')",  # noqa: S608  # names of our own
        [gone],
    )
    columns = "draft_id=plan_draft, status=Workflow State, base_version=, submitted_at="
    ran = old.run("--columns", columns, "--over", "fini,annulé")
    assert ran.stdout.splitlines() == [
        f"already {gone}: it was FINI, and the draft is not there any longer",
        "0 done, 1 already, 0 cannot",
    ]
    ran = old.run("--columns", columns)
    assert (ran.exit_code, ran.stdout.splitlines()[-1]) == (1, "0 done, 0 already, 1 cannot")


def test_what_is_wrong_is_one_line(old: Old, tmp_path: Path) -> None:
    secret = "s3cret-word"
    for words, told in (
        (("--table", "no_such_table"), 'relation "no_such_table" does not exist'),
        (("--columns", "status=no_such_column"), 'column "no_such_column" does not exist'),
        (("--columns", "draft=x"), "--columns must be entries like draft_id=column"),
        (("--columns", "draft_id"), "--columns must be entries like draft_id=column"),
        (("--columns", "draft_id="), "--columns must name a column for draft_id"),
        (("--report", str(tmp_path / "no" / "such.json")), "The report can not be written"),
        (("--from", f"postgresql://somebody:{secret}@127.0.0.1:9/old"), "The old database can not be read"),
        (("--from", f"postgres//somebody:{secret}@old"), "--from must be a connection string"),
        (("--from", f"password {secret}"), "--from must be a connection string"),
    ):
        ran = old.run(*words)
        assert (ran.exit_code, ran.stdout, len(ran.stderr.splitlines())) == (1, "", 1), words
        assert ran.stderr.startswith("plan-api: ")
        assert told in ran.stderr
        assert secret not in ran.stderr
