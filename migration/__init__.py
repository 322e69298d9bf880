"""The move from the service with a database: its table is read, and each approval of it becomes one of this service.

`import_rows` is `plan-api import`. To be deleted, with its command and docs/migration.md, when nobody moves any longer.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence

from api.coordination.policy import Policy
from api.upstreams import Upstreams
from migration.facts import Facts, facts_of
from migration.old_table import OldRow, OldTable, columns_of, reading
from migration.report import Entry, Report, Result, reporting
from migration.steps import carry_out
from migration.verdicts import Already, Cannot, Step, Verdict, judge

__all__ = ["Entry", "OldTable", "Report", "Result", "columns_of", "import_rows", "reading", "reporting"]

ROUNDS = 4  # an earlier process ends, the next is adopted, the one before it is named, and all of it is read again


async def import_rows(
    upstreams: Upstreams, policy: Policy, pages: AsyncIterator[Sequence[OldRow]], *, is_dry_run: bool
) -> AsyncGenerator[Entry, None]:
    """What became of each row, after it was written and read again. Idempotent, and may be stopped at any point.

    Each row's own state is read from the three systems, so that nothing has to be remembered of an earlier import. Two
    imports at a time do no harm: every write is conditional, or the same. Raises UpstreamFailed.
    """
    async for rows in pages:
        for entry in await _imported(upstreams, policy, rows, is_dry_run=is_dry_run):
            yield entry


async def _imported(upstreams: Upstreams, policy: Policy, rows: Sequence[OldRow], *, is_dry_run: bool) -> list[Entry]:
    """A page: rows that were written are read and judged again, until nothing is left to do."""
    own = upstreams.camunda.own
    facts = await facts_of(upstreams, rows)
    verdicts = {number: judge(row, facts, own) for number, row in enumerate(rows)}
    done: dict[int, list[str]] = {}
    for _ in range(0 if is_dry_run else ROUNDS):
        steps = {number: verdict for number, verdict in verdicts.items() if isinstance(verdict, Step)}
        if not steps:
            break
        failures = await carry_out(upstreams, policy, steps, facts)
        again = [number for number in _touched(rows, steps) if number not in failures]
        facts = await facts_of(upstreams, [rows[number] for number in again]) if again else Facts()
        verdicts |= {number: judge(rows[number], facts, own) for number in again}
        verdicts |= {number: Cannot(why) for number, why in failures.items()}
        for number in steps.keys() - failures.keys():
            done.setdefault(number, []).append(steps[number].why)
    return [_entry(row, verdicts[number], done.get(number, []), is_dry_run) for number, row in enumerate(rows)]


def _touched(rows: Sequence[OldRow], steps: dict[int, Step]) -> list[int]:
    """The rows of these steps, and all others of their drafts: an older row may depend on the newest."""
    drafts = {rows[number].draft_id for number in steps}
    return [number for number, row in enumerate(rows) if row.draft_id in drafts]


def _entry(row: OldRow, verdict: Verdict, done: Sequence[str], is_dry_run: bool) -> Entry:  # noqa: FBT001
    match verdict:
        case Already(why):
            result = Result.DONE if done else Result.ALREADY
            why = "; ".join([*done, why] if done else [why])
        case Cannot(why):
            result = Result.CANNOT
        case Step(why):
            result = Result.DONE if is_dry_run else Result.CANNOT
            why = why if is_dry_run else f"written, but not kept by its system ({why}): run plan-api check"
    return Entry(row.draft_id, row.process_id, row.status, result, why)
