"""A review as Provenance and back: what is written is read, whoever took part and whatever they left unsaid."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from fhir_answers.provenance import Provenance, Review, Statement, facts, provenance_of, resource_id, review_of

PREFIX = "urn:example:"
NOON = datetime(2026, 11, 27, 12, 0, 0, 123456, tzinfo=UTC)
REVIEW = Review(
    id="retool.1",
    kind="InsurancePlan",
    resource_id="gold",
    version_id="178246",
    base_version="178240",
    begun=NOON,
    ended=NOON,
    author="ann",
    submission=Statement("ann", "clerk", facts(at=NOON), "Please\nlook “here”"),
    decisions={
        "task-1": Statement("rose", None, facts(step="review", verdict="APPROVED", at=NOON), "Fine"),
        "task-2": Statement("rose", "deputy", facts(step="legal", verdict="APPROVED", at=NOON, publish_at=None)),
        "task-3": Statement("tom", None, facts(step="elsewhere", at=NOON)),
    },
    comments={"c1": Statement("rose", None, facts(at=NOON), "Why?"), "c2": Statement("ann", "clerk", {}, "So.")},
    rule=None,
    used={"draft": "1", "revision": "0f"},
    tags={"approval-process": "p", "draft": "retool.1"},
    service="plan-api",
)
CASES: dict[str, dict[str, Any]] = {
    "everything": {},
    "by a rule": {"decisions": {}, "rule": "By a rule"},
    "nobody but the service": {"author": None, "submission": None, "decisions": {}, "comments": {}},
    "a reviewer without a task": {"decisions": {"": Statement("tom")}},
    "a new plan": {"base_version": None},
    "of nothing that is known": {"used": {}},
    "words with the same id": {"comments": {"task-1": Statement("ann", None, {}, "Another's words")}},
}


@pytest.mark.parametrize("changes", CASES.values(), ids=CASES)
def test_what_is_written_is_read(changes: dict[str, Any]) -> None:
    review = REVIEW._replace(**changes)
    written = msgspec.json.encode(provenance_of(review, PREFIX))
    assert review_of(msgspec.json.decode(written, type=Provenance), PREFIX) == review
    assert not list(_empty(json.loads(written)))
    assert msgspec.json.encode(provenance_of(review, PREFIX)) == written


def _empty(value: Any) -> Any:
    """What a store refuses: nulls, and what has nothing in it."""
    if value in (None, {}, [], ""):
        yield value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _empty(each)


def test_a_reference_that_lost_its_version() -> None:
    """As HAPI has it unless it is told otherwise: the identifier says which version it is about."""
    written: dict[str, Any] = json.loads(msgspec.json.encode(provenance_of(REVIEW, PREFIX)))
    for each in (written["target"][0], written["entity"][0]["what"]):
        each["reference"] = each["reference"].partition("/_history/")[0]
    assert review_of(msgspec.json.decode(json.dumps(written), type=Provenance), PREFIX) == REVIEW


def test_a_version_based_on_itself_is_a_revision_of_nothing() -> None:
    review = REVIEW._replace(base_version=REVIEW.version_id)
    assert [each.role for each in provenance_of(review, PREFIX).entity] == ["source", "source"]


def test_a_provenance_of_nothing_is_none_of_ours() -> None:
    written = json.loads(msgspec.json.encode(provenance_of(REVIEW, PREFIX))) | {"target": []}
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(json.dumps(written), type=Provenance)


@pytest.mark.parametrize(
    ("parts", "is_readable"),
    [(("retool", "1"), True), (("retool", "a_b"), False), (("retool", "ä"), False), (("r" * 64, "1"), False)],
)
def test_ids(parts: tuple[str, ...], is_readable: bool) -> None:  # noqa: FBT001  # a column of the table
    made = resource_id(*parts)
    assert (made == ".".join(parts)) is is_readable
    assert len(made) <= 64
    assert made == resource_id(*parts) != resource_id(*parts, "more")
