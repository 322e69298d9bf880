"""The headline of a submission, by the variables of its changes."""

import pytest

from api.upstreams.camunda.process_variables import ChangeVariables
from notifications.approval_event import headline_of


@pytest.mark.parametrize(
    ("changes", "headline"),
    [
        (ChangeVariables(is_new_plan=True, change_count=17, changed_areas="cost"), "A new plan"),
        (ChangeVariables(is_new_plan=False), None),
        (ChangeVariables(is_new_plan=False, change_count=0, changed_areas="", cost_change_percent=0.0), "0 changes"),
        (ChangeVariables(is_new_plan=False, change_count=1, changed_areas="wording"), "1 change: wording"),
        (
            ChangeVariables(is_new_plan=False, change_count=2, changed_areas="cost,wording", cost_change_percent=20.0),
            "2 changes: cost, wording; costs +20 %",
        ),
        (
            ChangeVariables(is_new_plan=False, change_count=2, changed_areas="cost", cost_change_percent=-1.5885),
            "2 changes: cost; costs -1.6 %",
        ),
    ],
)
def test_headline(changes: ChangeVariables, headline: str | None) -> None:
    assert headline_of(changes.written()) == headline


def test_a_process_that_was_started_by_hand_has_none() -> None:
    assert headline_of({}) is None
