"""AUTH=headers, for development: anybody is believed, and a default user may stand in."""

import pytest

from api.settings import Settings
from tests.auth.asking import VIEWER, refused, settings_with, viewer, with_headers
from tests.serving import ADMIN, AUTHOR, Api, Drafts, serving
from tests.verbs import SUBMIT, codes, perform


def test_anybody_is_believed(api: Api) -> None:
    caller = with_headers(X_User_Id="Ann", X_User_Groups="a, b c ,,a", Authorization="Bearer anything")
    assert viewer(api, caller) == {"id": "Ann", "groups": ["a", "b c"]}


def test_nobody_is_refused(api: Api) -> None:
    told = "This request does not name a user; set the header X-User-Id."
    refused(api.post(VIEWER, with_headers(X_User_Id="")), told, offered=False)


def test_the_default_user_stands_in_for_nobody_only(settings: Settings) -> None:
    given = {"auth": "headers", "auth_default_user": "reviewer", "auth_default_groups": "benefit-reviewers, x"}
    with serving(settings_with(settings, **given)) as api:
        assert viewer(api, with_headers()) == {"id": "reviewer", "groups": ["benefit-reviewers", "x"]}
        assert viewer(api, with_headers(X_User_Id="ann")) == {"id": "ann", "groups": []}


def test_admins_may_name_somebody_else(api: Api, drafts: Drafts) -> None:
    draft_id = drafts.new(author="bob")
    assert codes(perform(api, SUBMIT, AUTHOR, draftId=draft_id, userId="bob")) == ["FORBIDDEN"]
    assert drafts.row(draft_id)["status"] == "draft"
    assert codes(perform(api, SUBMIT, ADMIN, draftId=draft_id, userId="bob")) == []


OTHER_HOSTS = (
    *("evil.example", "evil.example:8000", "127.0.0.1.evil.example", "localhost.evil.example", "127.0.0.1.nip.io"),
    *("localhost.", "127.0.0.2", "0", "[::2]", "169.254.169.254", "evil.example%2f@localhost"),
)


@pytest.mark.parametrize("host", OTHER_HOSTS)
@pytest.mark.parametrize(
    "path", ["/graphql", "/live", "/ready", "/metrics", "/graphiql/page.js", "/api/plans/x/submit"]
)
def test_a_name_that_is_not_this_machines_is_not_answered(api: Api, host: str, path: str) -> None:
    """Any page's name can be made to resolve to this machine, and its requests are of one origin with ours then."""
    answer = api.client.get(path, headers={"Host": host, "Accept": "text/html", "Origin": f"http://{host}"})
    assert answer.status_code in (400, 421)
    assert "graphiql" not in answer.text


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:80", "127.0.0.1", "127.0.0.1:8000", "[::1]", "[::1]:8000"])
def test_this_machines_names_are_answered(api: Api, host: str) -> None:
    assert api.client.get("/live", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "user_id", ["undefined", "null", "[object Object]", "{{ current_user.email }}", "None", "${u}"]
)
def test_what_a_failed_template_leaves_is_nobody(api: Api, drafts: Drafts, user_id: str) -> None:
    told = "X-User-Id must be 1 to 255 printable characters, and no placeholder."
    refused(api.post(VIEWER, with_headers(X_User_Id=user_id)), told, offered=False)
    draft_id = drafts.new(author="bob")
    payload = perform(api, SUBMIT, ADMIN, draftId=draft_id, userId=user_id)
    assert payload["userErrors"] == [
        {
            "code": "INVALID",
            "message": "userId must be 1 to 255 printable characters, and no placeholder.",
            "field": "userId",
        }
    ]
    assert drafts.row(draft_id)["status"] == "draft"
