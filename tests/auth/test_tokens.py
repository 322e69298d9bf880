"""Bearer tokens over HTTP: who a good one names, and every usual way to forge one."""

import hashlib
import hmac
import json
import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from authentication.tokens import LARGEST_TOKEN
from tests.auth.asking import VIEWER, Caller, audit, bearing, refused, viewer, with_headers
from tests.auth.issuer import AUDIENCE, DISCOVERY, KEYS, LittleIssuer
from tests.auth.signing import SigningKey, assembled, ec_key, encoded, rsa_key, token
from tests.serving import Api, Drafts
from tests.verbs import SUBMIT

ANN = {"id": "ann@example.org", "groups": ["benefit-reviewers"]}
GOOD, PSS, CURVE = rsa_key("first"), rsa_key("pss", "PS256"), ec_key("curve")
FORGER, SHORT = rsa_key("forger"), rsa_key("short", size=1024)
OTHER_CURVE = ec_key("curve of another", "P-384")

Made = Callable[[LittleIssuer], str]


@dataclass(frozen=True)
class Since:
    """So many seconds from when the token is made."""

    seconds: float


def as_first(key: SigningKey) -> SigningKey:
    """A key that calls itself by the id of the issuer's."""
    return SigningKey("first", key.algorithm, key.private, key.curve)


def changed(**claims: object) -> Made:
    """A token the issuer signed with these claims changed."""

    def make(issuer: LittleIssuer) -> str:
        times = {name: int(time.time()) + value.seconds for name, value in claims.items() if isinstance(value, Since)}
        return issuer.token(GOOD, **{**claims, **times})

    return make


def headed(**header: object) -> Made:
    """A token the issuer signed with these header entries changed."""
    return lambda issuer: token(GOOD, issuer.claims(), **header)


def forged(key: SigningKey, **header: object) -> Made:
    """A token with good claims that somebody else signed."""
    return lambda issuer: token(key, issuer.claims(), **header)


def raw(payload: Callable[[LittleIssuer], bytes], header: bytes = b'{"alg":"RS256","kid":"first"}') -> Made:
    """A token the issuer signed over these very bytes."""
    return lambda issuer: assembled(header, payload(issuer), GOOD.sign)


def unsigned(algorithm: str) -> Made:
    def make(issuer: LittleIssuer) -> str:
        header = json.dumps({"alg": algorithm, "typ": "JWT", "kid": "first"}).encode()
        return f"{encoded(header)}.{encoded(json.dumps(issuer.claims()).encode())}."

    return make


def by_public_key(encoding: Encoding) -> Made:
    """HS256 with the public key as the secret: the confusion of algorithms."""

    def make(issuer: LittleIssuer) -> str:
        public = GOOD.private.public_key()
        secret = public.public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)
        header = json.dumps({"alg": "HS256", "typ": "JWT", "kid": "first"}).encode()
        claims = json.dumps(issuer.claims()).encode()
        return assembled(header, claims, lambda message: hmac.digest(secret, message, hashlib.sha256))

    return make


def tampered(issuer: LittleIssuer) -> str:
    """Another payload under a good signature."""
    header, _, signature = issuer.token(GOOD).split(".")
    return f"{header}.{encoded(json.dumps(issuer.claims(email='admin@example.org')).encode())}.{signature}"


def cut(issuer: LittleIssuer) -> str:
    return issuer.token(GOOD)[:-10]


def padded(issuer: LittleIssuer) -> str:
    return issuer.token(GOOD) + "=="


def four_parts(issuer: LittleIssuer) -> str:
    return issuer.token(GOOD) + ".e30"


def repeated(issuer: LittleIssuer) -> bytes:
    """Two readers would take two different people for the sender."""
    return json.dumps(issuer.claims()).encode()[:-1] + b', "email": "admin@example.org"}'


def not_a_number(issuer: LittleIssuer) -> bytes:
    return json.dumps(issuer.claims(exp=float("nan"))).encode()


