"""The doctor's rules on what our own three systems can not show: other versions, other models, other stores."""

from decimal import Decimal

import msgspec
import pytest

from api.draft_status import STATUSES
from api.errors import Busy, Denied, Garbled, TimedOut, Unreachable, UpstreamFailed
from api.upstreams.camunda.records import TOPICS
from api.upstreams.retool.records import Columns
from doctor.conditions import judge_conditions
from doctor.digits import judge_amount
from doctor.drafts import judge
from doctor.drafts_table import SeenColumn, SeenDatabase, SeenTable, index_name
from doctor.drafts_table import address_of as database_address
from doctor.engine import Product, judge_version
from doctor.finding import Finding, Grade, address_of, failure
from doctor.model import judge_model
from doctor.setup import MODEL
from doctor.store import Statement, judge_statement

NAMES = ("id", "name", "status", "plan_data", "aidbox_id", "camunda_process_id", "created_by", "updated_at")
COLUMNS = Columns("drafts", *NAMES)
USUAL = {"plan_data": "jsonb", "updated_at": "timestamp with time zone"}
SECRET = "Geheim-123"
ENUM = ("draft", *(status for status in STATUSES if status not in ("returned", "conflict")))


def graded(finding: Finding) -> tuple[str, str]:
    return (finding.grade.value, finding.message)


def public_part(column: str, kind: str, labels: tuple[str, ...] = ()) -> tuple[str, str]:
    """What is said of one column of a table that is otherwise as usual."""
    columns = {
        name: SeenColumn(name, USUAL.get(name, "text"), is_readable=True, is_writable=True, is_insertable=True)
        for name in NAMES
    }
    columns[column] = SeenColumn(column, kind, is_readable=True, is_writable=True, is_insertable=True, labels=labels)
    table = SeenTable(columns, finds_processes=True, has_key=True, hides_rows=False)
    seen = SeenDatabase("18.6", 180006, is_read_only=False, table=table)
    (finding,) = (each for each in judge(seen, COLUMNS, "here") if each.subject == f"column {column}")
    return graded(finding)


@pytest.mark.parametrize(
    ("column", "kind", "expected"),
    [
        ("id", "uuid", ("ok", "uuid")),
        ("id", "bigint", ("ok", "bigint")),
        ("id", "character(36)", ("ok", "character(36)")),
        ("id", "numeric(10,0)", ("wrong", "is numeric(10,0); text, varchar, uuid or an integer is needed")),
        ("plan_data", "text", ("ok", "text")),
        ("plan_data", "bytea", ("wrong", "is bytea; jsonb, json or text is needed")),
        ("camunda_process_id", "uuid", ("warning", "uuid holds UUIDs; ids may have up to 64 characters")),
        ("camunda_process_id", "character varying(64)", ("ok", "character varying(64)")),
        ("camunda_process_id", "character varying(35)",
         ("wrong", "character varying(35) is too narrow: 64 characters are needed")),
        ("aidbox_id", "integer", ("wrong", "is integer; text or varchar(64) is needed")),
        ("created_by", "integer", ("ok", "integer")),
        ("updated_at", "timestamp(3) without time zone", ("ok", "timestamp(3) without time zone")),
        ("updated_at", "date", ("wrong", "is date; timestamptz is needed")),
    ],
)  # fmt: skip
def test_types_of_columns(column: str, kind: str, expected: tuple[str, str]) -> None:
    assert public_part(column, kind) == expected


def test_an_enum_needs_every_status_we_write() -> None:
    assert public_part("status", "stage", ("draft", *STATUSES)) == ("ok", "stage, an enum with every status")
    assert public_part("status", "stage", ENUM) == (
        "wrong",
        (
            "its enum lacks returned, conflict: ALTER TYPE stage ADD VALUE 'returned';"
            " ALTER TYPE stage ADD VALUE 'conflict'"
        ),
    )


def test_an_old_server_and_hidden_rows_are_told() -> None:
    table = SeenTable({}, finds_processes=False, has_key=False, hides_rows=True)
    findings = list(judge(SeenDatabase("12.4", 120004, is_read_only=False, table=table), COLUMNS, "here"))
    assert graded(findings[0]) == ("wrong", "PostgreSQL 12.4 at here; 13 or newer is needed")
    hidden = "row level security hides rows from this service, and may hide drafts in approval"
    assert ("warning", hidden) in [graded(finding) for finding in findings]


@pytest.mark.parametrize(
    ("version", "grade"),
    [("7.24.0", Grade.OK), ("7.20.0", Grade.OK), ("7.19.11-ee", Grade.WRONG), ("7.9.0", Grade.WRONG),
     ("1.0.3", Grade.OK), ("2.1.0", Grade.OK), ("unknown", Grade.WARNING)],
)  # fmt: skip
def test_versions_of_engines(version: str, grade: Grade) -> None:
    assert judge_version(version, "here").grade is grade


