"""What the engine hides from this service is no reason to write anything: the import ends, and nothing has changed."""

import httpx
import pytest

from api.errors import Denied
from tests.migration.conftest import Old
from tests.wiretap import Send, tapped


async def nothing(request: httpx.Request, _send: Send) -> httpx.Response:
    """An empty list, as the engine answers for what its user may not read."""
    return httpx.Response(200, json=[], request=request)


@pytest.mark.parametrize("path", ["/history/variable-instance", "/history/process-instance"])
def test_a_process_of_another_deployment_whose_history_is_hidden(old: Old, path: str) -> None:
    draft_id = old.behind.drafts.new()
    process_id = old.start(draft_id, draftId=draft_id, draftSource="elsewhere")
    old.row(draft_id, process_id)
    before = old.behind.picture(draft_id), old.behind.variables(process_id)
    with pytest.raises(Denied):
        old.imported(transports=tapped(nothing, system="camunda", call=f"POST /engine-rest{path}"))
    assert (old.behind.picture(draft_id), old.behind.variables(process_id)) == before
