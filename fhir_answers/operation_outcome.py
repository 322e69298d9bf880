"""OperationOutcome: what a FHIR store says of a failure, read whatever form it has.

Stores bend the form: HAPI puts everything into `diagnostics`, Aidbox the place into `expression`, and either may send
an object where FHIR has a text. What is unreadable says nothing, so that it never hides the status it came with.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

FAILING = ("fatal", "error")
LONGEST_TEXT = 500  # characters of one issue


def words(outcome: bytes) -> str:
    """All that an outcome says, failures first: `InsurancePlan.name: The property must be an array; …`. Else empty."""
    issues = sorted(_issues(outcome), key=lambda issue: _is_remark(issue.get("severity")))
    return "; ".join(dict.fromkeys(said for issue in issues if (said := _said(issue))))


def code(outcome: bytes) -> str | None:
    """FHIR's code of the first issue that has one: `not-found`, `forbidden` …"""
    codes = (issue.get("code") for issue in _issues(outcome))
    return next((each for each in codes if isinstance(each, str)), None)


def identifier(outcome: bytes) -> object:
    """The outcome's own id, which Aidbox gives for what failed: `conflict`, `not-found`; None if it has none."""
    return _read(outcome).get("id")


class Issue(NamedTuple):
    """One issue of a validation. `place`: an expression of FHIRPath, `InsurancePlan.coverage[0].type`."""

    is_error: bool
    place: str | None
    message: str


def issues(outcome: bytes) -> list[Issue]:
    """What a validation found, without remarks that nothing was found.

    That the store does not know a profile that the plan claims is a fault of neither, so it counts as a warning.
    """
    found = [each for each in _issues(outcome) if each.get("severity") in (*FAILING, "warning")]
    return [_as_issue(each) for each in found]


def _as_issue(issue: dict[str, Any]) -> Issue:
    is_error = issue.get("severity") in FAILING and not _is_of_an_unknown_profile(issue)
    place = _text(issue.get("expression")) or _text(issue.get("location"))
    return Issue(is_error, place if place.startswith("InsurancePlan") else None, _text_of(issue))


def _is_of_an_unknown_profile(issue: dict[str, Any]) -> bool:
    """By the message id of HL7's validator, which HAPI gives as a code. Aidbox refuses the plan itself."""
    details = issue.get("details")
    codings = details.get("coding") if isinstance(details, dict) else None
    codes = [each.get("code") for each in codings if isinstance(each, dict)] if isinstance(codings, list) else []
    return any(str(code).upper().startswith("VALIDATION_VAL_PROFILE_UNKNOWN") for code in codes)


def _read(outcome: bytes) -> dict[str, Any]:
    try:
        read = msgspec.json.decode(outcome)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return {}
    return read if isinstance(read, dict) else {}


def _issues(outcome: bytes) -> list[dict[str, Any]]:
    issues = _read(outcome).get("issue")
    return [issue for issue in issues if isinstance(issue, dict)] if isinstance(issues, list) else []


def _said(issue: dict[str, Any]) -> str:
    text = _text_of(issue)
    place = _text(issue.get("expression")) or _text(issue.get("location"))
    said = text if not place or text.startswith(place) else f"{place}: {text}" if text else place
    return f"{said} ({issue['severity']})" if said and _is_remark(issue.get("severity")) else said


def _text_of(issue: dict[str, Any]) -> str:
    return _text(issue.get("diagnostics")) or next(_details(issue.get("details")), "") or _text(issue.get("code"))


def _is_remark(severity: object) -> bool:
    """Whether an issue is beside the failure: a warning, a hint. One that does not say counts as a failure."""
    return isinstance(severity, str) and bool(severity) and severity not in FAILING


def _details(details: object) -> Iterator[str]:
    """Of a CodeableConcept its text, else how its codes are called."""
    if not isinstance(details, dict):
        yield _text(details)
        return
    yield from filter(None, [_text(details.get("text"))])
    codings = details.get("coding")
    for coding in codings if isinstance(codings, list) else ():
        if isinstance(coding, dict):
            yield from filter(None, [_text(coding.get("display")), _text(coding.get("code"))])


def _text(value: object) -> str:
    """Any JSON as a text: lists by commas, objects as they are written."""
    if value is None or value in ("", [], {}):
        return ""
    if isinstance(value, list):
        return ", ".join(filter(None, map(_text, value)))
    said = value.strip() if isinstance(value, str) else msgspec.json.encode(value).decode()
    return said if len(said) <= LONGEST_TEXT else f"{said[:LONGEST_TEXT]}…"
