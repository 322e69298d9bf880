"""Who may do what, as tables of cases."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from api.coordination.rules.permissions import (
    acting_viewer,
    demand_admin,
    demand_claimer,
    demand_decider,
    demand_four_eyes,
    demand_holder,
    demand_owner,
    demand_submitter,
    has_on_record,
    may_read_draft,
    may_see_task,
    owns,
)
from api.errors import Refused
from api.schema.person import person
from api.upstreams.camunda.candidates import concerns_person
from api.upstreams.camunda.process_variables import ProcessVariables
from api.upstreams.retool.records import Draft
from authentication.identity import Viewer
from process_models.bpmn import Offer

ANN = Viewer("ann", frozenset({"benefit-reviewers"}))
ADMIN = Viewer("root", frozenset({"benefit-admins"}), is_admin=True, acts_for_others=True)
ADMIN_FOR_SELF = Viewer("root", frozenset({"benefit-admins"}), is_admin=True)
AUDITOR = Viewer("eve", frozenset({"benefit-auditors"}), is_auditor=True)
GATEWAY = Viewer("retool", frozenset({"benefit-reviewers"}), acts_for_others=True, is_program=True)


def draft_of(author: str | None, process_id: str | None = None) -> Draft:
    return Draft("d", "A plan", "draft", "{}", "revision", None, process_id, author, datetime(2027, 1, 1, tzinfo=UTC))


def refused(act: Callable[[], object]) -> tuple[str, str | None] | None:
    """The code and field of a refusal, None when there is none."""
    try:
        act()
    except Refused as refusal:
        return refusal.code.value, refusal.field
    return None


@pytest.mark.parametrize("user_id", [None, "ann", "ANN", " ann ", "ａｎｎ"])
def test_oneself_is_who_one_is(user_id: str | None) -> None:
    assert acting_viewer(ANN, user_id) is ANN


@pytest.mark.parametrize(
    ("viewer", "user_id", "acting"),
    [
        (ADMIN, "bob", Viewer("bob", ADMIN.groups, is_admin=True, acted_by="root")),
        (ADMIN, " bob ", Viewer("bob", ADMIN.groups, is_admin=True, acted_by="root")),
        (Viewer("eve", is_auditor=True, acts_for_others=True), "bob", Viewer("bob", is_auditor=True, acted_by="eve")),
        (ADMIN, "b" * 255, Viewer("b" * 255, ADMIN.groups, is_admin=True, acted_by="root")),
        (GATEWAY, "bob", Viewer("bob", GATEWAY.groups, is_program=True)),
    ],
)
def test_acting_for_others_does_not_pass_on(viewer: Viewer, user_id: str, acting: Viewer) -> None:
    assert acting_viewer(viewer, user_id) == acting


@pytest.mark.parametrize(
    ("viewer", "user_id", "expected"),
    [
        (ANN, "bob", ("FORBIDDEN", "userId")),
        (ANN, "", ("FORBIDDEN", "userId")),
        (ADMIN_FOR_SELF, "bob", ("FORBIDDEN", "userId")),
        (ADMIN, "", ("INVALID", "userId")),
        (ADMIN, "  ", ("INVALID", "userId")),
        (ADMIN, "b" * 256, ("INVALID", "userId")),
        (ADMIN, "b\x00b", ("INVALID", "userId")),
        (ADMIN, "zero\u200bwidth", ("INVALID", "userId")),
        (ADMIN, "\ud800", ("INVALID", "userId")),
    ],
)
def test_who_can_not_be_acted_for(viewer: Viewer, user_id: str, expected: tuple[str, str]) -> None:
    assert refused(lambda: acting_viewer(viewer, user_id)) == expected


@pytest.mark.parametrize(
    ("viewer", "author", "process_id", "submitted_by", "is_owner"),
    [
        (ANN, "ann", None, None, True),
        (ANN, "Ann ", "p", "bob", True),
        (ANN, None, None, None, True),
        (ANN, None, "p", "ann", True),
        (ANN, None, "p", "bob", False),
        (ANN, None, "p", None, False),
        (AUDITOR, None, "p", "bob", False),
        (ANN, "bob", None, None, False),
        (ANN, "bob", "p", "ann", False),
        (ANN, "anna", None, None, False),
        (ADMIN, "bob", None, None, True),
        (ADMIN, None, "p", "bob", True),
        (GATEWAY, "bob", None, None, False),
    ],
)
def test_owners(
    viewer: Viewer,
    author: str | None,
    process_id: str | None,
    submitted_by: str | None,
    is_owner: bool,  # noqa: FBT001  # a column of the table
) -> None:
    draft = draft_of(author, process_id)
    assert owns(viewer, draft, submitted_by) is is_owner
    told = refused(lambda: demand_owner(viewer, draft, submitted_by))
    assert told == (None if is_owner else ("FORBIDDEN", None))


@pytest.mark.parametrize(
    ("viewer", "author", "submitted_by", "may"),
    [
        (ANN, "ann", "bob", True),
        (ANN, "bob", "ann", True),
        (ANN, "bob", " ANN", True),
        (ANN, "bob", "bob", False),
        (ANN, "bob", None, False),
        (ANN, None, None, True),
        (ANN, None, "ann", True),
        (ANN, None, "bob", False),
        (ADMIN, None, "bob", True),
        (ADMIN, "bob", "bob", True),
    ],
)
def test_who_may_withdraw(viewer: Viewer, author: str | None, submitted_by: str | None, may: bool) -> None:  # noqa: FBT001  # a column of the table
    process_id = None if submitted_by is None else "p"
    told = refused(lambda: demand_submitter(viewer, draft_of(author, process_id), submitted_by))
    assert told == (None if may else ("FORBIDDEN", None))


@pytest.mark.parametrize(
    ("viewer", "author", "process_id", "may"),
    [
        (ANN, "ANN", None, True),
        (ANN, "bob", None, False),
        (ANN, "bob", "p", False),
        (ANN, "", None, False),
        (ANN, None, None, True),
        (ANN, None, "p", False),
        (AUDITOR, "bob", None, True),
        (AUDITOR, None, "p", True),
        (ADMIN, "bob", "p", True),
    ],
)
def test_who_may_read_a_draft(viewer: Viewer, author: str | None, process_id: str | None, may: bool) -> None:  # noqa: FBT001  # a column of the table
    draft = draft_of(author, process_id)
    assert has_on_record(viewer, draft) is may
    assert may_read_draft(viewer, draft, is_involved=False) is may
    assert may_read_draft(viewer, draft, is_involved=True)


@pytest.mark.parametrize(
    ("viewer", "parts", "may"),
    [
        (ANN, {}, False),
        (ANN, {"assignee": "Ann"}, True),
        (ANN, {"submitted_by": " ann"}, True),
        (ANN, {"author": "ann"}, True),
        (ANN, {"is_offered": True}, True),
        (ANN, {"assignee": "bob", "submitted_by": "bob", "author": "bob"}, False),
        (AUDITOR, {}, True),
        (ADMIN, {}, True),
    ],
)
def test_who_may_see_a_task(viewer: Viewer, parts: dict[str, Any], may: bool) -> None:  # noqa: FBT001  # a column of the table
    nobody = {"assignee": None, "submitted_by": None, "author": None, "is_offered": False}
    assert may_see_task(viewer, **nobody | parts) is may


FORBIDDEN, CLAIMED = ("FORBIDDEN", "taskId"), ("ALREADY_CLAIMED", "taskId")


@pytest.mark.parametrize(
    ("viewer", "assignee", "is_offered", "decide", "claim", "hand_over"),
    [
        (ANN, None, True, None, None, ("FORBIDDEN", None)),
        (ANN, None, False, FORBIDDEN, FORBIDDEN, ("FORBIDDEN", None)),
        (ANN, "ANN", False, None, None, None),
        (ANN, "bob", True, CLAIMED, CLAIMED, ("FORBIDDEN", None)),
        (ANN, "bob", False, FORBIDDEN, FORBIDDEN, ("FORBIDDEN", None)),
        (AUDITOR, None, False, FORBIDDEN, FORBIDDEN, ("FORBIDDEN", None)),
        (ADMIN, None, False, FORBIDDEN, None, None),
        (ADMIN, "bob", False, FORBIDDEN, CLAIMED, None),
    ],
)
def test_who_may_take_a_task(
    viewer: Viewer,
    assignee: str | None,
    is_offered: bool,  # noqa: FBT001  # a column of the table
    decide: tuple[str, str | None] | None,
    claim: tuple[str, str | None] | None,
    hand_over: tuple[str, str | None] | None,
) -> None:
    assert refused(lambda: demand_decider(viewer, assignee, is_offered=is_offered)) == decide
    assert refused(lambda: demand_claimer(viewer, assignee, is_offered=is_offered)) == claim
    assert refused(lambda: demand_holder(viewer, assignee)) == hand_over


def test_administrators() -> None:
    assert refused(lambda: demand_admin(ADMIN)) is None
    assert refused(lambda: demand_admin(ANN)) == ("FORBIDDEN", None)
    assert refused(lambda: demand_admin(GATEWAY)) == ("FORBIDDEN", None)


@pytest.mark.parametrize(
    ("people", "submitters", "allow_own", "expected"),
    [
        (("ann",), ("bob", None), False, None),
        (("ann",), (None, None), False, None),
        (("none",), (None, None), False, None),
        (("ann",), ("ann", None), True, None),
        (("ann",), ("ann", None), False, ("OWN_SUBMISSION", "userId")),
        (("ANN",), ("ann ", None), False, ("OWN_SUBMISSION", "userId")),
        (("ａｎｎ",), ("ann", None), False, ("OWN_SUBMISSION", "userId")),
        (("made-up", "ann"), ("ann", None), False, ("OWN_SUBMISSION", "userId")),
        (("ann",), ("made-up", "ann"), False, ("OWN_SUBMISSION", "userId")),
        (("one", "ann"), ("another", "ANN"), False, ("OWN_SUBMISSION", "userId")),
        (("one", "ann"), ("another", "ann"), True, None),
        (("one", "ann"), ("another", "bob"), False, None),
    ],
)
def test_four_eyes(
    people: tuple[str, ...],
    submitters: tuple[str | None, str | None],
    allow_own: bool,  # noqa: FBT001  # a column of the table
    expected: tuple[str, str] | None,
) -> None:
    assert refused(lambda: demand_four_eyes(people, submitters, allow_own=allow_own, field="userId")) == expected


@pytest.mark.parametrize("user_id", ["none", "None", "NONE", "null", ""])
def test_a_person_without_an_id_is_nobody(user_id: str) -> None:
    """Whatever reads an id that is not there: no viewer is taken for it, whatever they are called."""
    viewer, process = Viewer(user_id), ProcessVariables.read({"submittedBy": None, "draftId": "d"})
    draft = draft_of(None, "p")
    assert process.submitters == (None, None)
    assert not owns(viewer, draft, process.submitted_by)
    assert not has_on_record(viewer, draft)
    assert not may_see_task(viewer, assignee=None, submitted_by=process.submitted_by, author=None, is_offered=False)
    assert refused(lambda: demand_submitter(viewer, draft, process.submitted_by)) == ("FORBIDDEN", None)
    assert refused(lambda: demand_holder(viewer, None)) == ("FORBIDDEN", None)
    assert refused(lambda: demand_four_eyes(viewer.people, process.submitters, allow_own=False)) is None
    assert refused(lambda: demand_decider(viewer, None, is_offered=True)) is None
    assert not concerns_person(Offer(), user_id, ())
    assert person(process.submitted_by) is None
