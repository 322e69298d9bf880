"""`plan-api setup` and its dry run, as people run them."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from psycopg import sql

from api.settings import Settings
from doctor.setup import MODEL
from tests.commands.running import as_user, drop_table, new_name, run
from tests.engines.previous_models import PREVIOUS
from tests.serving import Drafts

SQL = """\
CREATE TABLE IF NOT EXISTS "{table}" ("id" text PRIMARY KEY DEFAULT gen_random_uuid()::text, "name" text NOT NULL, \
"status" text NOT NULL DEFAULT 'draft', "plan_data" jsonb NOT NULL \
CHECK (NOT jsonb_path_exists("plan_data", 'strict $.** ? (@ >= 1e30 || @ <= -1e30)')), "aidbox_id" text, \
"camunda_process_id" varchar(255), "created_by" text, "updated_at" timestamptz NOT NULL DEFAULT now());
ALTER TABLE "{table}" ADD COLUMN IF NOT EXISTS "camunda_process_id" VARCHAR(255);
CREATE INDEX IF NOT EXISTS "idx_draft_process_{table}" ON "{table}" ("camunda_process_id") \
WHERE "camunda_process_id" IS NOT NULL;
-- worth having on a table that was there before: ALTER TABLE "{table}" ADD \
CHECK (NOT jsonb_path_exists("plan_data", 'strict $.** ? (@ >= 1e30 || @ <= -1e30)')) NOT VALID;
-- and deploys bpmn/benefit-approval.bpmn to the engine, unless its newest version is the same or a model of your own
-- and bpmn/benefit-notification.bpmn, unless its newest version is the same
"""


def exists(drafts: Drafts, table: str) -> bool:
    return drafts.connection.execute("SELECT to_regclass(%s) IS NOT NULL", [table]).fetchone() == (True,)


def versions(engine: httpx.Client) -> int:
    count: int = engine.get("/process-definition/count", params={"key": "benefit-approval"}).json()["count"]
    return count


def newest_version(engine: httpx.Client) -> int:
    asked = {"key": "benefit-approval", "latestVersion": "true", "withoutTenantId": "true"}
    (definition,) = engine.get("/process-definition", params=asked).json()
    version: int = definition["version"]
    return version


def test_it_says_what_is_ready(settings: Settings, drafts: Drafts, engine: httpx.Client) -> None:
    table, before = new_name(), versions(engine)
    ran = run(settings, "setup", DRAFTS_TABLE=table)
    assert ran.lines[:3] == [
        f"{table}: table, column and index are there",
        "benefit-approval.bpmn: deployed already",
        "benefit-notification.bpmn: deployed already",
    ]
    assert ran.lines[3].startswith(f"benefit-approval, version {newest_version(engine)}: ")
    assert (ran.code, ran.errors) == (0, "")
    assert exists(drafts, table)
    assert versions(engine) == before
    drop_table(drafts, table)


def test_the_dry_run_prints_sql_that_runs_and_does_nothing(settings: Settings, drafts: Drafts) -> None:
    table = new_name()
    ran = run(settings, "setup", "--dry-run", DRAFTS_TABLE=table)
    assert "\n".join(ran.lines) + "\n" == SQL.format(table=table)
    assert (ran.code, ran.errors) == (0, "")
    assert not exists(drafts, table)
    for _ in range(2):
        drafts.connection.execute("\n".join(ran.lines).encode())
    assert run(settings, "check", DRAFTS_TABLE=table).code == 0
    drop_table(drafts, table)


def test_the_dry_run_asks_nobody(settings: Settings) -> None:
    nowhere = {"RETOOL_DATABASE_URL": "postgresql://127.0.0.1:1/x", "CAMUNDA_URL": "http://127.0.0.1:1/engine-rest"}
    assert run(settings, "setup", "--dry-run", **nowhere).code == 0


def test_a_model_of_ones_own_that_is_not_there_is_one_line(settings: Settings, engine: httpx.Client) -> None:
    before = versions(engine)
    ran = run(settings, "setup", "--model", "nowhere.bpmn")
    assert (ran.code, ran.lines, ran.errors) == (1, [], "plan-api: nowhere.bpmn: No such file or directory\n")
    assert versions(engine) == before


def test_the_dry_run_names_the_model(settings: Settings) -> None:
    ran = run(settings, "setup", "--dry-run", "--model", "mine.bpmn", "--model", "mine.dmn")
    assert ran.lines[-2:] == [
        "-- and deploys mine.bpmn, mine.dmn to the engine, unless its newest version is the same",
        "-- and bpmn/benefit-notification.bpmn, unless its newest version is the same",
    ]


@pytest.fixture
def own_model(engine: httpx.Client) -> Iterator[str]:
    """A model of the operator's own, deployed by Modeler after ours; its version."""
    yield from deployed(engine, MODEL.read_text("utf-8").replace("Review plan", "Look at the plan"))


