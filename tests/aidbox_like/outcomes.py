"""OperationOutcomes in Aidbox's words: an id, a useful code, severity `fatal`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Resource = dict[str, Any]
Diagnostics = Literal["text", "object", "absent"]

CODES = {401: "login", 403: "forbidden", 404: "not-found", 409: "conflict", 410: "deleted", 412: "conflict"}
VERSION_MISMATCH = "Version Id mismatch"
SERIALIZATION_FAILURE = "could not serialize access due to concurrent update"


@dataclass(frozen=True)
class Problem:
    """One issue of a validation: where, in words, and of which kind."""

    expression: str
    words: str
    kind: str


def failed(status: int, words: str, *, code: str | None = None) -> Resource:
    """The outcome of a request that failed as a whole."""
    said = code or CODES.get(status, "exception")
    return {
        "resourceType": "OperationOutcome",
        "id": said,
        "text": {"status": "generated", "div": words},
        "issue": [{"severity": "fatal", "code": said, "diagnostics": words}],
    }


def invalid(problems: Iterable[Problem], diagnostics: Diagnostics) -> Resource:
    """The outcome of a resource that does not pass validation: every problem, its place in `expression` alone."""
    return {
        "resourceType": "OperationOutcome",
        "text": {"status": "generated", "div": "Invalid resource"},
        "issue": [_issue(problem, diagnostics) for problem in problems],
    }


def validated(problems: Sequence[Problem], diagnostics: Diagnostics) -> Resource:
    """What `$validate` answers, with status 200 either way."""
    if problems:
        return {**invalid(problems, diagnostics), "id": "validationfail"}
    issue = {"severity": "information", "code": "informational", "diagnostics": "all ok"}
    return {"resourceType": "OperationOutcome", "id": "allok", "issue": [issue]}


def _issue(problem: Problem, diagnostics: Diagnostics) -> Resource:
    issue: Resource = {"severity": "fatal", "code": "invalid", "expression": [problem.expression]}
    if diagnostics == "text":
        issue["diagnostics"] = problem.words
    elif diagnostics == "object":
        issue["diagnostics"] = {"type": problem.kind, "path": problem.expression.partition(".")[2]}
    return issue
