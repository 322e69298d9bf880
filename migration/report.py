"""The report of an import: a line for each row, and the same as a JSON file."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

import msgspec

from api.errors import Misconfigured


class Result(StrEnum):
    """What became of a row. DONE of a dry run: it would be done."""

    DONE = "done"
    ALREADY = "already"
    CANNOT = "cannot"


class Entry(msgspec.Struct, frozen=True, rename="camel"):
    """A row of the old table in the report."""

    draft_id: str | None
    process_id: str | None
    status: str | None
    result: Result
    why: str

    @property
    def line(self) -> str:
        """For people."""
        return f"{self.result:<8}{self.draft_id or '(no draft)'}: {self.why}"


@dataclass
class Report:
    """The report that is being written. A report of millions of rows is written as they come, not held in memory."""

    file: BinaryIO | None
    counts: Counter[Result] = field(default_factory=Counter)

    def add(self, entry: Entry) -> None:
        """Add a row."""
        if self.file:
            self.file.write((b",\n" if self.counts.total() else b"\n") + msgspec.json.encode(entry))
        self.counts[entry.result] += 1

    @property
    def summary(self) -> dict[str, int]:
        """How many rows came to each result."""
        return {result.value: self.counts[result] for result in Result}


@contextmanager
def reporting(path: Path | None, *, is_dry_run: bool) -> Iterator[Report]:
    """A report, also as a JSON file if a path is given. Whole JSON in any case; `isComplete` says whether all rows are
    in it. Raises Misconfigured when it can not be written.
    """
    report, is_complete = Report(_opened(path)), False
    if report.file:
        report.file.write(b'{"isDryRun":%s,"rows":[' % msgspec.json.encode(is_dry_run))
    try:
        yield report
        is_complete = True
    finally:
        if report.file:
            end = msgspec.json.encode({"summary": report.summary, "isComplete": is_complete})
            report.file.write(b"],\n" + end[1:] + b"\n")
            report.file.close()


def _opened(path: Path | None) -> BinaryIO | None:
    try:
        return path.open("wb") if path else None
    except OSError as error:
        raise Misconfigured(f"The report can not be written: {error}") from error
