"""AUTH=headers, for development: anybody is believed, and a default user may stand in."""

from api.settings import Settings
from tests.auth.asking import VIEWER, refused, settings_with, viewer, with_headers
from tests.serving import ADMIN, AUTHOR, Api, Drafts, serving
from tests.verbs import SUBMIT, codes, perform


def test_anybody_is_believed(api: Api) -> None:
    caller = with_headers(X_User_Id="Ann", X_User_Groups="a, b c ,,a", Authorization="Bearer anything")
    assert viewer(api, caller) == {"id": "Ann", "groups": ["a", "b c"]}


def test_nobody_is_refused(api: Api) -> None:
    told = "This request does not say who asks: set the header X-User-Id."
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
