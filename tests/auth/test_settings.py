"""What the settings about callers refuse, in one line that names the setting and repeats no value."""

import re

import pytest

from api import settings as configuration
from api.errors import Misconfigured
from api.settings import Settings
from setting_types import described

SYSTEMS = {
    "retool_database_url": "postgresql://retool:hidden-password@127.0.0.1:1/retool",
    "camunda_url": "http://127.0.0.1:1/engine-rest",
    "aidbox_url": "http://127.0.0.1:1/fhir",
}
KEY = "plan_api_" + "k" * 43
HASH = "0123456789abcdef" * 4
OIDC = {"auth": "oidc", "oidc_issuer": "https://login.example.org/", "oidc_audience": "plan-api"}
KINDS = "How callers prove who they are: `oidc`, `gateway`, both separated by a comma, or `headers`, which trusts"
KINDS += " X-User-Id as it is sent (development only)."
ENTRIES = "With AUTH=gateway: the entries of the accepted keys, separated by commas, as `plan-api key` prints them."
ENTRY = "an entry must be name:sha256, or name:sha256:trusted, as `plan-api key` prints it"
PAIR = "like dental:dental-approval"
KEYS = described(Settings, "process_keys")
PLAIN = "an address without user and password is needed; they have settings of their own"
ALGORITHMS = "'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512' or 'Ed25519'"
AUTHORITIES = "Certificate authorities of your own (PEM file), trusted in addition to the public ones."
ISSUER = "With AUTH=oidc: the issuer, exactly as tokens name it in `iss`."

WRONG: dict[str, tuple[dict[str, object], str]] = {
    "none": ({}, f"AUTH is missing: {KINDS}"),
    "empty": ({"auth": ","}, f"AUTH is wrong (Frozenset should have at least 1 item after validation, not 0): {KINDS}"),
    "unknown": ({"auth": "oidc,none"}, f"AUTH is wrong (Input should be 'oidc', 'gateway' or 'headers'): {KINDS}"),
    "headers, seen from outside": (
        {"auth": "headers", "host": "0.0.0.0"},  # noqa: S104  # what is refused
        "AUTH=headers believes anybody, so HOST must be a loopback address",
    ),
    "headers with another": (
        {**OIDC, "auth": "headers,oidc"},
        "AUTH=headers believes anybody, so it can not be combined with another kind",
    ),
    "a default user beside tokens": (
        {**OIDC, "auth_default_user": "ann"},
        "AUTH_DEFAULT_USER belongs to AUTH=headers: nobody else is known without saying who asks",
    ),
    "types that stand nowhere": (
        {"auth": "headers", "process_keys": "dental:dental-approval"},
        "PROCESS_KEYS needs DRAFT_TYPE, which says where a draft's type stands",
    ),
    "a type without a process": (
        {"auth": "headers", "process_keys": "dental:, vision:v"},
        f"PROCESS_KEYS is wrong (pairs of a type and a process definition key are needed, {PAIR}): {KEYS}",
    ),
    "a process without a type": (
        {"auth": "headers", "process_keys": "dental-approval"},
        f"PROCESS_KEYS is wrong (pairs of a type and a process definition key are needed, {PAIR}): {KEYS}",
    ),
    "a process that is a path": (
        {"auth": "headers", "process_keys": "dental:../user"},
        f"PROCESS_KEYS is wrong (pairs of a type and a process definition key are needed, {PAIR}): {KEYS}",
    ),
    "a type twice": (
        {"auth": "headers", "process_keys": "dental:a,dental:b"},
        f"PROCESS_KEYS is wrong (each type can have one process definition key): {KEYS}",
    ),
    "gateway without keys": ({"auth": "gateway"}, "AUTH=gateway needs GATEWAY_KEYS; `plan-api key` makes one"),
    "the key for its hash": (
        {"auth": "gateway", "gateway_keys": f"retool:{KEY}"},
        f"GATEWAY_KEYS is wrong ({ENTRY}): {ENTRIES}",
    ),
    "the key alone": ({"auth": "gateway", "gateway_keys": KEY}, f"GATEWAY_KEYS is wrong ({ENTRY}): {ENTRIES}"),
    "another word than trusted": (
        {"auth": "gateway", "gateway_keys": f"retool:{HASH}:admin"},
        f"GATEWAY_KEYS is wrong ({ENTRY}): {ENTRIES}",
    ),
    "tokens of nobody": ({**OIDC, "oidc_issuer": None}, "AUTH=oidc needs OIDC_ISSUER and OIDC_AUDIENCE"),
    "tokens for anybody": ({**OIDC, "oidc_audience": " , "}, "AUTH=oidc needs OIDC_ISSUER and OIDC_AUDIENCE"),
    "issuer in the clear": (
        {**OIDC, "oidc_issuer": "http://login.example.org"},
        f"OIDC_ISSUER is wrong (an https:// address is needed): {ISSUER}",
    ),
    "issuer with a password": (
        {**OIDC, "oidc_issuer": f"https://ann:{KEY}@login.example.org"},
        f"OIDC_ISSUER is wrong ({PLAIN}): {ISSUER}",
    ),
    "engine with a password": (
        {**OIDC, "camunda_url": f"https://ann:{KEY}@engine.example.org/engine-rest"},
        f"CAMUNDA_URL is wrong ({PLAIN}): Base URL of the engine's REST API, ending in /engine-rest.",
    ),
    "a shared secret's algorithm": (
        {**OIDC, "oidc_algorithms": "HS256"},
        (
            f"OIDC_ALGORITHMS is wrong (Input should be {ALGORITHMS}): "
            "Accepted signature algorithms of tokens, separated by commas."
        ),
    ),
    "half a client certificate": (
        {**OIDC, "camunda_tls_certificate": __file__},
        "CAMUNDA_TLS_CERTIFICATE and CAMUNDA_TLS_KEY belong together",
    ),
    "no such file of authorities": (
        {**OIDC, "tls_ca_file": "/nowhere.pem"},
        f"TLS_CA_FILE is wrong (Path does not point to a file): {AUTHORITIES}",
    ),
}