@pytest.fixture
def former_model(engine: httpx.Client) -> Iterator[str]:
    """Ours as it was before, deployed after today's."""
    yield from deployed(engine, PREVIOUS[-1].read_text("utf-8"))


def deployed(engine: httpx.Client, model: str) -> Iterator[str]:
    files = {"mine.bpmn": ("mine.bpmn", model, "application/xml")}
    answer = engine.post("/deployment/create", data={"deployment-name": "mine"}, files=files).json()
    (definition,) = answer["deployedProcessDefinitions"].values()
    yield str(definition["version"])
    engine.delete(f"/deployment/{answer['id']}", params={"cascade": "true"}).raise_for_status()


def newest(engine: httpx.Client) -> str:
    asked = {"key": "benefit-approval", "latestVersion": "true", "withoutTenantId": "true"}
    (definition,) = engine.get("/process-definition", params=asked).json()
    return str(engine.get(f"/process-definition/{definition['id']}/xml").json()["bpmn20Xml"])


def test_a_model_of_ones_own_is_not_replaced(
    settings: Settings, drafts: Drafts, engine: httpx.Client, own_model: str
) -> None:
    """The table is ready all the same; ours takes its place when that is said."""
    table, before = new_name(), newest(engine)
    ran = run(settings, "setup", DRAFTS_TABLE=table)
    assert (ran.code, ran.lines) == (1, [])
    assert ran.errors == (
        f"plan-api: the newest version of benefit-approval in the engine, {own_model}, is a model of your own, so ours "
        "was not deployed: deploy yours with --model FILE, or ours in its place with --replace-model\n"
    )
    assert (newest(engine), exists(drafts, table)) == (before, True)
    for told in ("deployed as benefit-approval:", "deployed already"):
        ran = run(settings, "setup", "--replace-model", DRAFTS_TABLE=table)
        assert (ran.code, ran.errors) == (0, "")
        assert ran.lines[1].startswith(f"benefit-approval.bpmn: {told}")
        assert newest(engine) == MODEL.read_text("utf-8")
    drop_table(drafts, table)


@pytest.mark.usefixtures("own_model")
def test_a_model_of_ones_own_is_deployed_where_ours_was(
    settings: Settings, engine: httpx.Client, tmp_path: Path
) -> None:
    """Each is deployed whenever it is not the newest, under whatever name it was deployed before."""
    mine = tmp_path / "any.bpmn"
    mine.write_text(newest(engine), "utf-8")
    for words, told in (
        (["--model", str(mine)], "deployed already"),
        (["--replace-model"], "deployed as "),
        (["--model", str(mine)], "deployed as "),
        (["--model", str(mine)], "deployed already"),
        (["--replace-model"], "deployed as "),
    ):
        ran = run(settings, "setup", *words)
        assert (ran.code, ran.errors) == (0, "")
        assert ran.lines[1].startswith(f"benefit-approval.bpmn: {told}"), words


@pytest.mark.usefixtures("former_model")
def test_a_former_version_of_ours_is_replaced(settings: Settings, engine: httpx.Client) -> None:
    ran = run(settings, "setup")
    assert (ran.code, ran.errors) == (0, "")
    assert ran.lines[1].startswith("benefit-approval.bpmn: deployed as benefit-approval:")
    assert newest(engine) == MODEL.read_text("utf-8")


