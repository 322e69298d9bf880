"""Gateways: programs with a key that call for their users. Who is let in, for whom, and who may say so in `userId`."""

import hashlib

import pytest

from api.settings import Settings
from tests.auth.asking import (
    VIEWER,
    Caller,
    api_for,
    audit,
    bearing,
    refused,
    settings_with,
    viewer,
    with_headers,
)
from tests.auth.issuer import little_issuer
from tests.auth.signing import rsa_key
from tests.commands.running import run
from tests.serving import Api, Drafts, serving
from tests.verbs import COMPLETE, SUBMIT, codes, perform, status

KEY, SECOND, TRUSTED = "plan_api_first", "plan_api_second", "plan_api_trusted"
OLD = rsa_key("old")
NOBODY = "This request has no credentials; send Authorization: Bearer with a token."
FOR_NOBODY = "This request does not name the user it is made for; set the header X-User-Id."


def entry(name: str, key: str, more: str = "") -> str:
    return f"{name}:{hashlib.sha256(key.encode()).hexdigest()}{more}"


KEYS = f"{entry('retool', KEY)}, {entry('retool', SECOND)},{entry('batch', TRUSTED, ':trusted')}"


@pytest.fixture(scope="module")
def gated(settings: Settings) -> "Api":  # type: ignore[misc]  # a generator
    with serving(settings_with(settings, auth="gateway", gateway_keys=KEYS)) as api:
        yield api


def acting(key: str, user_id: str, groups: str = "") -> Caller:
    """A gateway with this key that calls for a person."""
    return bearing(key, X_User_Id=user_id, X_User_Groups=groups)


@pytest.mark.parametrize("key", [KEY, SECOND, TRUSTED])
def test_every_listed_key_is_accepted_both_ways(gated: Api, key: str) -> None:
    expected = {"id": "ann@example.org", "groups": ["a", "b c"]}
    assert viewer(gated, acting(key, "ann@example.org", "a, b c,,")) == expected
    by_header = with_headers(X_API_Key=key, X_User_Id="ann@example.org", X_User_Groups="a,b c")
    assert viewer(gated, by_header) == expected


REFUSED = {
    "no key": (with_headers(X_User_Id="ann"), NOBODY, False, "nothing offered"),
    "an empty key": (with_headers(X_API_Key="", X_User_Id="ann"), NOBODY, False, "nothing offered"),
    "another key": (acting("plan_api_other", "ann"), "The key is not accepted.", True, "key: not known"),
    "a key in part": (acting(KEY[:-1], "ann"), "The key is not accepted.", True, "key: not known"),
    "its hash": (
        acting(hashlib.sha256(KEY.encode()).hexdigest(), "ann"),
        "The key is not accepted.",
        True,
        "key: not known",
    ),
    "a token": (acting("a.b.c", "ann"), "The key is not accepted.", True, "key: not known"),
    "both ways at once": (
        bearing(KEY, X_API_Key=KEY, X_User_Id="ann"),
        "Send Authorization or X-API-Key, not both.",
        False,
        "two credentials",
    ),
    "for nobody": (bearing(KEY), FOR_NOBODY, False, "no X-User-Id from retool"),
    "for an empty name": (acting(KEY, ""), FOR_NOBODY, False, "no X-User-Id from retool"),
    "without groups": (
        bearing(KEY, X_User_Id="ann"),
        "This request does not name the user's groups; set the header X-User-Groups, empty for none.",
        False,
        "no X-User-Groups",
    ),
    "for groups of a template that failed": (
        acting(KEY, "ann", "staff, {{ current_user.groups }}"),
        "X-User-Groups must be names separated by commas, not a placeholder.",
        False,
        "X-User-Groups is a placeholder",
    ),
    "for endless groups": (
        acting(KEY, "ann", "," * 16_385),
        "X-User-Groups may have 16384 characters.",
        False,
        "X-User-Groups too long",
    ),
    "for somebody too long": (
        acting(KEY, "a" * 256),
        "X-User-Id must be 1 to 255 printable characters, and no placeholder.",
        False,
        "X-User-Id is no id",
    ),
}