NOT_ACCEPTED = "The token is not accepted."
FORGED: dict[str, tuple[Made, str]] = {
    "alg none": (unsigned("none"), "token: not three parts"),
    "alg None": (unsigned("None"), "token: not three parts"),
    "alg none, with a signature": (headed(alg="none"), "token: algorithm"),
    "no alg": (headed(alg=None), "token: algorithm"),
    "alg a list": (headed(alg=["RS256"]), "token: algorithm"),
    "HS256 by the public key (PEM)": (by_public_key(Encoding.PEM), "token: algorithm"),
    "HS256 by the public key (DER)": (by_public_key(Encoding.DER), "token: algorithm"),
    "RS512, which the settings do not name": (headed(alg="RS512"), "token: algorithm"),
    "RS256 said to be PS256": (headed(alg="PS256"), "token: signature"),
    "RS256 said to be ES256": (headed(alg="ES256"), "token: signature"),
    "signed by another under the same id": (forged(as_first(FORGER)), "token: signature"),
    "signed by a curve under the RSA key's id": (forged(as_first(CURVE)), "token: signature"),
    "signed on another curve": (forged(OTHER_CURVE, kid="curve"), "token: signature"),
    "signature empty": (unsigned("RS256"), "token: not three parts"),
    "signature of zeros": (lambda issuer: issuer.token(GOOD)[:-342] + "A" * 342, "token: signature"),
    "ES256 signature of zeros": (lambda issuer: issuer.token(CURVE)[:-86] + "A" * 86, "token: signature"),
    "signature cut": (cut, "token: signature"),
    "signature padded": (padded, "token: signature"),
    "payload changed": (tampered, "token: signature"),
    "four parts": (four_parts, "token: not three parts"),
    "no JSON": (raw(lambda _: b"{"), "token: claims not plain JSON"),
    "no object": (raw(lambda _: b"[]"), "token: claims no object"),
    "no UTF-8": (raw(lambda _: b'{"iss":"\xff"}'), "token: claims not plain JSON"),
    "nested deeply": (raw(lambda _: b"[" * 9_000), "token: claims not plain JSON"),
    "header no JSON": (raw(lambda _: b"{}", header=b"RS256"), "token: header not plain JSON"),
    "header no base64": (lambda issuer: "!" + issuer.token(GOOD), "token: not base64url"),
    "a claim twice": (raw(repeated), "token: claims not plain JSON"),
    "a header entry twice": (
        raw(lambda _: b"{}", header=b'{"alg":"none","alg":"RS256","kid":"first"}'),
        "token: header not plain JSON",
    ),
    "expires at NaN": (raw(not_a_number), "token: claims not plain JSON"),
    "huge": (changed(padding="x" * LARGEST_TOKEN), "token: too long"),
    "no id, and the issuer has several": (headed(kid=None), "token: key id not known to the issuer"),
    "id: a path": (headed(kid="../../../../dev/null"), "token: key id not known to the issuer"),
    "id: an address": (headed(kid="https://evil.example.org/keys"), "token: key id not known to the issuer"),
    "id: SQL": (headed(kid="x' UNION SELECT 'secret'--"), "token: key id not known to the issuer"),
    "id: a command": (headed(kid="|/bin/true"), "token: key id not known to the issuer"),
    "id: NUL": (headed(kid="first\0"), "token: key id not known to the issuer"),
    "id: empty": (headed(kid=""), "token: key id not known to the issuer"),
    "id: a number": (headed(kid=1), "token: key id"),
    "its own key in the header (jwk)": (forged(as_first(FORGER), jwk=FORGER.published()), "token: signature"),
    "its own key, and its own id": (forged(FORGER, jwk=FORGER.published()), "token: key id not known to the issuer"),
    "address of its own keys (jku)": (forged(as_first(FORGER), jku="http://127.0.0.1:1/keys"), "token: signature"),
    "address of its own certificate (x5u)": (forged(as_first(FORGER), x5u="http://127.0.0.1:1/c"), "token: signature"),
    "its own certificate (x5c)": (forged(as_first(FORGER), x5c=["MIIB"]), "token: signature"),
    "critical extension": (headed(crit=["exp"], exp=1), "token: critical extensions"),
    "critical extension, misspelt": (headed(crit=1), "token: critical extensions"),
    "payload not encoded (b64)": (headed(b64=False, crit=["b64"]), "token: critical extensions"),
    "typ: a logout token": (headed(typ="logout+jwt"), "token: type"),
    "typ: a list": (headed(typ=["JWT"]), "token: type"),
    "issuer: another": (changed(iss="https://evil.example.org"), "token: invalid_claim: Invalid claim: 'iss'"),
    "issuer: ours with a slash": (
        lambda issuer: issuer.token(GOOD, iss=issuer.url + "/"),
        "token: invalid_claim: Invalid claim: 'iss'",
    ),
    "issuer: a list": (
        lambda issuer: issuer.token(GOOD, iss=[issuer.url]),
        "token: invalid_claim: Claim 'iss' must be a StringOrURI value",
    ),
    "issuer: none": (changed(iss=None), "token: missing_claim: Missing claim: 'iss'"),
    "audience: another": (changed(aud="https://other.example.org"), "token: invalid_claim: Invalid claim: 'aud'"),
    "audience: others": (changed(aud=["a", AUDIENCE + "/"]), "token: invalid_claim: Invalid claim: 'aud'"),
    "audience: an empty list": (changed(aud=[]), "token: invalid_claim: Invalid claim: 'aud'"),
    "audience: none": (changed(aud=None), "token: missing_claim: Missing claim: 'aud'"),
    "audience: an object": (
        changed(aud={AUDIENCE: 1}),
        "token: invalid_claim: Claim 'aud' must be an array of StringOrURI value or a single StringOrURI value",
    ),
    "never expires": (changed(exp=None), "token: missing_claim: Missing claim: 'exp'"),
    "expires as text": (changed(exp="9999999999"), "token: invalid_claim: Claim 'exp' must be a NumericDate value"),
    "expires as true": (changed(exp=True), "token: invalid_claim: Claim 'exp' must be a NumericDate value"),
    "not yet valid": (changed(nbf=Since(600)), "token: invalid_claim: The token is not yet valid"),
    "made in the future": (changed(iat=Since(600)), "token: invalid_claim: The token was issued in the future"),
    "bound to its sender's key": (
        changed(cnf={"jkt": "x"}),
        "token: bound to a key of its sender (cnf), which is not asked for here",
    ),
    "nobody named": (changed(email=None), "token: no usable id in the claim email"),
    "a name of blanks": (changed(email="  "), "token: no usable id in the claim email"),
    "a name that can not be seen": (changed(email="a\u200bnn@example.org"), "token: no usable id in the claim email"),
    "a name too long": (changed(email="a" * 256), "token: no usable id in the claim email"),
    "a name that is none": (changed(email=["ann@example.org"]), "token: no usable id in the claim email"),
    "an address never confirmed": (changed(email_verified=False), "token: email_verified is not true"),
    "an address that may not be confirmed": (changed(email_verified=1), "token: email_verified is not true"),
    "an address whose own claim denies it": (
        changed(**{"https://example.org/x": "y", "email_verified": "false"}),
        "token: email_verified is not true",
    ),
    "nobody, by a template": (changed(email="{{ user.email }}"), "token: no usable id in the claim email"),
    "nobody, by a script": (changed(email="undefined"), "token: no usable id in the claim email"),
    "groups as an object": (changed(groups={"benefit-admins": 1}), "token: the claim groups is no list of names"),
    "groups of numbers": (changed(groups=[1]), "token: the claim groups is no list of names"),
}


