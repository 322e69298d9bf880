"""`plan-api check` when a system is away, somebody else, or has another model; and that it keeps secrets."""

import re
import socket

import httpx
import pytest

from api.settings import Settings
from doctor.setup import MODEL
from sandbox import Sandbox
from tests.commands.expected_report import SECRET, database, engine_lines
from tests.commands.running import run

USER = "//[^@]+@"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ((USER, f"//nobody:{SECRET}@"), "{} does not accept the user and password in RETOOL_DATABASE_URL"),
        (("/retool$", "/elsewhere"),
         "{} has no such database; the last part of RETOOL_DATABASE_URL is the name"),
        ((USER, f"//postgres:{SECRET}/x@"),
         ("the address in RETOOL_DATABASE_URL can not be reached: does it run, and are host and port in"
         " RETOOL_DATABASE_URL right?")),
        (("/retool$", f"/retool?pass={SECRET}"),
         "the address in RETOOL_DATABASE_URL can not be asked: RETOOL_DATABASE_URL is not readable"),
        (("/retool$", "/retool?sslmode=require"),
         "{} does not agree with RETOOL_DATABASE_URL on TLS; see sslmode there"),
    ],
)  # fmt: skip
def test_a_database_that_does_not_let_us_in(
    change: tuple[str, str], told: str, settings: Settings, engine: httpx.Client
) -> None:
    url = re.sub(*change, settings.retool_database_url.get_secret_value())
    ran = run(settings, "check", RETOOL_DATABASE_URL=url)
    address = database(settings).replace("/retool", "/elsewhere" if "elsewhere" in url else "/retool")
    assert ran.lines[0] == f"wrong   drafts database: {told.format(address)}"
    assert ran.lines[1] == engine_lines(settings, engine)[0]
    assert ran.code == 1
    assert SECRET not in "".join(ran.lines) + ran.errors


def test_three_wrong_ports_are_three_lines(settings: Settings) -> None:
    """And nothing of users and passwords is told."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    ran = run(
        settings,
        "check",
        RETOOL_DATABASE_URL=f"postgresql://somebody:{SECRET}@127.0.0.1:{port}/retool",
        CAMUNDA_URL=f"http://127.0.0.1:{port}/engine-rest",
        CAMUNDA_USERNAME="somebody",
        CAMUNDA_PASSWORD=SECRET,
        AIDBOX_URL=f"http://127.0.0.1:{port}/fhir",
        AIDBOX_CLIENT_ID="somebody",
        AIDBOX_CLIENT_SECRET=SECRET,
    )
    assert ran.lines == [
        (
            f"wrong   drafts database: 127.0.0.1:{port}/retool can not be reached: does it run, and are host and port"
            " in RETOOL_DATABASE_URL right?"
        ),
        (
            f"wrong   engine: cannot be reached at http://127.0.0.1:{port}/engine-rest: does it run?"
            " CAMUNDA_URL must be the engine's REST API, ending in /engine-rest"
        ),
        (
            f"wrong   store: cannot be reached at http://127.0.0.1:{port}/fhir: does it run?"
            " AIDBOX_URL must be the store's FHIR base, ending in /fhir"
        ),
    ]
    assert (ran.code, ran.errors) == (1, "")


def test_addresses_exchanged_are_noticed(settings: Settings) -> None:
    ran = run(settings, "check", CAMUNDA_URL=settings.aidbox_url, AIDBOX_URL=settings.camunda_url)
    assert ran.lines[-2:] == [
        (
            f"wrong   engine: something else answers at {settings.aidbox_url}:"
            " CAMUNDA_URL must be the engine's REST API, ending in /engine-rest"
        ),
        (
            "wrong   store: does not accept this service's credentials (status 401):"
            " see AIDBOX_CLIENT_ID and AIDBOX_CLIENT_SECRET, and the client's access policy"
        ),
    ]
    assert ran.code == 1


def test_systems_that_hang_are_given_up(settings: Settings) -> None:
    """They take the connection and say nothing; `run` itself would give up after a minute."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        ran = run(
            settings,
            "check",
            RETOOL_DATABASE_URL=f"postgresql://127.0.0.1:{port}/retool",
            CAMUNDA_URL=f"http://127.0.0.1:{port}/engine-rest",
            AIDBOX_URL=f"http://127.0.0.1:{port}/fhir",
            RETOOL_TIMEOUT="600",
            CAMUNDA_TIMEOUT="600",
            AIDBOX_TIMEOUT="600",
        )
    assert ran.lines == [
        f"wrong   drafts database: 127.0.0.1:{port}/retool does not answer in time",
        f"wrong   engine: does not answer in time at http://127.0.0.1:{port}/engine-rest",
        f"wrong   store: does not answer in time at http://127.0.0.1:{port}/fhir",
    ]
    assert ran.code == 1


