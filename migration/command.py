"""`plan-api import`: the import with its progress on a terminal, its lines, its report, and its exit code."""

from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from api.coordination.policy import policy_of
from api.errors import Misconfigured
from api.settings import Settings
from api.upstreams import open_upstreams
from migration import OldTable, Report, Result, columns_of, import_rows, reading, reporting

COLUMNS = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())


def old_table(dsn: str, table: str, columns: str, over: str) -> OldTable:
    """The old table as the command's options name it. Raises Misconfigured, never with the DSN and its password."""
    try:
        conninfo_to_dict(dsn)
    except psycopg.ProgrammingError:
        raise Misconfigured("--from must be a connection string, like postgresql://user@host/database") from None
    named = OldTable(dsn, table, columns_of(columns))
    statuses = [status for status in over.split(",") if status.strip()]
    return replace(named, over=statuses) if statuses else named


async def run(
    settings: Settings, old: OldTable, *, is_dry_run: bool, verifies: bool, report: Path | None, console: Console
) -> int:
    """Import, or only say what an import would do; the exit code. 1: rows remain. Raises ServiceError."""
    is_dry = is_dry_run or verifies
    with (
        reporting(report, is_dry_run=is_dry) as written,
        Progress(*COLUMNS, console=console, transient=True, disable=not console.is_terminal) as progress,
    ):
        async with open_upstreams(settings) as upstreams, reading(old) as (count, pages):
            bar = progress.add_task("Rows", total=count)
            rows = import_rows(upstreams, policy_of(settings), pages, is_dry_run=is_dry)
            async with aclosing(rows):
                async for entry in rows:
                    written.add(entry)
                    _say(console, entry.line)
                    progress.advance(bar)
    _say(console, _summary(written, is_dry_run=is_dry))
    if verifies:
        _say(console, _verdict(written))
    return 0 if _is_over(written, verifies=verifies) else 1


def _say(console: Console, line: str) -> None:
    """A line as it is, above the progress bar if there is one."""
    console.print(line, markup=False, highlight=False, soft_wrap=True)


def _is_over(report: Report, *, verifies: bool) -> bool:
    return report.counts[Result.CANNOT] == 0 and not (verifies and report.counts[Result.DONE])


def _summary(report: Report, *, is_dry_run: bool) -> str:
    done = "to do" if is_dry_run else "done"
    counts = report.counts
    return f"{counts[Result.DONE]} {done}, {counts[Result.ALREADY]} already, {counts[Result.CANNOT]} cannot"


def _verdict(report: Report) -> str:
    if _is_over(report, verifies=True):
        return "The old table can be dropped: nothing of it is needed any longer."
    remaining = report.counts[Result.DONE] + report.counts[Result.CANNOT]
    return f"The old table is still needed: {remaining} of {report.counts.total()} rows are not moved."
