"""Every verb, stopped or cut at every upstream call of its request."""

from time import sleep
from typing import Any

import pytest

from api.schema import schema
from tests.conftest import TRIED, Recorder
from tests.crash.enumeration import Enumeration, Example, Struck
from tests.crash.picture import Picture, difference
from tests.crash.scenarios import NOT_SENT_AGAIN, OPERATIONS, SCENARIOS, Scenario
from tests.crash.tripwire import Point

# The upstream calls of each verb undisturbed: every one of them is tried in three modes, twice. A publication reads
# four parts of the approval's history and writes them beside the version.
CALLS = {
    "submit a new plan": 9,  # one asks whether "no running process" may be believed
    "submit an edit": 10,
    "submit again": 10,
    "submit, its process deleted": 14,
    "approve a new plan": 18,
    "approve an edit": 18,
    "approve for later": 15,  # as below, two ask the same again, and one when the timer is due
    "approve an earlier step": 12,  # one asks the same of "nothing waits"
    "reject": 10,
    "request changes": 10,
    "conflict at once": 12,
    "conflict before publication": 23,
    "conflict at publication": 23,
    "withdraw": 9,
    "withdraw what is scheduled": 9,
    "reschedule": 7,
    "publish now": 15,
    "withdraw what could not be published": 18,
    "withdraw, its process deleted": 5,
    "retry a publication": 17,
    "claim": 4,
    "unclaim": 4,
    "reassign": 4,
    "update a task": 5,
    "comment": 7,
}


# Mutations whose only write is one statement on one draft: there is nothing between it and the answer to be left.
OF_ONE_STATEMENT = {"createDraftFromPlan", "rebaseDraft"}
# Mutations of many make the calls of the one they repeat, for each input.
OF_MANY = {"submitDrafts", "completeApprovals", "claimTasks"}


def test_every_mutation_is_tried() -> None:
    mutation = schema._schema.mutation_type
    assert mutation is not None
    tried = {field for field in mutation.fields if any(f" {field}(" in operation for operation in OPERATIONS)}
    assert set(mutation.fields) - tried == OF_ONE_STATEMENT | OF_MANY


@pytest.mark.parametrize("name", SCENARIOS)
def test_undisturbed(enumeration: Enumeration, name: str) -> None:
    """The end that the others are compared with is the right one, and it takes so many calls."""
    example = enumeration.example(name, SCENARIOS[name])
    row, processes, versions = (example.after[part] for part in ("row", "processes", "versions"))
    ends = [end for process in processes for end in process["ends"]]
    assert (row["status"], ends, len(versions)) == SCENARIOS[name].end
    assert [each["written"] for each in example.after["provenance"]] == [1] * ends.count("approved")
    assert len(example.calls) == CALLS[name], example.calls


@pytest.mark.parametrize("name", SCENARIOS)
def test_asked_again(enumeration: Enumeration, record_property: Recorder, name: str) -> None:
    """It ends as if nothing had happened, and is told so."""
    example = enumeration.example(name, SCENARIOS[name])
    struck = enumeration.strike(name, SCENARIOS[name])
    record_property(TRIED, (name, len(example.calls), len(struck)))
    whole = {**example.after, "answer": example.answer}
    if SCENARIOS[name].is_asked_late:
        sleep(enumeration.living.lock_seconds)
    ends = enumeration.ask_again(struck)
    told = differences([whole] * len(struck), ends, struck)
    assert not told, told


@pytest.mark.parametrize("name", SCENARIOS)
def test_left_to_a_worker(enumeration: Enumeration, record_property: Recorder, name: str) -> None:
    """What was decided is carried out, what was not is as if it had never been asked."""
    scenario = SCENARIOS[name]
    example, struck = enumeration.example(name, scenario), enumeration.strike(name, scenario)
    record_property(TRIED, (name, len(example.calls), len(struck)))
    expected = [left(scenario, example, each) for each in struck]
    ends = enumeration.leave_to_a_worker(struck)
    told = differences(expected, ends, struck)
    assert not told, told


def left(scenario: Scenario, example: Example, struck: Struck) -> Picture:
    """What a draft has to become after its request ended at a point.

    A request that was cut may go on and do all of it; then it must have said so.
    """
    if struck.told is not None and "errors" not in struck.told:
        return example.after
    now = example.before
    for write in scenario.writes:
        if example.has_happened(write.call, write.nth, struck.point):
            now = write.left(example.before) if write.left else example.after
    return now


def differences(expected: list[Picture], found: list[Picture], struck: list[Struck]) -> str:
    """Where and how the ends are others; nothing when all are as expected.

    A request that was cut is answered with what was done, or with an error where the call is not sent again; never
    with a refusal.
    """
    refused = [f"{each.point}: {each.told}" for each in struck if each.told and is_unexpected(each.point, each.told)]
    pairs = zip(struck, expected, found, strict=True)
    ends = [f"{each.point}\n{text}" for each, *pair in pairs if (text := difference(*pair))]
    return "\n\n".join(refused + ends)


def is_unexpected(point: Point, answer: dict[str, Any]) -> bool:
    """Whether the user is told to mend something, or of a failure that should have been overcome."""
    if "errors" in answer:
        return point.call not in NOT_SENT_AGAIN
    (payload,) = answer["data"].values()
    return bool(payload["userErrors"])