@pytest.mark.parametrize(
    ("product", "named"),
    [
        (None, "version 7.22.0"),
        (Product("Camunda BPM Runtime", "7.22.0"), "Camunda 7.22.0"),
        (Product("Camunda BPM Runtime"), "Camunda 7.22.0"),
        (Product("CIB seven", "2.0.0"), "CIB seven 2.0.0, REST API 7.22.0,"),
        (Product("", "7.22.0"), "version 7.22.0"),
    ],
)
def test_products_are_named(product: Product | None, named: str) -> None:
    assert graded(judge_version("7.22.0", "here", product)) == ("ok", f"{named} at here")


def test_conditions_that_an_engine_ignores_are_named() -> None:
    assert graded(judge_conditions([("/task", "taskIdIn"), ("/job", "timers")])) == (
        "wrong",
        "the engine ignores taskIdIn of /task, timers of /job, and then answers with everything: a newer one is needed",
    )


def test_every_model_of_ours_is_right() -> None:
    examples = MODEL.parent / "examples"
    two_steps = examples / "two-step-approval.bpmn"
    assert [graded(finding) for finding in judge_model(two_steps.read_text("utf-8"))][:3] == [
        ("ok", "publish-plan, record-outcome, register-submission"),
        ("ok", "withdraw-submission"),
        ("ok", "submission-superseded, version-conflict"),
    ]
    for path in (MODEL, *examples.glob("*.bpmn")):
        assert {finding.grade for finding in judge_model(path.read_text("utf-8"))} == {Grade.OK}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('camunda:topic="register-submission"', 'camunda:topic="register"', ("wrong", "topics")),
        ('camunda:topic="register-submission"', 'camunda:topic="${topic}"', ("warning", "topics")),
        ('camunda:topic="publish-plan"', 'camunda:topic="#{execution.getVariable(1)}"', ("warning", "topics")),
        ('name="withdraw-submission" />', 'name="withdraw" />', ("wrong", "message")),
        ('messageRef="message-withdraw-submission"', 'messageRef="message-of-nobody"', ("wrong", "message")),
        ('errorCode="submission-superseded"', 'errorCode="superseded"', ("wrong", "error codes")),
        (' camunda:candidateGroups="benefit-reviewers"', "", ("warning", "steps")),
        ('event="complete"', 'event="create"', ("warning", "steps")),
        ("userTask", "manualTask", ("wrong", "steps")),
        (">${publishAt}<", ">${later}<", ("warning", "timer")),
        ('name="reschedule-publication" />', 'name="move" />', ("warning", "timer")),
    ],
)
def test_what_a_model_may_lack(old: str, new: str, expected: tuple[str, str]) -> None:
    model = MODEL.read_text("utf-8")
    assert old in model
    found = {(finding.grade.value, finding.subject) for finding in judge_model(model.replace(old, new))}
    assert {each for each in found if each[0] != "ok"} == {expected}


def test_an_event_that_catches_every_error_will_do() -> None:
    model = MODEL.read_text("utf-8").replace('errorRef="error-version-conflict" ', "")
    assert {finding.grade for finding in judge_model(model)} == {Grade.OK}


def test_a_step_for_one_person_will_do() -> None:
    old, new = 'camunda:candidateGroups="benefit-reviewers"', 'camunda:assignee="ann"'
    findings = list(judge_model(MODEL.read_text("utf-8").replace(old, new)))
    assert graded(findings[-2]) == ("ok", "review is for the person the model names")


def statement(version: str, versioning: str | None = None) -> Statement:
    rest = [{"resource": [{"type": "InsurancePlan", "versioning": versioning}]}]
    return msgspec.convert({"fhirVersion": version, "rest": rest}, Statement)


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        (statement("4.0.1"), [("ok", "FHIR at here, FHIR 4.0.1")]),
        (statement("4.0.1", "versioned-update"), [("ok", "FHIR at here, FHIR 4.0.1")]),
        (statement("5.0.0"), [("wrong", "FHIR at here, FHIR 5.0.0; FHIR R4 (4.0.x) is needed")]),
        (statement("4.0.0", "no-version"), [
            ("ok", "FHIR at here, FHIR 4.0.0"),
            ("warning", "the store declares no-version; it must refuse an If-Match of an older version")]),
    ],
)  # fmt: skip
def test_what_stores_say_of_themselves(stated: Statement, expected: list[tuple[str, str]]) -> None:
    assert [graded(finding) for finding in judge_statement(stated, "here")] == expected