@pytest.mark.parametrize(
    ("userinfo", "reason"),
    [
        (f"somebody:{SECRET}/x@", "an http:// or https:// address is needed"),
        (f"somebody:{SECRET}@", "an address without user and password is needed; they have settings of their own"),
    ],
)
def test_settings_that_are_wrong_are_one_line(userinfo: str, reason: str, settings: Settings) -> None:
    ran = run(settings, "check", AIDBOX_URL=f"http://{userinfo}127.0.0.1/fhir")
    assert (ran.code, ran.lines) == (1, [])
    assert (
        ran.errors
        == f"plan-api: AIDBOX_URL is wrong ({reason}): Base URL of the store's FHIR R4 API, ending in /fhir.\n"
    )


@pytest.mark.usefixtures("started", "sandbox")
def test_a_wrong_model_is_told_thing_by_thing(settings: Settings, engine: httpx.Client) -> None:
    """A model of the same key is deployed and taken back."""
    model = MODEL.read_text("utf-8").replace('topic="publish-plan"', 'topic="publish"')
    model = model.replace('errorCode="version-conflict"', 'errorCode="conflict"')
    model = model.replace(' camunda:candidateGroups="benefit-reviewers"', "")
    files = {"wrong.bpmn": ("wrong.bpmn", model, "application/xml")}
    deployed = engine.post("/deployment/create", data={"deployment-name": "wrong"}, files=files).json()
    try:
        (definition,) = deployed["deployedProcessDefinitions"].values()
        ran = run(settings, "check")
    finally:
        engine.delete(f"/deployment/{deployed['id']}", params={"cascade": "true"}).raise_for_status()
    start = ran.lines.index(f"ok      model: benefit-approval, version {definition['version']}")
    assert ran.lines[start + 1 : start + 6] == [
        (
            "wrong   topics: nobody carries out publish; this service knows publish-plan, record-outcome,"
            " register-submission"
        ),
        (
            "wrong   topics: publish-plan missing, so drafts and plans are not written: deploy a model that has it,"
            " `plan-api setup` deploys ours"
        ),
        "ok      message: withdraw-submission",
        (
            "wrong   error codes: version-conflict missing, a process that raises it ends without an outcome: deploy a"
            " model that has it, `plan-api setup` deploys ours"
        ),
        "warning steps: review is offered to nobody: give it candidateGroups or candidateUsers",
    ]
    assert ran.code == 1


@pytest.mark.usefixtures("sandbox")
def test_a_model_of_a_tenant_is_not_ours(settings: Settings, sandbox: Sandbox, engine: httpx.Client) -> None:
    """Nor are its processes: the newest is looked for among those without a tenant."""
    assert sandbox.camunda_url == settings.camunda_url
    before = engine.get("/process-definition", params={"key": "benefit-approval", "withoutTenantId": "true"}).json()
    files = {"a.bpmn": ("a.bpmn", MODEL.read_text("utf-8").replace("review", "tenants"), "application/xml")}
    form = {"deployment-name": "of a tenant", "tenant-id": "one"}
    deployed = engine.post("/deployment/create", data=form, files=files).json()
    try:
        ran = run(settings, "check")
    finally:
        engine.delete(f"/deployment/{deployed['id']}", params={"cascade": "true"}).raise_for_status()
    assert f"ok      model: benefit-approval, version {max(each['version'] for each in before)}" in ran.lines
    assert "ok      steps: review is offered to benefit-reviewers" in ran.lines
