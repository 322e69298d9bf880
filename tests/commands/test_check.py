"""`plan-api check` on the real systems: right as set up, and one thing wrong at a time. Each line is asserted."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import httpx
import pytest
from psycopg import sql

from api.sandbox import Sandbox
from api.settings import Settings
from api.setup import MODEL
from tests.commands.running import drop_table, new_name, run
from tests.serving import AUTHOR, Api, Drafts
from tests.verbs import submitted

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
    "ok      history: keeps variables",
]


@pytest.fixture(scope="module", autouse=True)
def _stated(store: httpx.Client) -> None:
    """The store says what it can do: it takes HAPI seconds to put that together, but only once."""
    store.get("/metadata").raise_for_status()


@pytest.fixture
def table(settings: Settings, drafts: Drafts) -> Iterator[str]:
    """A fresh table, as `setup` makes it."""
    name = new_name()
    assert run(settings, "setup", DRAFTS_TABLE=name).code == 0
    yield name
    drop_table(drafts, name)


@pytest.fixture
def started(api: Api, drafts: Drafts) -> str:
    """A process that was started, so that the history shows what it keeps."""
    return submitted(api, drafts.new(), AUTHOR)


def database(settings: Settings) -> str:
    """How the lines name the drafts database."""
    parts = urlsplit(settings.retool_database_url.get_secret_value())
    return f"{parts.hostname}:{parts.port}{parts.path}"


def server_line(settings: Settings, drafts: Drafts) -> str:
    release = drafts.connection.info.parameter_status("server_version")
    return f"ok      drafts database: PostgreSQL {release} at {database(settings)}"


def engine_lines(settings: Settings, engine: httpx.Client) -> list[str]:
    version = engine.get("/version").json()["version"]
    newest = engine.get("/process-definition", params={"key": "benefit-approval", "latestVersion": "true"}).json()[0]
    stuck = engine.get("/incident/count", params={"processDefinitionKeyIn": "benefit-approval"}).json()["count"]
    told = f"warning incidents: {stuck}: Cockpit shows why; once it is mended, retryPublication goes on"
    return [
        f"ok      engine: version {version} at {settings.camunda_url}",
        f"ok      model: benefit-approval, version {newest['version']}",
        *MODEL_LINES,
        told if stuck else "ok      incidents: none",
    ]


def store_lines(settings: Settings) -> list[str]:
    return [
        f"ok      store: HAPI FHIR Server 8.8.0 at {settings.aidbox_url}, FHIR 4.0.1",
        "ok      plans: InsurancePlan with read, vread, update, history-instance, search-type",
    ]


@pytest.mark.usefixtures("started")
def test_all_is_right_after_setup(settings: Settings, table: str, drafts: Drafts, engine: httpx.Client) -> None:
    ran = run(settings, "check", DRAFTS_TABLE=table)
    assert ran.lines == [
        server_line(settings, drafts),
        f"ok      drafts table: {table}",
        *COLUMNS,
        *REST,
        *engine_lines(settings, engine),
        *store_lines(settings),
    ]
    assert (ran.code, ran.errors) == (0, "")


@pytest.mark.usefixtures("started")
def test_a_wrong_table_hides_nothing_else(settings: Settings, drafts: Drafts, engine: httpx.Client) -> None:
    ran = run(settings, "check", DRAFTS_TABLE="no_such_table")
    assert ran.lines == [
        server_line(settings, drafts),
        (
            "wrong   drafts table: no_such_table is not there, or in a schema closed to our role: run `plan-api setup`,"
            " grant USAGE on the schema, or name another table in DRAFTS_TABLE"
        ),
        *engine_lines(settings, engine),
        *store_lines(settings),
    ]
    assert (ran.code, ran.errors) == (1, "")


@pytest.mark.parametrize(
    ("statement", "line"),
    [
        ("ALTER TABLE {} DROP COLUMN aidbox_id",
         "wrong   column aidbox_id: is not in the table: add it, or name another in DRAFTS_COLUMN_AIDBOX_ID"),
        ("ALTER TABLE {} DROP COLUMN camunda_process_id",
         ("wrong   column camunda_process_id: is not in the table: run `plan-api setup`, or name another in"
         " DRAFTS_COLUMN_CAMUNDA_PROCESS_ID")),
        ("ALTER TABLE {} ALTER camunda_process_id TYPE varchar(20)",
         "wrong   column camunda_process_id: character varying(20) is too narrow: 64 characters are needed"),
        ("ALTER TABLE {} ALTER plan_data TYPE xml USING NULL, ALTER plan_data DROP NOT NULL",
         "wrong   column plan_data: is xml; jsonb, json or text is needed"),
        ("ALTER TABLE {} ALTER status TYPE varchar(8)",
         "wrong   column status: character varying(8) is too narrow: 9 characters are needed"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_column(statement: str, line: str, settings: Settings, table: str, drafts: Drafts) -> None:
    drafts.connection.execute(sql.SQL(statement).format(sql.Identifier(table)))
    ran = run(settings, "check", DRAFTS_TABLE=table)
    assert [told for told in ran.lines if told.startswith("wrong")] == [line]
    assert ran.code == 1


@pytest.mark.parametrize(
    ("statement", "lines"),
    [
        ("ALTER TABLE {} ALTER camunda_process_id TYPE varchar(40)",
         ["warning column camunda_process_id: character varying(40) holds UUIDs; ids may have up to 64 characters"]),
        ("UPDATE {} SET status = 'On Hold'", ["warning statuses: 'On Hold' (2): unknown, so these count as drafts"]),
        ("ALTER TABLE {0} DROP CONSTRAINT {1}", ["warning key: id is not unique by rule; make it the primary key"]),
        ("DROP INDEX {2}",
         ["warning index: none on camunda_process_id, so each look reads the table: run `plan-api setup`"]),
        ("CREATE INDEX ON {0} (camunda_process_id) WHERE status = 'draft'; DROP INDEX {2}",
         ["warning index: none on camunda_process_id, so each look reads the table: run `plan-api setup`"]),
        ("CREATE INDEX ON {0} (camunda_process_id, id); DROP INDEX {2}", []),
        ("UPDATE {} SET status = 'SUBMITTED'", []),
    ],
)  # fmt: skip
def test_what_may_be_meant_so(statement: str, lines: list[str], settings: Settings, table: str, drafts: Drafts) -> None:
    """Warnings are no failure."""
    insert = sql.SQL("INSERT INTO {} (name, plan_data) VALUES ('A', '{{}}'), ('B', '{{}}')")
    drafts.connection.execute(insert.format(sql.Identifier(table)))
    names = [sql.Identifier(name) for name in (table, f"{table}_pkey", f"idx_draft_process_{table}")]
    drafts.connection.execute(sql.SQL(statement).format(*names))
    ran = run(settings, "check", DRAFTS_TABLE=table)
    quiet = ("incidents", "history")
    warnings = [told for told in ran.lines if told.startswith("warning") and told.split()[1].rstrip(":") not in quiet]
    assert warnings == lines
    assert ran.code == 0


@contextmanager
def role(settings: Settings, drafts: Drafts, *grants: str) -> Iterator[str]:
    """A role with these rights on a table; the URL that is its."""
    name = new_name("role")
    drafts.connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(name), SECRET))
    try:
        for grant in grants:
            drafts.connection.execute(f"{grant} TO {name}")
        yield settings.retool_database_url.get_secret_value().replace("postgres@", f"{name}:{SECRET}@")
    finally:
        drafts.connection.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(name)))
        drafts.connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def test_missing_rights_are_named_with_their_grant(settings: Settings, table: str, drafts: Drafts) -> None:
    grants = (
        f"GRANT SELECT (id, name, status, plan_data, aidbox_id, camunda_process_id, created_by) ON {table}",
        f"GRANT UPDATE (status, updated_at) ON {table}",
    )
    with role(settings, drafts, *grants) as url:
        ran = run(settings, "check", DRAFTS_TABLE=table, RETOOL_DATABASE_URL=url)
    assert [told for told in ran.lines if told.startswith("wrong")] == [
        f'wrong   rights: may not read updated_at: GRANT SELECT ("updated_at") ON "{table}" TO <role>',
        (
            "wrong   rights: may not write aidbox_id, camunda_process_id:"
            f' GRANT UPDATE ("aidbox_id", "camunda_process_id") ON "{table}" TO <role>'
        ),
    ]
    assert ran.code == 1
    assert SECRET not in "".join(ran.lines) + ran.errors


def test_just_the_rights_that_are_needed_are_enough(settings: Settings, table: str, drafts: Drafts) -> None:
    grants = (
        f"GRANT SELECT ON {table}",
        f"GRANT UPDATE (status, aidbox_id, camunda_process_id, updated_at) ON {table}",
    )
    with role(settings, drafts, *grants) as url:
        ran = run(settings, "check", DRAFTS_TABLE=table, RETOOL_DATABASE_URL=url)
    rebase = f'drafts can not be rebased without GRANT UPDATE ("plan_data") ON "{table}" TO <role>'
    insert = (
        "no draft can be made from a plan without GRANT INSERT"
        ' ("id", "name", "status", "plan_data", "aidbox_id", "created_by", "updated_at")'
        f' ON "{table}" TO <role>'
    )
    further = [f"warning rights: {rebase}", f"warning rights: {insert}"]
    assert ran.lines[2:15] == [*COLUMNS, *REST[:2], *further, REST[2]]
    assert ran.code == 0


def test_a_closed_schema_is_one_line(settings: Settings, drafts: Drafts) -> None:
    schema = new_name("closed")
    drafts.connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
    assert run(settings, "setup", DRAFTS_TABLE=f"{schema}.drafts").code == 0
    with role(settings, drafts, f"GRANT SELECT ON {schema}.drafts") as url:
        ran = run(settings, "check", DRAFTS_TABLE=f"{schema}.drafts", RETOOL_DATABASE_URL=url)
    drafts.connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(schema)))
    assert [told for told in ran.lines if told.startswith("wrong")] == [
        (
            f"wrong   drafts table: {schema}.drafts is not there, or in a schema closed to our role:"
            " run `plan-api setup`, grant USAGE on the schema, or name another table in DRAFTS_TABLE"
        )
    ]
    assert ran.code == 1


def test_a_read_only_server_is_wrong(settings: Settings, table: str) -> None:
    url = settings.retool_database_url.get_secret_value() + "?options=-cdefault_transaction_read_only%3Don"
    ran = run(settings, "check", DRAFTS_TABLE=table, RETOOL_DATABASE_URL=url)
    assert ran.lines[0].endswith(f"at {database(settings)} takes no writes; RETOOL_DATABASE_URL must name the primary")
    assert ran.lines[0].startswith("wrong   drafts database: PostgreSQL ")
    assert ran.code == 1


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("postgres@", f"nobody:{SECRET}@"), "{} does not accept the user and password in RETOOL_DATABASE_URL"),
        (("/retool", "/elsewhere"),
         "{} has no such database; the last part of RETOOL_DATABASE_URL is the name"),
        (("postgres@", f"postgres:{SECRET}/x@"),
         ("the address in RETOOL_DATABASE_URL can not be reached: does it run, and are host and port in"
         " RETOOL_DATABASE_URL right?")),
        (("/retool", f"/retool?pass={SECRET}"),
         "the address in RETOOL_DATABASE_URL can not be asked: RETOOL_DATABASE_URL is not readable"),
        (("/retool", "/retool?sslmode=require"),
         "{} does not agree with RETOOL_DATABASE_URL on TLS; see sslmode there"),
    ],
)  # fmt: skip
def test_a_database_that_does_not_let_us_in(
    change: tuple[str, str], told: str, settings: Settings, engine: httpx.Client
) -> None:
    url = settings.retool_database_url.get_secret_value().replace(*change)
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
            f"wrong   engine: can not be reached at http://127.0.0.1:{port}/engine-rest: does it run?"
            " CAMUNDA_URL must be the engine's REST API, ending in /engine-rest"
        ),
        (
            f"wrong   store: can not be reached at http://127.0.0.1:{port}/fhir: does it run?"
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
            f"wrong   store: something else answers at {settings.camunda_url}:"
            " AIDBOX_URL must be the store's FHIR base, ending in /fhir"
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
    assert ran.errors == f"plan-api: AIDBOX_URL is wrong ({reason}): The store's FHIR R4 base, ending in /fhir.\n"


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
        "warning steps: review is offered to nobody: give it camunda:candidateGroups",
    ]
    assert ran.code == 1


@pytest.mark.usefixtures("sandbox")
def test_an_engine_without_our_model_is_told(settings: Settings, sandbox: Sandbox, engine: httpx.Client) -> None:
    """A tenant's model is not ours either; the newest of each key is looked for among those without a tenant."""
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