@pytest.mark.parametrize(("caller", "message", "offered", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_others_are_refused(
    gated: Api,
    drafts: Drafts,
    caller: Caller,
    message: str,
    offered: bool,  # noqa: FBT001  # a case
    reason: str,
) -> None:
    draft_id = drafts.new(author="ann")
    with audit() as log:
        refused(gated.post(SUBMIT, caller, input={"draftId": draft_id}), message, offered=offered)
    assert log.reasons == [reason]
    assert not log.mentions(KEY)
    assert drafts.row(draft_id)["status"] == "draft"


@pytest.mark.parametrize("name", ["Authorization", "X-API-Key", "X-User-Id", "X-User-Groups"])
def test_a_header_that_is_there_twice_is_refused(gated: Api, name: str) -> None:
    usual = {"X-API-Key": KEY, "X-User-Id": "ann", "X-User-Groups": "a"}
    if name == "Authorization":
        usual = {"Authorization": f"Bearer {KEY}", "X-User-Id": "ann"}
    sent = [*usual.items(), (name, usual[name])]
    answer = gated.client.post("/graphql", json={"query": VIEWER}, headers=sent)
    refused(answer, f"The header {name.lower()} must be sent once.", offered=False)


@pytest.mark.parametrize("user_id", [b"a\xc2\xadnn", b"a\xe2\x80\x8bnn", b"\xff\x80"])
def test_a_name_that_can_not_be_seen_is_refused(gated: Api, user_id: bytes) -> None:
    sent = {b"x-api-key": KEY.encode(), b"x-user-id": user_id}
    answer = gated.client.post("/graphql", json={"query": VIEWER}, headers=sent)
    refused(answer, "X-User-Id must be 1 to 255 printable characters, and no placeholder.", offered=False)


def test_a_name_in_other_letters_is_the_same_from_a_token_and_from_retool(settings: Settings) -> None:
    """Header bytes are UTF-8, or Latin-1 where they can be nothing else."""
    with little_issuer(OLD) as issuer:
        given = {"auth": "oidc,gateway", "gateway_keys": KEYS}
        with api_for(settings, issuer, **given) as api:
            token = viewer(api, bearing(issuer.token(OLD, email="rené@example.org", groups=["Prüfung"])))
            for encoding in ("utf-8", "latin-1"):
                sent = {
                    b"authorization": f"Bearer {KEY}".encode(),
                    b"x-user-id": "rené@example.org".encode(encoding),
                    b"x-user-groups": "Prüfung".encode(encoding),
                }
                answer = api.client.post("/graphql", json={"query": VIEWER}, headers=sent)
                assert answer.json()["data"]["viewer"] == token == {"id": "rené@example.org", "groups": ["Prüfung"]}


def test_tokens_and_keys_side_by_side(settings: Settings) -> None:
    with little_issuer(OLD) as issuer, api_for(settings, issuer, auth="gateway, oidc", gateway_keys=KEYS) as api:
        assert viewer(api, bearing(issuer.token(OLD)))["id"] == "ann@example.org"
        assert viewer(api, acting(KEY, "bob@example.org"))["id"] == "bob@example.org"
        assert viewer(api, with_headers(X_API_Key=KEY, X_User_Id="bob", X_User_Groups=""))["id"] == "bob"
        refused(api.post(VIEWER, acting("a.b.c", "bob")), "The token is not accepted.", offered=True)
        refused(api.post(VIEWER, acting("plan_api_other", "bob")), "The key is not accepted.", offered=True)
        refused(api.post(VIEWER, with_headers(X_User_Id="bob")), NOBODY, offered=False)


def test_a_trusted_key_may_name_somebody_else(gated: Api, drafts: Drafts) -> None:
    draft_id = drafts.new(author="ann")
    payload = perform(gated, SUBMIT, acting(TRUSTED, "nightly"), draftId=draft_id, userId="ann")
    assert (payload["status"], payload["userErrors"]) == ("SUBMITTED", [])
    assert status(gated, draft_id, acting(KEY, "ann"))["submittedBy"] == {"id": "ann"}


@pytest.mark.parametrize("groups", ["", "benefit-admins"])
def test_another_key_may_not_even_for_an_admin(gated: Api, drafts: Drafts, groups: str) -> None:
    draft_id = drafts.new(author="ann")
    payload = perform(gated, SUBMIT, acting(KEY, "bob", groups), draftId=draft_id, userId="ann")
    assert codes(payload) == ["FORBIDDEN"]
    assert drafts.row(draft_id)["status"] == "draft"


@pytest.mark.parametrize(
    ("given", "groups", "expected"),
    [
        ({}, ["benefit-admins"], ["FORBIDDEN"]),
        ({"oidc_acts_for_others_group": "batch"}, ["benefit-admins"], ["FORBIDDEN"]),
        ({"oidc_acts_for_others_group": "batch"}, ["batch"], []),
    ],
)
def test_a_token_may_for_the_group_that_the_settings_name(
    settings: Settings, drafts: Drafts, given: dict[str, str], groups: list[str], expected: list[str]
) -> None:
    draft_id = drafts.new(author="bob")
    with little_issuer(OLD) as issuer, api_for(settings, issuer, **given) as api:
        caller = bearing(issuer.token(OLD, groups=groups))
        assert codes(perform(api, SUBMIT, caller, draftId=draft_id, userId="bob")) == expected
    assert drafts.row(draft_id)["status"] == ("draft" if expected else "submitted")


def test_four_eyes_are_not_deceived_by_case(settings: Settings, drafts: Drafts) -> None:
    """Retool writes the address in another case than the issuer: still one person, who may not decide her own."""
    draft_id = drafts.new(author="Ann@Example.org")
    with little_issuer(OLD) as issuer, api_for(settings, issuer, auth="oidc,gateway", gateway_keys=KEYS) as api:
        by_token = bearing(issuer.token(OLD))
        assert perform(api, SUBMIT, by_token, draftId=draft_id)["userErrors"] == []
        (task,) = status(api, draft_id, by_token)["openTasks"]
        by_retool = acting(KEY, "ANN@EXAMPLE.ORG", "benefit-reviewers")
        payload = perform(api, COMPLETE, by_retool, taskId=task["id"], approved=True)
        assert codes(payload) == ["OWN_SUBMISSION"]
        assert drafts.row(draft_id)["status"] == "submitted"


def test_a_made_key_opens_the_api(settings: Settings) -> None:
    made = run(settings, "key", "retool-2", "--trusted")
    assert (made.code, made.errors) == (0, "")
    key, listed = (line.split(":", 1)[1].strip() for line in made.lines)
    assert listed == entry("retool-2", key, ":trusted")
    assert len(key) == len("plan_api_") + 43
    with serving(settings_with(settings, auth="gateway", gateway_keys=f"{KEYS},{listed}")) as api:
        assert viewer(api, acting(key, "ann"))["id"] == "ann"


def test_no_two_made_keys_are_the_same(settings: Settings) -> None:
    one, two = (run(settings, "key").lines for _ in range(2))
    assert one[0] != two[0]
    assert one[1] != two[1]
    assert one[1].startswith("entry for GATEWAY_KEYS:  retool:")


def test_a_key_needs_a_plain_name(settings: Settings) -> None:
    made = run(settings, "key", "a:b")
    assert (made.code, made.lines) == (2, [])