def test_rights_that_are_missing_are_one_line(settings: Settings, drafts: Drafts) -> None:
    role, table = new_name("role"), new_name()
    drafts.connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(role), role))
    url = as_user(settings, f"{role}:{role}")
    ran = run(settings, "setup", DRAFTS_TABLE=table, RETOOL_DATABASE_URL=url)
    drafts.connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))
    assert (ran.code, ran.lines) == (1, [])
    assert ran.errors.startswith("plan-api: The drafts database refused: permission denied for schema public")
    assert not exists(drafts, table)


def test_a_table_made_ready_by_its_owner_is_left_alone(settings: Settings, drafts: Drafts) -> None:
    """The service's own role may have no right to change the table; then setup still deploys."""
    role, table = new_name("role"), new_name()
    assert run(settings, "setup", DRAFTS_TABLE=table).code == 0
    drafts.connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(role), role))
    drafts.connection.execute(sql.SQL("GRANT SELECT ON {} TO {}").format(*map(sql.Identifier, (table, role))))
    url = as_user(settings, f"{role}:{role}")
    ran = run(settings, "setup", DRAFTS_TABLE=table, RETOOL_DATABASE_URL=url)
    drafts.connection.execute(sql.SQL("DROP OWNED BY {0}; DROP ROLE {0}").format(sql.Identifier(role)))
    assert (ran.code, ran.errors) == (0, "")
    drop_table(drafts, table)


def test_an_engine_that_is_away_is_one_line_and_the_table_is_ready(settings: Settings, drafts: Drafts) -> None:
    table = new_name()
    ran = run(settings, "setup", DRAFTS_TABLE=table, CAMUNDA_URL="http://127.0.0.1:1/engine-rest")
    assert (ran.code, ran.lines) == (1, [])
    assert ran.errors.splitlines()[-1] == "plan-api: camunda can not be reached"
    assert exists(drafts, table)
    drop_table(drafts, table)


def test_models_of_several_types_are_deployed_together_and_once(
    settings: Settings, drafts: Drafts, engine: httpx.Client, tmp_path: Path
) -> None:
    """Each under its own key; where ours is none of them, it is not deployed either."""
    table, ours = new_name(), MODEL.read_text("utf-8")
    paths = [tmp_path / "dental.bpmn", tmp_path / "vision.bpmn"]
    keys = [f"approval-{path.stem}-{table}".replace("_", "-") for path in paths]
    for path, key in zip(paths, keys, strict=True):
        path.write_text(ours.replace('"benefit-approval"', f'"{key}"'), "utf-8")
    given = {"DRAFTS_TABLE": table, "DRAFT_TYPE": "name"}
    given["PROCESS_KEYS"] = f"dental:{keys[0]},*:{keys[1]}"
    words = ["setup", *(word for path in paths for word in ("--model", str(path)))]
    before = versions(engine)
    for _ in range(2):
        ran = run(settings, *words, **given)
        assert (ran.code, ran.errors) == (0, "")
        assert ran.lines[1].startswith("dental.bpmn, vision.bpmn: deployed ")
        assert ran.lines[3:] == [f"{keys[1]}, version 1: 0 running", f"{keys[0]}, version 1: 0 running"]
    ran = run(settings, "setup", **given)
    said = "benefit-approval.bpmn: not deployed, since benefit-approval is none of PROCESS_KEYS; see --model"
    assert (ran.code, ran.lines[1]) == (0, said)
    assert versions(engine) == before
    drop_table(drafts, table)


def test_two_models_of_one_name_are_refused(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    paths = [tmp_path / "mine.bpmn", tmp_path / "other" / "mine.bpmn"]
    for path in paths:
        path.write_bytes(MODEL.read_bytes())
    ran = run(settings, "setup", "--model", str(paths[0]), "--model", str(paths[1]))
    told = f"plan-api: {paths[1]}: another file is called mine.bpmn as well; rename one of them\n"
    assert (ran.code, ran.lines, ran.errors) == (1, [], told)
