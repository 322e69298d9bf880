"""What stands before the store says no as well, about a request. It is not the store's word about the plan."""

import httpx
import pytest

from api.settings import Settings
from tests.degraded.test_bounds import Failing, failing
from tests.serving import AUTHOR, Drafts
from tests.stories.behind import until
from tests.verbs import approved, status, submitted

PAGE = "<html><head><title>No</title></head><body>The gateway does not like this.</body></html>"


@pytest.mark.parametrize("said", [400, 404, 413, 422])
def test_a_gateways_no_is_tried_again_and_published(settings: Settings, drafts: Drafts, said: int) -> None:
    draft_id = drafts.new()
    broken = Failing("PUT", f"/InsurancePlan/{draft_id}", 1, answer=lambda: httpx.Response(said, html=PAGE))
    with failing(settings, broken, worker=True) as api:
        submitted(api, draft_id, AUTHOR)
        assert approved(api, draft_id)["status"] in ("PUBLISHING", "APPROVED")
        until(lambda: status(api, draft_id)["state"] == "APPROVED")
    assert len(broken.calls) == 2


def test_a_gateways_no_that_stays_is_an_incident_in_the_end(settings: Settings, drafts: Drafts) -> None:
    draft_id = drafts.new()
    broken = Failing("PUT", f"/InsurancePlan/{draft_id}", 99, answer=lambda: httpx.Response(400, html=PAGE))
    with failing(settings, broken, worker=True, publish_retries=1) as api:
        submitted(api, draft_id, AUTHOR)
        approved(api, draft_id)
        until(lambda: status(api, draft_id)["state"] == "PUBLISH_FAILED")
        assert status(api, draft_id)["problem"] == "aidbox answered with status 400"
    assert drafts.row(draft_id)["status"] == "submitted"
