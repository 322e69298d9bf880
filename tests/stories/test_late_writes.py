"""A write that comes late, by who has lost the task: it changes nothing."""

import pytest

from api.settings import Settings
from tests.serving import AUTHOR, Api, serving
from tests.stories.behind import Behind
from tests.verbs import rejected, submitted
from tests.wiretap import meanwhile

REPORT = r"POST /engine-rest/external-task/[^/]+/complete"


@pytest.mark.parametrize("now", ["draft", "submitted"])
def test_an_outcome_is_not_written_on_a_draft_that_has_gone_on(
    api: Api, settings: Settings, behind: Behind, now: str
) -> None:
    """The outcome is written, its report comes too late, and so another writes it again."""
    draft_id = behind.drafts.new()
    process_id = submitted(api, draft_id, AUTHOR)
    process_now = behind.start(draft_id) if now == "submitted" else process_id
    left = {**behind.drafts.row(draft_id), "status": now, "camunda_process_id": process_now}

    def go_on_and_lose_the_lock() -> None:
        assert behind.drafts.row(draft_id)["status"] == "rejected"
        behind.drafts.connection.execute(
            "UPDATE benefit_plan_drafts SET status = %s, camunda_process_id = %s, updated_at = %s WHERE id = %s",
            [now, process_now, left["updated_at"], draft_id],
        )
        (task,) = behind.external_tasks(process_id)
        assert behind.engine.post(f"/external-task/{task['id']}/unlock").is_success

    moves = meanwhile("camunda", REPORT, go_on_and_lose_the_lock)
    with serving(settings, transports=moves) as disturbed:
        rejected(disturbed, draft_id)

    assert behind.end_of(process_id) == ["rejected"]
    assert behind.drafts.row(draft_id) == left
