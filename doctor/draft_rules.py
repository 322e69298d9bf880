"""Findings on the drafts table's own rules: what it refuses of the writes of this service. Pure."""

from collections.abc import Iterator, Sequence

from api.upstreams.retool.records import Columns
from doctor.finding import Finding, ok, warning, wrong
from doctor.table_rules import TOO_NARROW, SeenRules

MADE = ("id", "name", "status", "plan_data", "aidbox_id", "created_by", "updated_at")


def judge_rules(rules: SeenRules, columns: Columns, *, is_enum: bool) -> Iterator[Finding]:
    """Findings on constraints, views and triggers; none on a table without rules of its own.

    `is_enum`: the status column is an enum; statuses that its type lacks are reported for the column.
    """
    if rules.is_view:
        yield from _view(rules, columns)
    if not is_enum:
        yield from _statuses(rules, columns)
    written = [getattr(columns, field) for field in MADE]
    if missing := [name for name in rules.mandatory if name not in written]:
        message = f"{', '.join(missing)}: must have a value and has no default, so no draft can be made from a plan"
        yield warning("new drafts", f"{message}; give it a default")
    for rule in rules.unique:
        if set(rule.columns) <= set(written) and columns.id not in rule.columns:
            message = f"{' and '.join(rule.columns)} is unique ({rule.name}): a draft made from a plan is refused where"
            yield warning("new drafts", f"{message} there is another; give it a name of its own")
    for rule in rules.references:
        if set(rule.columns) & set(written):
            yield warning("new drafts", f"{', '.join(rule.columns)}: {rule.rule}; others are refused")
    if rules.triggers:
        yield ok("triggers", f"{', '.join(rules.triggers)}: not tried, as they may do something")


def _view(rules: SeenRules, columns: Columns) -> Iterator[Finding]:
    if rules.is_updatable:
        yield warning("view", f"{columns.table} is a view: the rules of the tables behind it cannot be tried")
    else:
        yield wrong("view", f"{columns.table} is a view that takes no updates: give it INSTEAD OF triggers")


def _statuses(rules: SeenRules, columns: Columns) -> Iterator[Finding]:
    """Findings on refused statuses, by the rule that refuses them."""
    reasons = dict.fromkeys(why for _, why in rules.refused if why != TOO_NARROW)
    for why in reasons:
        refused = [columns.statuses.written(status) for status, reason in rules.refused if reason == why]
        yield wrong("statuses", f"{_listed(refused)} refused by {why}: {_mended(rules, why)}")
    if rules.untried:
        yield warning("statuses", f"{_listed(rules.untried)}: a constraint that could not be tried")


def _mended(rules: SeenRules, why: str) -> str:
    mapped = ",".join(f"{status}:…" for status, reason in rules.refused if reason == why)
    return f"let it take them, or name texts of the table's own in DRAFT_STATUSES={mapped}"


def _listed(words: Sequence[str]) -> str:
    return ", ".join(words)