@pytest.mark.parametrize(("make", "reason"), FORGED.values(), ids=FORGED.keys())
def test_a_token_that_is_no_good_is_refused(
    believing: Api, issuer: LittleIssuer, drafts: Drafts, make: Made, reason: str
) -> None:
    draft_id = drafts.new(author="ann@example.org")
    before, made = drafts.row(draft_id), make(issuer)
    with audit() as log:
        answer = believing.post(SUBMIT, bearing(made), input={"draftId": draft_id})
    refused(answer, NOT_ACCEPTED, offered=True)
    assert log.reasons == [reason]
    assert not log.mentions(made)
    assert drafts.row(draft_id) == before
    assert set(issuer.asked) <= {DISCOVERY, KEYS}


@pytest.mark.parametrize("seconds", [31, 3_600])
def test_an_expired_token_is_told_so(believing: Api, issuer: LittleIssuer, seconds: int) -> None:
    with audit() as log:
        answer = believing.post(VIEWER, bearing(changed(exp=Since(-seconds))(issuer)))
    refused(answer, "The token has expired; sign in again.", offered=True)
    assert log.reasons == ["token: expired"]


ACCEPTED: dict[str, Made] = {
    "RS256": lambda issuer: issuer.token(GOOD),
    "PS256": lambda issuer: issuer.token(PSS),
    "ES256": lambda issuer: issuer.token(CURVE),
    "typ at+jwt": headed(typ="at+jwt"),
    "typ as a whole media type": headed(typ="application/AT+JWT"),
    "no typ": headed(typ=None),
    "several audiences": changed(aud=["account", AUDIENCE]),
    "expired within the leeway": changed(exp=Since(-5)),
    "valid within the leeway": changed(nbf=Since(20)),
    "no nbf": changed(nbf=None),
    "whole numbers as decimals": changed(exp=Since(60.5)),
    "its issuer's keys by address, not looked at": headed(jku="http://127.0.0.1:1/keys", x5t="x"),
    "header entries nobody knows": headed(cat="x"),
    "id with blanks around": changed(email=" ann@example.org "),
    "address confirmed": changed(email_verified=True),
    "one group as text": changed(groups="benefit-reviewers"),
}


