"""What people are told when the drafts database fails."""

from api.errors import Busy, Denied, Misconfigured, TimedOut, Unreachable, Unstorable, WriteRefused
from resilience.postgres.sqlstate import Messages


def failure_messages(table: str) -> Messages:
    """A message for each kind of failure; `table` is the drafts table's name."""
    return {
        Unreachable: "The drafts database can not be reached",
        TimedOut: "The drafts database did not answer in time",
        Busy: "Other writes to the drafts got in between",
        Denied: "The drafts database denies a right: run `plan-api check`",
        WriteRefused: "The drafts database refused a statement: run `plan-api check`, and see the log",
        Unstorable: "The drafts database can not hold a character of this",
        Misconfigured: f"The drafts table {table} is not as configured: run `plan-api check`.",
    }
