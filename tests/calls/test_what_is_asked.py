"""Of what is found no more is read than the selection needs: columns, elements and variables."""

import json
import re
from typing import Any
from urllib.parse import parse_qs

import pytest

from tests.calls.inboxes import Inbox, Inboxes
from tests.calls.recording import SQL, Recording
from tests.serving import Api

VARIABLES, SEARCH, BATCH = "POST /history/variable-instance", "POST /InsurancePlan/_search", "POST /"
LINK = ["draftId", "draftSource"]  # whether a process is that of the draft whose row names it
HEADER = "id,meta,name,status"
FRAGMENT = "fragment Two on Draft { revision ... { planData @skip(if: false) } }"


@pytest.fixture
def inbox(inboxes: Inboxes) -> Inbox:
    return inboxes.of(1)


def asked(cold: Api, inbox: Inbox, selection: str, **variables: object) -> None:
    """Ask for the one task of the inbox."""
    kinds = {"$plain": "Boolean! = false", "$also": "Boolean! = true"}
    used = ", ".join(f"{name}: {kind}" for name, kind in kinds.items() if name in selection)
    query = f"query Tasks{f'({used})' if used else ''} {{ pendingTasks {{ items {{ id {selection} }} }} }} {FRAGMENT}"
    query = query if "...Two" in selection else query.removesuffix(FRAGMENT)
    assert len(cold.ask(query, inbox.reviewer, **variables)["pendingTasks"]["items"]) == 1


def columns(recording: Recording) -> set[str]:
    """Which of a draft's two long columns the one statement reads."""
    (statement,) = recording.sent(SQL)
    found = {"fingerprint"} if "sha256(" in statement else set[str]()
    return found | ({"plan"} if re.search(r"(THEN|\|\|) text END FROM", statement) else set())


def variables(recording: Recording) -> list[str]:
    """The names of the one request for variables."""
    (body,) = recording.sent(VARIABLES)
    names: list[str] = json.loads(body)["variableNameIn"]
    return sorted(names)


def elements(recording: Recording) -> str | None:
    """The elements that the one search asks for; None: whole plans."""
    (form,) = recording.sent(SEARCH)
    return parse_qs(form).get("_elements", [None])[0]


def urls(recording: Recording) -> list[str]:
    """What the one batch reads."""
    (body,) = recording.sent(BATCH)
    return [entry["request"]["url"] for entry in json.loads(body)["entry"]]


@pytest.mark.parametrize(
    ("selection", "read"),
    [
        ("draft { id name status updatedAt createdBy aidboxId camundaProcessId }", set()),
        ("draft { currentPlan { resource } history { kind } approval { state } basePlan { name } }", set()),
        ("draft { planData }", {"plan"}),
        ("draft { changes { path } }", {"plan"}),
        ("draft { conflicts { path } }", {"plan"}),
        ("draft { revision }", {"fingerprint"}),
        ("draft { revision planData }", {"plan", "fingerprint"}),
        ("... on Task { draft { ...Two } }", {"plan", "fingerprint"}),
        ("draft { id planData @skip(if: true) revision @include(if: false) }", set()),
        ("draft { id ... @include(if: false) { planData } }", set()),
        ("draft { id planData @include(if: $plain) }", set()),
        ("draft { id planData @include(if: $also) }", {"plan"}),
        ("draft { id planData @skip(if: $also) revision @skip(if: $plain) }", {"fingerprint"}),
    ],
)  # fmt: skip
def test_columns_of_drafts(cold: Api, recording: Recording, inbox: Inbox, selection: str, read: set[str]) -> None:
    asked(cold, inbox, selection)
    assert columns(recording) == read


def test_a_variable_of_a_directive_counts_each_time(cold: Api, recording: Recording, inbox: Inbox) -> None:
    for plain, read in ((True, {"plan"}), (False, set()), (True, {"plan"})):
        recording.calls.clear()
        asked(cold, inbox, "draft { id planData @include(if: $plain) }", plain=plain)
        assert columns(recording) == read


