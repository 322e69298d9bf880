"""The issuer's keys: fetched once, rotated, kept while the issuer is away, and never taken from anywhere else."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from api.settings import Settings
from tests.auth.asking import VIEWER, Caller, api_for, audit, bearing, refused, viewer
from tests.auth.issuer import AUDIENCE, DISCOVERY, KEYS, little_issuer
from tests.auth.signing import SigningKey, ec_key, rsa_key, token
from tests.serving import Api, Drafts
from tests.stories.behind import until
from tests.verbs import SUBMIT

OLD, NEW, FORGER, CURVE = rsa_key("old"), rsa_key("new"), rsa_key("forger"), ec_key("curve")
ANN = {"id": "ann@example.org", "groups": ["benefit-reviewers"]}
NOT_ACCEPTED = "The token is not accepted."
QUICK = {"oidc_refetch_seconds": 0.05}


def eventually(api: Api, caller: Caller) -> None:
    """Ask until the caller is let in; the pause between two fetches has to pass first."""
    for _ in range(200):
        if api.post(VIEWER, caller).status_code == 200:
            return
        time.sleep(0.02)
    pytest.fail("never let in")


def away(answer: httpx.Response) -> None:
    """Assert that an answer says that the issuer can not be asked, and nothing else."""
    assert answer.status_code == 503
    extensions = {"code": "UPSTREAM_UNREACHABLE", "upstream": "issuer", "retryable": True}
    assert answer.json() == {
        "errors": [
            {
                "message": "the issuer of tokens can not be asked for its keys",
                "extensions": {**extensions, "requestId": answer.headers["X-Request-Id"]},
            }
        ]
    }


def test_keys_are_fetched_when_first_needed_and_then_kept(settings: Settings) -> None:
    with little_issuer(OLD) as issuer, api_for(settings, issuer) as api:
        assert issuer.asked == []
        for _ in range(3):
            assert viewer(api, bearing(issuer.token(OLD))) == ANN
        assert issuer.asked == [DISCOVERY, KEYS]


def test_fifty_at_once_at_the_start_are_one_fetch(settings: Settings) -> None:
    with little_issuer(OLD) as issuer, api_for(settings, issuer) as api, ThreadPoolExecutor(50) as pool:
        issuer.delay = 0.1
        caller = bearing(issuer.token(OLD))
        assert list(pool.map(lambda _: viewer(api, caller), range(50))) == [ANN] * 50
        assert issuer.fetches() == 1


def test_fifty_at_once_with_an_unknown_key_are_one_fetch(settings: Settings) -> None:
    """The first is asked for at once; then there is a pause, however many more come."""
    with little_issuer(OLD) as issuer, api_for(settings, issuer) as api, ThreadPoolExecutor(50) as pool:
        assert viewer(api, bearing(issuer.token(OLD))) == ANN
        issuer.delay = 0.1
        for _ in range(2):
            callers = [bearing(token(FORGER, issuer.claims(), kid=f"unknown-{number}")) for number in range(50)]
            for answer in pool.map(lambda caller: api.post(VIEWER, caller), callers):
                refused(answer, NOT_ACCEPTED, offered=True)
            assert issuer.fetches() == 2


def test_a_rotated_key_is_known_at_once(settings: Settings) -> None:
    with little_issuer(OLD) as issuer, api_for(settings, issuer) as api:
        assert viewer(api, bearing(issuer.token(OLD))) == ANN
        issuer.keys = [OLD.published(), NEW.published()]
        assert viewer(api, bearing(issuer.token(NEW))) == ANN
        assert viewer(api, bearing(issuer.token(OLD))) == ANN
        assert issuer.fetches() == 2


def test_a_key_that_was_withdrawn_is_no_good(settings: Settings) -> None:
    with little_issuer(OLD) as issuer, api_for(settings, issuer) as api:
        assert viewer(api, bearing(issuer.token(OLD))) == ANN
        issuer.keys = [NEW.published()]
        assert viewer(api, bearing(issuer.token(NEW))) == ANN
        refused(api.post(VIEWER, bearing(issuer.token(OLD))), NOT_ACCEPTED, offered=True)


def test_keys_are_fetched_again_when_they_are_old(settings: Settings) -> None:
    with little_issuer(OLD) as issuer, api_for(settings, issuer, oidc_keys_seconds=1) as api:
        caller = bearing(issuer.token(OLD))
        assert viewer(api, caller) == ANN
        issuer.keys = [NEW.published()]
        for _ in range(200):
            if api.post(VIEWER, caller).status_code == 401:
                break
            time.sleep(0.02)
        refused(api.post(VIEWER, caller), NOT_ACCEPTED, offered=True)


def test_while_the_issuer_is_away_known_keys_stay_good(settings: Settings, drafts: Drafts) -> None:
    draft_id = drafts.new(author="ann@example.org")
    with little_issuer(OLD) as issuer, api_for(settings, issuer, **QUICK, oidc_keys_seconds=1) as api:
        assert viewer(api, bearing(issuer.token(OLD))) == ANN
        issuer.status = 500
        fetched = issuer.asked.count(DISCOVERY)
        while issuer.asked.count(DISCOVERY) == fetched:
            assert viewer(api, bearing(issuer.token(OLD))) == ANN
        away(api.post(SUBMIT, bearing(issuer.token(NEW)), input={"draftId": draft_id}))
        assert drafts.row(draft_id)["status"] == "draft"
        issuer.status, issuer.keys = 200, [OLD.published(), NEW.published()]
        eventually(api, bearing(issuer.token(NEW)))


def test_an_issuer_away_from_the_start(settings: Settings) -> None:
    with little_issuer(OLD) as issuer, api_for(settings, issuer, **QUICK) as api:
        issuer.status = 503
        away(api.post(VIEWER, bearing(issuer.token(OLD))))
        issuer.status = 200
        eventually(api, bearing(issuer.token(OLD)))


def test_an_issuer_that_hangs_costs_its_deadline_only(settings: Settings) -> None:
    with little_issuer(OLD) as issuer, api_for(settings, issuer, oidc_timeout=0.2) as api:
        issuer.delay = 1
        away(api.post(VIEWER, bearing(issuer.token(OLD))))


def test_an_issuer_that_hangs_holds_up_nobody_whose_key_is_known(settings: Settings) -> None:
    """Its old keys are good while newer ones are fetched: each of these would wait for its whole deadline otherwise."""
    given = {"oidc_keys_seconds": 1, "oidc_timeout": 60, "oidc_refetch_seconds": 0.1, "request_seconds": 5}
    with little_issuer(OLD) as issuer, api_for(settings, issuer, **given) as api:
        assert viewer(api, bearing(issuer.token(OLD))) == ANN
        issuer.hangs.set()
        fetched = len(issuer.asked)
        while len(issuer.asked) == fetched:
            assert viewer(api, bearing(issuer.token(OLD))) == ANN
        for _ in range(20):
            assert viewer(api, bearing(issuer.token(OLD))) == ANN
        assert len(issuer.asked) == fetched + 1
        issuer.hangs.clear()


def test_forged_key_ids_take_no_place_from_others(settings: Settings) -> None:
    """Slots are for those who are known. These wait for an issuer that hangs, and take none."""
    given = {"oidc_timeout": 60, "oidc_refetch_seconds": 0.1, "max_requests": 2, "max_requests_per_caller": 2}
    with little_issuer(OLD) as issuer, api_for(settings, issuer, **given) as api, ThreadPoolExecutor(30) as pool:
        assert viewer(api, bearing(issuer.token(OLD))) == ANN
        issuer.hangs.set()
        fetched = len(issuer.asked)
        callers = [bearing(token(FORGER, issuer.claims(), kid=f"unknown-{number}")) for number in range(30)]
        answers = [pool.submit(api.post, VIEWER, caller) for caller in callers]
        until(lambda: len(issuer.asked) > fetched)
        for _ in range(5):
            assert viewer(api, bearing(issuer.token(OLD))) == ANN
        issuer.hangs.clear()
        assert {answer.result().status_code for answer in answers} == {401}


def test_keys_that_are_far_too_old_are_not_believed_before_newer_ones_are_there(settings: Settings) -> None:
    """After a quiet night the first token may be one of a key that was withdrawn."""
    with little_issuer(OLD) as issuer, api_for(settings, issuer, oidc_keys_seconds=1) as api:
        assert viewer(api, bearing(issuer.token(OLD))) == ANN
        issuer.keys = [NEW.published()]
        time.sleep(2.1)
        refused(api.post(VIEWER, bearing(issuer.token(OLD))), NOT_ACCEPTED, offered=True)


def test_the_rest_route_tells_that_the_issuer_is_away(settings: Settings) -> None:
    with little_issuer(OLD) as issuer, api_for(settings, issuer) as api:
        issuer.status = 500
        caller = bearing(issuer.token(OLD))
        answer = api.client.post("/api/plans/x/submit", json={"draftId": "x"}, headers=caller.headers)
        assert (answer.status_code, answer.json()["code"]) == (503, "UPSTREAM_UNREACHABLE")


def test_an_issuer_without_discovery(settings: Settings) -> None:
    with little_issuer(OLD) as issuer, api_for(settings, issuer, oidc_jwks_url=issuer.url + KEYS) as api:
        assert viewer(api, bearing(issuer.token(OLD))) == ANN
        assert issuer.asked == [KEYS]


def test_the_only_key_for_signatures_needs_no_id(settings: Settings) -> None:
    with little_issuer(OLD) as issuer, api_for(settings, issuer) as api:
        issuer.keys.append(NEW.published(use="enc"))
        assert viewer(api, bearing(token(OLD, issuer.claims(), kid=None))) == ANN
        refused(api.post(VIEWER, bearing(token(FORGER, issuer.claims(), kid=None))), NOT_ACCEPTED, offered=True)


def test_two_keys_of_one_id_are_both_tried(settings: Settings) -> None:
    one, two = (SigningKey("same", key.algorithm, key.private) for key in (OLD, CURVE))
    with little_issuer(one, two) as issuer, api_for(settings, issuer) as api:
        assert viewer(api, bearing(issuer.token(one))) == ANN
        assert viewer(api, bearing(issuer.token(two))) == ANN


WRONG = {
    "another issuer": {"issuer": "https://evil.example.org"},
    "keys in the clear": {"jwks_uri": "http://evil.example.org/keys"},
    "keys in a file": {"jwks_uri": f"file://{Path('/etc/passwd')}"},
}


@pytest.mark.parametrize("configuration", WRONG.values(), ids=WRONG.keys())
def test_an_issuer_that_says_wrong_things_is_not_believed(settings: Settings, configuration: dict[str, str]) -> None:
    with little_issuer(OLD) as issuer, api_for(settings, issuer) as api:
        issuer.configuration = configuration
        away(api.post(VIEWER, bearing(issuer.token(OLD))))
        assert issuer.asked == [DISCOVERY]


Publish = Callable[[], dict[str, str]]
UNUSABLE: dict[str, tuple[SigningKey, Publish]] = {
    "for encryption": (OLD, lambda: OLD.published(use="enc")),
    "for another algorithm": (OLD, lambda: OLD.published(alg="RS512")),
    "too short": (rsa_key("short", size=1024), lambda: rsa_key("short", size=1024).published()),
    "a secret": (OLD, lambda: {"kty": "oct", "kid": "old", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"}),
    "of no known kind": (OLD, lambda: {"kty": "PQ", "kid": "old"}),
    "with half of it missing": (OLD, lambda: {"kty": "RSA", "kid": "old", "e": "AQAB"}),
    "a point that is on no curve": (CURVE, lambda: {**CURVE.published(), "x": CURVE.published()["y"]}),
}


@pytest.mark.parametrize(("key", "publish"), UNUSABLE.values(), ids=UNUSABLE.keys())
def test_a_published_key_that_is_no_good_verifies_nothing(
    settings: Settings, key: SigningKey, publish: Publish
) -> None:
    with little_issuer(NEW) as issuer, api_for(settings, issuer) as api:
        issuer.keys.append(publish())
        refused(api.post(VIEWER, bearing(issuer.token(key))), NOT_ACCEPTED, offered=True)
        assert viewer(api, bearing(issuer.token(NEW))) == ANN


def test_an_issuer_without_any_usable_key_keeps_the_old_ones_good(settings: Settings) -> None:
    with little_issuer(OLD) as issuer, api_for(settings, issuer, **QUICK) as api:
        assert viewer(api, bearing(issuer.token(OLD))) == ANN
        issuer.keys = []
        away(api.post(VIEWER, bearing(issuer.token(NEW))))
        assert viewer(api, bearing(issuer.token(OLD))) == ANN


CLAIMS = {
    "Keycloak": (
        {"oidc_groups_claim": "realm_access.roles,groups"},
        {"realm_access": {"roles": ["benefit-reviewers"]}, "groups": ["staff"]},
        ["benefit-reviewers", "staff"],
    ),
    "Entra ID": (
        {"oidc_user_claim": "preferred_username", "oidc_groups_claim": "roles"},
        {"email": None, "preferred_username": "ann@example.org", "groups": None, "roles": ["benefit-reviewers"]},
        ["benefit-reviewers"],
    ),
    "Okta": (
        {"oidc_user_claim": "sub"},
        {"email": None, "sub": "ann@example.org", "groups": ["Everyone", "benefit-reviewers"]},
        ["Everyone", "benefit-reviewers"],
    ),
    "Auth0": (
        {"oidc_user_claim": "https://example.org/email", "oidc_groups_claim": "https://example.org/roles"},
        {"email": None, "https://example.org/email": "ann@example.org", "https://example.org/roles": ["a", "b"]},
        ["a", "b"],
    ),
    "none of the groups' claims": ({"oidc_groups_claim": "a.b.c,name.first"}, {"a": {"b": None}}, []),
}


@pytest.mark.parametrize(("given", "claims", "groups"), CLAIMS.values(), ids=CLAIMS.keys())
def test_settings_name_the_claims(
    settings: Settings, given: dict[str, str], claims: dict[str, object], groups: list[str]
) -> None:
    with little_issuer(OLD) as issuer, api_for(settings, issuer, **given) as api:
        assert viewer(api, bearing(issuer.token(OLD, **claims))) == {"id": "ann@example.org", "groups": groups}


def test_settings_name_the_algorithms_and_types(settings: Settings) -> None:
    given = {"oidc_algorithms": "ES256", "oidc_token_types": "at+JWT", "oidc_audience": f"other,{AUDIENCE}"}
    with little_issuer(OLD, CURVE) as issuer, api_for(settings, issuer, **given) as api, audit() as log:
        assert viewer(api, bearing(token(CURVE, issuer.claims(), typ="at+jwt"))) == ANN
        refused(api.post(VIEWER, bearing(issuer.token(CURVE))), NOT_ACCEPTED, offered=True)
        refused(api.post(VIEWER, bearing(token(OLD, issuer.claims(), typ="at+jwt"))), NOT_ACCEPTED, offered=True)
        assert log.reasons == ["token: type", "token: algorithm"]


def test_the_log_says_what_is_wrong_with_the_issuer(settings: Settings) -> None:
    with little_issuer(OLD) as issuer, api_for(settings, issuer) as api, audit() as log:
        issuer.status = 404
        away(api.post(VIEWER, bearing(issuer.token(OLD))))
    (failed,) = [vars(record) for record in log.records if record.getMessage() == "upstream call failed"]
    assert {name: failed[name] for name in ("upstream", "code", "status")} == {
        "upstream": "issuer",
        "code": "UPSTREAM_FAILED",
        "status": 404,
    }
    assert failed["call"] == f"GET {issuer.url}{DISCOVERY}"


@pytest.mark.parametrize(
    ("given", "claims", "name"),
    [
        ({}, {}, "Ann Author"),
        ({"oidc_name_claim": "profile.called"}, {"profile": {"called": "Ann A."}}, "Ann A."),
        ({}, {"name": None}, None),
        ({}, {"name": ["Ann"]}, None),
    ],
)
def test_a_token_tells_the_viewers_name(
    settings: Settings, given: dict[str, str], claims: dict[str, object], name: str | None
) -> None:
    with little_issuer(OLD) as issuer, api_for(settings, issuer, **given) as api:
        told = api.ask("{ viewer { id name } }", bearing(issuer.token(OLD, **claims)))
        assert told == {"viewer": {"id": "ann@example.org", "name": name}}


NAMESPACED = "https://example.org/email"
UNCONFIRMED = "token: email_verified is not true"
ADDRESSES = {
    "another claim with the address": ("preferred_username", {"preferred_username": "ann@example.org"}),
    "another claim with the address in other letters": ("nick", {"nick": "ANN@Example.org"}),
    "another claim with any address": ("upn", {"upn": "boss@example.org"}),
    "an address as subject": ("sub", {"sub": "boss@example.org"}),
    "a name of one's own choice": (NAMESPACED, {NAMESPACED: "boss@example.org"}),
    "a path": ("profile.email", {"profile": {"email": "boss@example.org"}}),
    "an address without a sign": ("nick", {"email": "ann", "nick": "Ann"}),
}


@pytest.mark.parametrize(("path", "claims"), ADDRESSES.values(), ids=ADDRESSES.keys())
@pytest.mark.parametrize("denied", [False, "false", None, 0, "no"])
def test_an_address_nobody_confirmed_counts_in_no_claim(
    settings: Settings, path: str, claims: dict[str, object], denied: object
) -> None:
    with little_issuer(OLD) as issuer, api_for(settings, issuer, oidc_user_claim=path) as api, audit() as log:
        sent = token(OLD, {**issuer.claims(**claims), "email_verified": denied})
        refused(api.post(VIEWER, bearing(sent)), NOT_ACCEPTED, offered=True)
        assert log.reasons == [UNCONFIRMED]
        assert api.post(VIEWER, bearing(token(OLD, {**issuer.claims(**claims), "email_verified": True}))).is_success


def test_a_namespaced_claim_has_its_own_word_for_it(settings: Settings) -> None:
    with little_issuer(OLD) as issuer, api_for(settings, issuer, oidc_user_claim=NAMESPACED) as api:
        for denied, status in ((False, 401), (True, 200)):
            sent = issuer.token(OLD, **{"email": None, NAMESPACED: "ann@example.org", f"{NAMESPACED}_verified": denied})
            assert api.post(VIEWER, bearing(sent)).status_code == status


def test_an_id_that_is_no_address_needs_no_confirmation(settings: Settings) -> None:
    with little_issuer(OLD) as issuer, api_for(settings, issuer, oidc_user_claim="sub") as api:
        assert viewer(api, bearing(issuer.token(OLD, email_verified=False)))["id"] == "0001"
