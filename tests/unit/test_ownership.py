"""Whether a process is of a draft, and which were: the rule by which rows and processes name each other."""

import pytest

from api.upstreams.camunda.ownership import Ownership
from api.upstreams.camunda.process_variables import ProcessVariables, Scalar

OWN = Ownership("west")
OF_D = {"draftId": "D", "draftSource": "west"}


@pytest.mark.parametrize(
    ("variables", "is_linked"),
    [
        (OF_D, True),
        ({"draftId": "D"}, True),
        ({"draftId": "D", "draftSource": None}, True),
        ({"draftId": "D", "draftSource": "east"}, False),
        ({"draftId": "D", "draftSource": "WEST"}, False),
        ({"draftId": "D", "draftSource": ""}, True),
        ({"draftId": "E", "draftSource": "west"}, False),
        ({"draftId": "d", "draftSource": "west"}, False),
        ({"draftId": None, "draftSource": "west"}, False),
        ({"draftSource": "west"}, False),
        ({}, False),
    ],
)
def test_a_process_that_a_row_names(variables: dict[str, Scalar], is_linked: bool) -> None:  # noqa: FBT001  # a column of the table
    assert OWN.links(ProcessVariables.read(variables), "D") is is_linked


@pytest.mark.parametrize(("draft_id", "is_linked"), [("7", True), ("None", False), ("none", False), ("", False)])
def test_a_number_is_the_id_it_is_written_as_and_none_is_no_draft(draft_id: str, is_linked: bool) -> None:  # noqa: FBT001  # a column of the table
    assert OWN.links(ProcessVariables.read({"draftId": 7, "draftSource": "west"}), draft_id) is is_linked
    assert OWN.links(ProcessVariables.read({"draftId": None, "draftSource": "west"}), draft_id) is False


@pytest.mark.parametrize(
    ("row_names", "previous", "expected"),
    [
        (None, {}, []),
        ("gone", {}, []),
        ("first", {}, ["first"]),
        ("second", {"second": "first"}, ["second", "first"]),
        ("first", {"second": "first"}, ["first"]),
        ("second", {"second": "gone"}, ["second"]),
        ("second", {"second": "of another"}, ["second"]),
        ("of another", {"of another": "first"}, []),
        ("second", {"second": "first", "first": "second"}, ["second", "first"]),
    ],
)
def test_submissions_go_back_from_the_row(row_names: str | None, previous: dict[str, str], expected: list[str]) -> None:
    """What says that it is of the draft, and is not among these, was started by whoever likes to."""
    variables = {
        process_id: ProcessVariables.read({**OF_D, "previousProcessId": previous.get(process_id)})
        for process_id in ("first", "second", "by hand")
    }
    variables["of another"] = ProcessVariables.read({"draftId": "E", "draftSource": "west"})
    assert OWN.submissions("D", row_names, variables) == expected


def test_queries_are_narrowed_beside_their_own_conditions() -> None:
    source = {"name": "draftSource", "operator": "eq", "value": "west"}
    by_ann = {"name": "submittedBy", "operator": "eq", "value": "ann"}
    key = {"processDefinitionKey": "benefit-approval"}
    assert OWN.tasks({"taskId": "t"}) == {"taskId": "t", **key, "processVariables": [source]}
    assert OWN.tasks({"processVariables": [by_ann]}) == {**key, "processVariables": [source, by_ann]}
    assert OWN.processes({"variables": [by_ann]}) == {**key, "variables": [source, by_ann]}
    own = {"processVariables": {"draftSource": "west"}}
    assert OWN.topic("publish-plan") == {"topicName": "publish-plan", **key, **own}
    of_notifications = {"processDefinitionKey": "benefit-notification", **own}
    assert [OWN.topic(name) for name in ("notify", "notify-crm")] == [
        {"topicName": "notify", **of_notifications},
        {"topicName": "notify-crm", **of_notifications},
    ]