@pytest.mark.parametrize(
    ("amount", "keeps_digits", "expected"),
    [
        (Decimal("1500.00"), True, ("ok", "1500.00 comes back as 1500.00, as AIDBOX_KEEPS_DIGITS says")),
        (Decimal("1500.0"), False, ("ok", "1500.00 comes back as 1500.0, as AIDBOX_KEEPS_DIGITS says")),
        (1500, False, ("ok", "1500.00 comes back as 1500, as AIDBOX_KEEPS_DIGITS says")),
        (Decimal("1500.0"), True, ("wrong", ("1500.00 comes back as 1500.0; set AIDBOX_KEEPS_DIGITS=false, so that"
            " equal amounts count as equal"))),
        (Decimal("1500.00"), False, ("warning", ("1500.00 comes back as 1500.00; without AIDBOX_KEEPS_DIGITS=false each"
            " digit would count"))),
        (Decimal("1499.99"), True, ("wrong", "1500.00 comes back as 1499.99; this store cannot hold plans")),
        ("1500.00", True, ("wrong", "1500.00 comes back as 1500.00; this store cannot hold plans")),
        (True, True, ("wrong", "1500.00 comes back as True; this store cannot hold plans")),
        (None, True, ("wrong", "1500.00 comes back as nothing; this store cannot hold plans")),
    ],
)  # fmt: skip
def test_how_an_amount_comes_back(amount: object, keeps_digits: bool, expected: tuple[str, str]) -> None:  # noqa: FBT001  # a column of the table
    assert graded(judge_amount(amount, keeps_digits=keeps_digits)) == expected


@pytest.mark.parametrize(
    ("failed", "told"),
    [
        (Denied("camunda", "", status=401), "does not accept this service's credentials (status 401): see THESE"),
        (
            Denied("camunda", "", status=403),
            "a permission or policy there refuses this service (status 403): see THESE",
        ),
        (TimedOut("camunda", ""), "does not answer in time at here"),
        (Unreachable("camunda", ""), "cannot be reached at here: does it run? RULE"),
        (Garbled("camunda", ""), "something else answers at here: RULE"),
        (UpstreamFailed("camunda", "", status=404), "something else answers at here: RULE"),
        (UpstreamFailed("camunda", "camunda answered with status 500", status=500), "camunda answered with status 500"),
        (Busy("camunda", "camunda is too busy to answer", status=503), "camunda is too busy to answer"),
    ],
)
def test_failures_are_told_with_what_to_do(failed: UpstreamFailed, told: str) -> None:
    finding = failure("engine", failed, address="here", url_rule="RULE", credentials="THESE")
    assert finding == Finding(Grade.WRONG, "engine", told)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://camunda:8080/engine-rest", "http://camunda:8080/engine-rest"),
        ("https://[::1]:8080/fhir", "https://[::1]:8080/fhir"),
        (f"https://ann:{SECRET}@store/fhir", "https://store/fhir"),
        (f"https://ann@{SECRET}@store/fhir?token={SECRET}#{SECRET}", "https://store/fhir"),
        (f"https://ann:{SECRET}/x@store/fhir", "its address"),
        (f"https://ann:12/{SECRET}@store/fhir", "its address"),
    ],
)
def test_addresses_keep_secrets(url: str, expected: str) -> None:
    assert address_of(url) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (f"postgresql://ann:{SECRET}@db:5433/retool", "db:5433/retool"),
        (f"postgresql://ann:{SECRET}@db/retool?sslmode=require", "db:5432/retool"),
        (f"postgresql:///retool?host=db&password={SECRET}", "db:5432/retool"),
        (f"postgresql://ann:{SECRET}@one:1,two:2/retool", "one,two:1,2/retool"),
        (f"postgresql://ann:{SECRET}/x@db/retool", "the address in RETOOL_DATABASE_URL"),
        (f"postgresql://ann:12/{SECRET}@db/retool", "the address in RETOOL_DATABASE_URL"),
        (f"postgresql://db/retool?word={SECRET}", "the address in RETOOL_DATABASE_URL"),
    ],
)
def test_addresses_of_databases_keep_secrets(url: str, expected: str) -> None:
    assert database_address(url) == expected


def test_the_topics_the_rules_speak_of_are_those_of_the_code() -> None:
    assert sorted(TOPICS) == ["publish-plan", "record-outcome", "register-submission"]


def test_only_the_usual_table_has_the_usual_index() -> None:
    tables = ("benefit_plan_drafts", "apps.benefit_plan_drafts", "plans")
    names = [index_name(Columns(**{**COLUMNS.__dict__, "table": table})) for table in tables]
    assert names == ["idx_draft_process", "idx_draft_process", "idx_draft_process_plans"]