@pytest.mark.parametrize("make", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_a_good_token_names_its_person(believing: Api, issuer: LittleIssuer, make: Made) -> None:
    assert viewer(believing, bearing(make(issuer))) == ANN


def test_headers_say_nothing_beside_a_token(believing: Api, issuer: LittleIssuer) -> None:
    caller = bearing(issuer.token(GOOD), X_User_Id="admin", X_User_Groups="benefit-admins", X_API_Key="any")
    assert viewer(believing, caller) == ANN


@pytest.mark.parametrize(
    ("caller", "message"),
    [
        (with_headers(), "This request has no credentials; send Authorization: Bearer with a token."),
        (
            with_headers(X_User_Id="admin"),
            "This request has no credentials; send Authorization: Bearer with a token.",
        ),
        (with_headers(Authorization="Basic YTpi"), "Authorization must be Bearer, a blank and the token."),
        (with_headers(Authorization="Bearer"), "Authorization must be Bearer, a blank and the token."),
    ],
)
def test_without_a_token_nobody_asks(believing: Api, caller: Caller, message: str) -> None:
    with audit() as log:
        refused(believing.post(VIEWER, caller), message, offered=False)
    assert len(log.reasons) == 1


def test_who_asks_comes_before_what(believing: Api) -> None:
    """The query is not even parsed for nobody."""
    answer = believing.client.post("/graphql", content="{{{", headers={"Content-Type": "application/json"})
    refused(answer, "This request has no credentials; send Authorization: Bearer with a token.", offered=False)


def test_two_authorizations_are_none(believing: Api, issuer: LittleIssuer) -> None:
    twice = [("Authorization", f"Bearer {issuer.token(GOOD)}")] * 2
    answer = believing.client.post("/graphql", json={"query": VIEWER}, headers=twice)
    refused(answer, "The header authorization must be sent once.", offered=False)


def test_the_rest_route_asks_likewise(believing: Api, issuer: LittleIssuer, drafts: Drafts) -> None:
    draft_id = drafts.new(author="ann@example.org")
    path, body = f"/api/plans/{draft_id}/submit", {"draftId": draft_id}
    bad = believing.client.post(path, json=body, headers=bearing("x.y.z").headers)
    assert (bad.status_code, bad.headers["WWW-Authenticate"]) == (401, 'Bearer error="invalid_token"')
    assert drafts.row(draft_id)["status"] == "draft"
    good = believing.client.post(path, json=body, headers=bearing(issuer.token(GOOD)).headers)
    assert (good.status_code, good.json()["status"]) == (200, "submitted")
