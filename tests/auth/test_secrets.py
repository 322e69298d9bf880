"""No secret is ever told: not by the settings, the commands, the log, the errors, or the list of processes."""

import hashlib
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from api.settings import Settings
from sandbox.ports import free_port
from tests.auth.asking import VIEWER, audit, bearing, settings_with
from tests.auth.issuer import AUDIENCE, little_issuer
from tests.auth.signing import rsa_key
from tests.commands.running import ROOT, run
from tests.serving import ADMIN, serving

OLD = rsa_key("old")
KEY = "plan_api_Geheim-key"
SECRETS = {
    "camunda_password": "Geheim-engine",
    "camunda_token": "Geheim-token",
    "aidbox_client_secret": "Geheim-store",
}
NAMES = {"camunda_username": "plan-api", "aidbox_client_id": "plan-api"}
GATEWAY_KEYS = f"retool:{hashlib.sha256(KEY.encode()).hexdigest()}"
EVERYTHING = '{ pendingTasks { totalCount } drafts { totalCount } plan(id: "x") { versionId } }'
WORD = "Geheim"


@pytest.fixture
def closed() -> int:
    """A port at which nobody listens."""
    return free_port()


def secretive(settings: Settings, **given: object) -> Settings:
    """Settings full of secrets."""
    return settings_with(settings, **{"auth": "gateway", "gateway_keys": GATEWAY_KEYS, **NAMES, **SECRETS, **given})


def dsn(port: int) -> str:
    return f"postgresql://retool:{WORD}-database@127.0.0.1:{port}/retool"


def test_settings_do_not_show_them(settings: Settings, closed: int) -> None:
    made = secretive(settings, retool_database_url=dsn(closed))
    shown = f"{made!r} {made} {made.model_dump()} {made.model_dump_json()}"
    assert WORD not in shown
    assert hashlib.sha256(KEY.encode()).hexdigest() not in repr(made)


def test_no_command_shows_them(settings: Settings, closed: int) -> None:
    given = {
        **{name.upper(): value for name, value in {**NAMES, **SECRETS}.items()},
        "AUTH": "gateway",
        "GATEWAY_KEYS": GATEWAY_KEYS,
        "RETOOL_DATABASE_URL": dsn(closed),
        "CAMUNDA_URL": f"http://127.0.0.1:{closed}/engine-rest",
        "AIDBOX_URL": f"http://127.0.0.1:{closed}/fhir",
    }
    for words in (["check"], ["settings"], ["schema"], ["setup"], ["setup", "--dry-run"]):
        done = run(settings, *words, **given)
        assert done.lines or done.errors
        assert WORD not in "\n".join([*done.lines, done.errors])


WRONG = {
    "RETOOL_DATABASE_URL": f"mysql://retool:{WORD}@127.0.0.1/retool",
    "CAMUNDA_URL": f"http://plan-api:{WORD}@127.0.0.1:1/engine-rest",
    "AIDBOX_URL": f"ftp://plan-api:{WORD}@127.0.0.1/fhir",
    "AIDBOX_TOKEN_URL": f"https://plan-api:{WORD}@127.0.0.1/token",
    "OIDC_ISSUER": f"https://plan-api:{WORD}@127.0.0.1",
    "OIDC_JWKS_URL": f"{WORD}",
    "GATEWAY_KEYS": f"retool:{WORD}",
    "CAMUNDA_PASSWORD": WORD,
    "AIDBOX_CLIENT_SECRET": WORD,
}


@pytest.mark.parametrize(("name", "value"), WRONG.items(), ids=WRONG.keys())
def test_what_is_wrong_with_a_setting_does_not_repeat_it(settings: Settings, name: str, value: str) -> None:
    done = run(settings, "serve", **{"AUTH": "gateway", "GATEWAY_KEYS": GATEWAY_KEYS, name: value})
    assert (done.code, done.lines) == (1, [])
    assert name.split("_", maxsplit=1)[0] in done.errors
    assert done.errors.count("\n") == 1
    assert WORD not in done.errors


@pytest.mark.parametrize("engine", [{"camunda_token": None}, {"camunda_username": None, "camunda_password": None}])
def test_failing_calls_do_not_tell_them(settings: Settings, closed: int, engine: dict[str, None]) -> None:
    given = {
        "retool_database_url": dsn(closed),
        "camunda_url": f"http://127.0.0.1:{closed}/engine-rest",
        "aidbox_url": f"http://127.0.0.1:{closed}/fhir",
        **engine,
    }
    gateway = bearing(KEY, X_User_Id="admin", X_User_Groups="benefit-admins")
    with audit() as log, serving(secretive(settings, **given)) as api:
        answer = api.post(EVERYTHING, gateway)
        ready = api.client.get("/ready")
    assert len(answer.json()["errors"]) == 3
    assert ready.status_code == 503
    assert WORD not in answer.text + ready.text
    assert not log.mentions(WORD)


def test_a_refused_password_is_not_told(settings: Settings) -> None:
    """The sandbox asks for no password, but for a role that is there."""
    url = settings.retool_database_url.get_secret_value()
    host = url.partition("@")[2]
    with audit() as log:
        made = secretive(settings, retool_database_url=f"postgresql://nobody:{WORD}-database@{host}")
        with serving(made) as api:
            answer = api.post("{ drafts { totalCount } }", bearing(KEY, X_User_Id="ann", X_User_Groups=""))
    assert len(answer.json()["errors"]) == 1
    assert WORD not in answer.text
    assert not log.mentions(WORD)


def test_tokens_and_keys_are_not_logged_when_they_are_good(settings: Settings) -> None:
    with little_issuer(OLD) as issuer, audit() as log:
        given = {"auth": "oidc,gateway", "oidc_issuer": issuer.url, "oidc_audience": AUDIENCE}
        token = issuer.token(OLD)
        plain = dict.fromkeys(SECRETS | NAMES)
        with serving(secretive(settings, **given, **plain)) as api:
            assert api.post(VIEWER, bearing(token)).status_code == 200
            assert api.post(VIEWER, bearing(KEY, X_User_Id="ann", X_User_Groups="")).status_code == 200
    assert log.records
    assert not log.mentions(KEY)
    assert not any(log.mentions(part) for part in token.split("."))


def test_the_list_of_processes_shows_none(settings: Settings, closed: int) -> None:
    """Secrets come by the environment, which others can not read, never by the command line, which they can."""
    environment = {
        **{name.upper(): value for name, value in {**NAMES, **SECRETS}.items()},
        "AUTH": "gateway",
        "GATEWAY_KEYS": GATEWAY_KEYS,
        "RETOOL_DATABASE_URL": dsn(closed),
        "CAMUNDA_URL": settings.camunda_url,
        "AIDBOX_URL": settings.aidbox_url,
        "PORT": str(closed),
        "WORKER": "false",
    }
    words = [sys.executable, "-m", "api", "serve"]
    with subprocess.Popen(words, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL) as process:  # noqa: S603  # ours
        try:
            wait_until_live(closed)
            shown = Path(f"/proc/{process.pid}/cmdline").read_bytes().decode()
        finally:
            process.terminate()
    assert shown.replace("\0", " ").split()[1:] == words[1:]
    assert WORD not in shown


def wait_until_live(port: int) -> None:
    for _ in range(600):
        try:
            if httpx.get(f"http://127.0.0.1:{port}/live").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    pytest.fail("never live")


def test_the_ide_shows_none(settings: Settings) -> None:
    with serving(secretive(settings)) as api:
        page = api.client.get("/graphql", headers={"Accept": "text/html", **ADMIN.headers})
    assert page.status_code == 200
    assert WORD not in page.text