@pytest.mark.parametrize(
    ("selection", "read"),
    [
        ("submittedBy { id }", ["submittedBy"]),
        ("decidable { allowed }", ["submissionActedBy", "submittedBy"]),
        ("basePlan { versionId }", ["aidboxPlanId", "baseVersion"]),
        ("currentPlan { versionId }", ["aidboxPlanId"]),
        ("hasConflict", ["aidboxPlanId", "baseVersion"]),
        ("hasConflict submittedBy { id }", ["aidboxPlanId", "baseVersion", "submittedBy"]),
        ("draft { name }", ["draftId"]),
        ("draft { basePlan { name } }", ["aidboxPlanId", "baseVersion", *LINK]),
        ("draft { approval { submittedRevision } }", sorted(["draftRevision", *LINK])),
        (
            "draft { approval { state } }",
            ["approvalOutcome", "approved", "changesRequested", "conflictDetected", *LINK],
        ),
    ],
)
def test_variables(cold: Api, recording: Recording, inbox: Inbox, selection: str, read: list[str]) -> None:
    asked(cold, inbox, selection)
    assert variables(recording) == read


@pytest.mark.parametrize(
    ("selection", "read"),
    [
        ("currentPlan { id versionId name status publishedAt }", HEADER),
        ("hasConflict", HEADER),
        ("currentPlan { versionId } draft { planData }", HEADER),
        ("currentPlan { history(limit: 1) { resource } }", HEADER),
        ("basePlan { resource } hasConflict", HEADER),
        ("currentPlan { resource }", None),
        ("currentPlan { name } draft { changes { path } }", None),
        ("currentPlan { name } draft { conflicts { path } }", None),
        ("currentPlan { name } draft { currentPlan { resource } }", None),
    ],
)
def test_elements_of_current_plans(
    cold: Api, recording: Recording, inbox: Inbox, selection: str, read: str | None
) -> None:
    asked(cold, inbox, selection)
    assert elements(recording) == read


def test_elements_of_versions(cold: Api, recording: Recording, inbox: Inbox) -> None:
    version = f"InsurancePlan/{inbox.plan_ids[0]}/_history/"
    asked(cold, inbox, "basePlan { name }")
    assert [url.partition("?")[2] for url in urls(recording)] == [f"_elements={HEADER}"]
    recording.calls.clear()
    asked(cold, inbox, "basePlan { resource }")
    assert [url.startswith(version) and "?" not in url for url in urls(recording)] == [True]
    recording.calls.clear()
    asked(cold, inbox, "basePlan { name resource } hasConflict")
    assert recording.sent(BATCH) == []


def test_elements_of_histories(cold: Api, recording: Recording, inbox: Inbox) -> None:
    begins = f"InsurancePlan/{inbox.plan_ids[0]}/_history?_count=3&_since=1970-01-01T00:00:00Z"
    for selection, ends in (("versionId", f"&_elements={HEADER}"), ("resource", "")):
        recording.calls.clear()
        asked(cold, inbox, "currentPlan { history(limit: 3) { %s } }".replace("%s", selection))
        assert urls(recording) == [begins + ends]


def test_an_answer_without_documents_is_the_same_otherwise(cold: Api, inbox: Inbox) -> None:
    lean = "basePlan { id versionId name } currentPlan { id versionId name status publishedAt } draft { id name }"
    whole = lean.replace("name", "name resource", 2).replace("draft { id name", "draft { id name planData revision")

    def told(selection: str) -> Any:
        page = cold.ask(f"{{ pendingTasks {{ items {{ {selection} }} }} }}", inbox.reviewer)["pendingTasks"]
        (item,) = page["items"]
        for part in item.values():
            for document in ("resource", "planData", "revision"):
                part.pop(document, None)
        return item

    assert told(lean) == told(whole) == told(lean)
