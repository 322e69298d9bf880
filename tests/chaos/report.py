"""The report of a run as text."""

from collections import Counter
from statistics import median

from tests.chaos.ledger import Ledger
from tests.chaos.verdict import Verdict

LONGEST_LIST = 20


def report(ledger: Ledger, verdict: Verdict, seed: int) -> str:
    """What was done, what was survived, what is lost, doubled, stuck or wrong, and how long healing took."""
    told = Counter(_outcome(operation.told) for operation in ledger.operations)
    accepted = Counter(operation.verb for operation in ledger.operations if operation.accepted)
    failures = Counter(operation.failure for operation in ledger.operations if operation.failure)
    lines = [
        f"seed             {seed}",
        f"operations       {len(ledger.operations)} ({_listed(told)})",
        f"  accepted       {_listed(accepted)}",
        f"  without answer {_listed(failures)}",
        f"faults survived  {len(ledger.faults)} ({_listed(Counter(ledger.faults))})",
        f"made             {len(ledger.drafts)} drafts, {verdict.processes} processes, {verdict.versions} versions",
        f"lost             {len(verdict.lost)}",
        f"doubled          {len(verdict.doubled)}",
        f"stuck            {len(verdict.stuck)}",
        f"wrong            {len(verdict.wrong)}",
        f"time to heal     max {max(ledger.healed_after, default=0):.1f} s, median {_median(ledger):.1f} s",
        f"settled after    {ledger.settled_after:.1f} s",
    ]
    for what in ("lost", "doubled", "stuck", "wrong"):
        lines += [f"{what}: {sentence}" for sentence in getattr(verdict, what)[:LONGEST_LIST]]
    return "\n".join(lines)


def _outcome(told: str) -> str:
    if told == "accepted":
        return told
    return "refused" if told.isupper() and "UPSTREAM" not in told and told not in NOT_ANSWERED else "without answer"


NOT_ANSWERED = {"INTERNAL_ERROR", "NO_DATA", "TOO_MANY_REQUESTS"}


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or "none"


def _median(ledger: Ledger) -> float:
    return median(ledger.healed_after) if ledger.healed_after else 0
