"""What `plan-api check` says when all is right, line by line."""

from urllib.parse import urlsplit

import httpx

from api.settings import Settings
from tests.serving import Drafts

SECRET = "Geheim-123"
COLUMNS = [
    "ok      column id: text",
    "ok      column name: text",
    "ok      column status: text",
    "ok      column plan_data: jsonb",
    "ok      column aidbox_id: text",
    "ok      column camunda_process_id: character varying(255)",
    "ok      column created_by: text",
    "ok      column updated_at: timestamp with time zone",
]
REST = [
    "ok      index: on camunda_process_id",
    "ok      rights: may read every column, and write status, aidbox_id, camunda_process_id, updated_at",
    "ok      statuses: all known",
]
MODEL_LINES = [
    "ok      topics: publish-plan, record-outcome, register-submission",
    "ok      message: withdraw-submission",
    "ok      error codes: submission-superseded, version-conflict",
    "ok      steps: review is offered to benefit-reviewers",
    "ok      timer: publication waits until publishAt, reschedule-publication moves it",
    "ok      history: keeps variables and whom tasks were offered to",
]


def database(settings: Settings) -> str:
    """How the lines name the drafts database."""
    parts = urlsplit(settings.retool_database_url.get_secret_value())
    return f"{parts.hostname}:{parts.port}{parts.path}"


def server_line(settings: Settings, drafts: Drafts) -> str:
    release = drafts.connection.info.parameter_status("server_version")
    return f"ok      drafts database: PostgreSQL {release} at {database(settings)}"


def engine_lines(settings: Settings, engine: httpx.Client) -> list[str]:
    version, product = engine.get("/version").json()["version"], engine.get("/telemetry/data").json()["product"]
    name = {"Operaton BPM Runtime": "Operaton", "Camunda BPM Runtime": "Camunda", "CIB seven": "CIB seven"}[
        product["name"]
    ]
    numbered = version if product["version"] == version else f"{product['version']}, REST API {version},"
    asked = {"key": "benefit-approval", "latestVersion": "true", "withoutTenantId": "true"}
    newest = engine.get("/process-definition", params=asked).json()[0]
    stuck = engine.get("/incident/count", params={"processDefinitionKeyIn": "benefit-approval"}).json()["count"]
    told = f"warning incidents: {stuck}: Cockpit shows why; once it is mended, retryPublication goes on"
    return [
        f"ok      engine: {name} {numbered} at {settings.camunda_url}",
        "ok      conditions: all that are used are known",
        "ok      permissions: all that are needed",
        f"ok      model: benefit-approval, version {newest['version']}",
        *MODEL_LINES[:-1],
        *([f"ok      versions: {_older(engine, newest['id'])}"] if _older(engine, newest["id"]) else []),
        MODEL_LINES[-1],
        told if stuck else "ok      incidents: none",
    ]


def _older(engine: httpx.Client, newest_id: str) -> str:
    """What is said about approvals that run on former versions; nothing when there are none."""
    ours: dict[str, object] = {"variables": [{"name": "draftSource", "operator": "eq", "value": "retool"}]}
    ours |= {"unfinished": True, "withoutTenantId": True}
    counts = [
        engine.post("/history/process-instance/count", json={**ours, **of_a_version}).json()["count"]
        for of_a_version in ({"processDefinitionKey": "benefit-approval"}, {"processDefinitionId": newest_id})
    ]
    way = "they end on them, or `plan-api setup --migrate`"
    return (
        f"{counts[0] - counts[1]} running on former versions of benefit-approval: {way}"
        if counts[0] > counts[1]
        else ""
    )


def store_lines(settings: Settings) -> list[str]:
    return [
        f"ok      store: HAPI FHIR Server 8.8.0 at {settings.aidbox_url}, FHIR 4.0.1",
        "ok      plans: may be read, searched and written, their versions and histories read in a batch",
        "ok      provenance: may be read, searched and written",
    ]