@pytest.mark.parametrize(("given", "told"), WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_is_one_line(given: dict[str, object], told: str) -> None:
    with pytest.raises(Misconfigured) as raised:
        configuration.read(_env_file=None, **{**SYSTEMS, **given})
    assert str(raised.value) == told


def test_what_is_right_is_read_from_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the environment: lists by commas, blanks around, hashes in capitals, a last / of the issuer kept."""
    given = {
        **{name.upper(): value for name, value in SYSTEMS.items()},
        "AUTH": " oidc, gateway ",
        "HOST": "0.0.0.0",  # noqa: S104  # as behind a proxy
        "GATEWAY_KEYS": f"retool:{HASH.upper()}, batch-1:{HASH}:trusted",
        "OIDC_ISSUER": "https://tenant.eu.example.org/",
        "OIDC_AUDIENCE": "plan-api, api://other",
        "OIDC_GROUPS_CLAIM": "realm_access.roles, https://example.org/groups",
        "OIDC_TOKEN_TYPES": "AT+JWT",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    settings = configuration.read(_env_file=None)
    assert settings.auth == {"oidc", "gateway"}
    assert [(key.name, key.digest, key.trusted) for key in settings.gateway_keys] == [
        ("retool", HASH, False),
        ("batch-1", HASH, True),
    ]
    assert settings.oidc_issuer == "https://tenant.eu.example.org/"
    assert settings.oidc_audience == {"plan-api", "api://other"}
    assert settings.oidc_groups_claim == {"realm_access.roles", "https://example.org/groups"}
    assert settings.oidc_token_types == {"at+jwt"}


@pytest.mark.parametrize("name", configuration.Settings.model_fields)
def test_each_description_can_be_read_alone(name: str) -> None:
    """As a message shows it, without the setting before it."""
    description = described(configuration.Settings, name)
    assert re.match(r"[A-Z]", description)
    assert not re.match(r"(And|Or|Its|Their|These|Those|It|They)\b", description)
    assert description.endswith(".")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", {}),
        ("*:plan-approval", {"*": "plan-approval"}),
        (" dental : dental-approval , *:x.y_z-1,", {"dental": "dental-approval", "*": "x.y_z-1"}),
        ("http://types#dental:dental-approval", {"http://types#dental": "dental-approval"}),
    ],
)
def test_process_keys_by_type(value: str, expected: dict[str, str]) -> None:
    given = {**SYSTEMS, "auth": "headers", "draft_type": "kind", "process_keys": value}
    assert configuration.read(_env_file=None, **given).process_keys == expected
