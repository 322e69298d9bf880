"""`plan-api setup --migrate`: running approvals move to the newest version of their model, and come to their end."""

import asyncio
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
import pytest

from api.settings import OTHER_TYPES, Settings
from api.upstreams import open_upstreams
from doctor.model_migration import Moved, described_outcome, migrate, migrations
from doctor.setup import MODEL
from tests.commands.running import Ran, run
from tests.engines.conftest import BATCH, DEFINITION, People
from tests.engines.previous_models import PREVIOUS, Process
from tests.engines.running import on_engine, operaton
from tests.serving import ADMIN, AUTHOR, REVIEWER, Api, Drafts, serving
from tests.stories.behind import Behind, edited
from tests.stories.test_scheduled import COMPLETE, NEXT_MONTH, RESCHEDULE
from tests.verbs import CLAIM, RETRY, WITHDRAW, approved, open_task, perform, rejected, status, submitted

TODAY = MODEL.read_text("utf-8")

# The newest model without its review: what waits there has no counterpart.
ELSEWHERE = TODAY.replace('"review"', '"second-look"')


@pytest.fixture(scope="module")
def behind(drafts: Drafts, engine: httpx.Client, store: httpx.Client) -> Behind:
    return Behind(drafts, engine, store)


@pytest.fixture
def process(engine: httpx.Client) -> Process:
    return Process(engine)


@pytest.fixture
def api(settings: Settings, process: Process) -> Iterator[Api]:
    with serving(process.served_by(settings)) as api:
        yield api


def setup(settings: Settings, process: Process, *words: str) -> Ran:
    """The command, on this process alone."""
    return run(settings, "setup", *words, **keys(process))


def keys(process: Process) -> dict[str, str]:
    return {"PROCESS_KEYS": f"{OTHER_TYPES}:{process.key}"}


def summary(ran: Ran, process: Process) -> list[str]:
    """What it says, without the key and the names of steps."""
    lines = [line.removeprefix(f"{process.key}, ") for line in ran.lines]
    return [line for line in lines if not line.startswith("  steps mapped: ")]


@pytest.mark.parametrize("old", PREVIOUS, ids=lambda path: path.stem)
def test_what_runs_on_a_former_version_moves_and_ends(
    settings: Settings, api: Api, behind: Behind, process: Process, old: Path
) -> None:
    """At the review, and at a publication that gave up; the dry run says so and moves nothing."""
    process.deploy(old.read_text("utf-8"))
    reviewed, refused, stopped = (behind.drafts.new(plan=plan) for plan in (edited(), edited(), edited(copayment=1)))
    ids = {draft_id: submitted(api, draft_id, AUTHOR) for draft_id in (reviewed, refused, stopped)}
    assert approved(api, stopped)["status"] == "PUBLISH_FAILED"
    task_id = open_task(api, reviewed)
    assert perform(api, CLAIM, REVIEWER, taskId=task_id)["userErrors"] == []
    process.deploy(TODAY)

    dry = setup(settings, process, "--migrate")
    assert (dry.code, dry.errors) == (0, "")
    assert summary(dry, process) == [
        "version 1 to 2: 3 can be moved",
        "nothing was moved: `plan-api setup --migrate --yes` does it",
    ]
    assert {process.version_of(process_id) for process_id in ids.values()} == {1}

    done = setup(settings, process, "--migrate", "--yes")
    assert (done.code, done.lines) == (0, [f"{process.key}, version 1 to 2: 3 moved"])
    assert {process.version_of(process_id) for process_id in ids.values()} == {2}

    assert [(task["id"], task["assignee"]) for task in behind.tasks(reviewed)] == [(task_id, REVIEWER.id)]
    (incident,) = behind.incidents(ids[stopped])
    assert "copayment" in incident["incidentMessage"]
    scheduled = {"taskId": task_id, "approved": True, "publishAt": NEXT_MONTH}
    assert perform(api, COMPLETE, REVIEWER, **scheduled)["status"] == "SCHEDULED"
    assert perform(api, RESCHEDULE, ADMIN, draftId=reviewed)["userErrors"] == []
    assert (behind.drafts.row(reviewed)["status"], behind.end_of(ids[reviewed])) == ("approved", ["approved"])
    assert rejected(api, refused)["status"] == "REJECTED"
    assert behind.end_of(ids[refused]) == ["rejected"]
    assert perform(api, RETRY, ADMIN, draftId=stopped)["userErrors"] == []
    assert status(api, stopped)["state"] == "PUBLISH_FAILED"
    assert perform(api, WITHDRAW, AUTHOR, draftId=stopped)["draft"]["status"] == "WITHDRAWN"
    assert behind.end_of(ids[stopped]) == ["withdrawn"]
    assert setup(settings, process, "--migrate").lines == [
        "nothing to move: all approvals run on the newest version of their model"
    ]


@pytest.mark.parametrize("then", ["moved", "withdrawn"])
def test_what_is_scheduled_moves_with_its_timer(
    settings: Settings, api: Api, behind: Behind, process: Process, then: str
) -> None:
    process.deploy(TODAY)
    draft_id = behind.drafts.new()
    process_id = submitted(api, draft_id, AUTHOR)
    fields = {"taskId": open_task(api, draft_id), "approved": True, "publishAt": NEXT_MONTH}
    assert perform(api, COMPLETE, REVIEWER, **fields)["status"] == "SCHEDULED"
    process.deploy(TODAY.replace("Review plan", "Look at the plan"))
    assert setup(settings, process, "--migrate", "--yes").lines == [f"{process.key}, version 1 to 2: 1 moved"]

    assert (process.version_of(process_id), status(api, draft_id)["state"]) == (2, "SCHEDULED")
    (timer,) = behind.engine.get("/job", params={"processInstanceId": process_id, "timers": "true"}).json()
    assert timer["dueDate"].startswith(NEXT_MONTH.removesuffix("Z"))
    if then == "moved":
        assert perform(api, RESCHEDULE, ADMIN, draftId=draft_id)["userErrors"] == []
        assert behind.end_of(process_id) == ["approved"]
    else:
        assert perform(api, WITHDRAW, AUTHOR, draftId=draft_id)["userErrors"] == []
        assert behind.end_of(process_id) == ["withdrawn"]


def test_a_step_without_a_counterpart_stays(settings: Settings, api: Api, behind: Behind, process: Process) -> None:
    """What waits there is named, what waits elsewhere moves."""
    process.deploy(TODAY)
    draft_id, stopped = behind.drafts.new(), behind.drafts.new(plan=edited(copayment=1))
    process_id, moving_id = submitted(api, draft_id, AUTHOR), submitted(api, stopped, AUTHOR)
    assert approved(api, stopped)["status"] == "PUBLISH_FAILED"
    process.deploy(ELSEWHERE)

    assert summary(setup(settings, process, "--migrate"), process) == [
        "version 1 to 2: 1 can be moved",
        "  steps without a counterpart: review",
        f"  stays: {process_id} waits at review",
        "nothing was moved: `plan-api setup --migrate --yes` does it",
    ]
    done = setup(settings, process, "--migrate", "--yes")
    assert (done.code, summary(done, process)) == (
        1,
        ["version 1 to 2: 1 moved", f"  stays: {process_id} waits at review"],
    )
    assert (process.version_of(process_id), process.version_of(moving_id)) == (1, 2)
    assert approved(api, draft_id)["status"] == "APPROVED"


@pytest.mark.anyio
async def test_an_approval_that_fails_is_named_with_the_reason(
    settings: Settings, api: Api, behind: Behind, process: Process
) -> None:
    """It has gone on to a step without a counterpart since the plan was made; another one has ended since."""
    process.deploy(TODAY)
    staying, failing, ending = behind.drafts.new(), behind.drafts.new(plan=edited(copayment=1)), behind.drafts.new()
    ids = [submitted(api, draft_id, AUTHOR) for draft_id in (staying, failing, ending)]
    process.deploy(
        TODAY.replace('"publish-plan"', '"publish-it"').replace('topic="publish-it"', 'topic="publish-plan"')
    )
    async with open_upstreams(process.served_by(settings)) as upstreams:
        (planned,) = await migrations(upstreams.camunda)
        assert (sorted(planned.moving), planned.stuck, planned.unmapped) == (sorted(ids), {}, ["publish-plan"])
        assert approved(api, failing)["status"] == "PUBLISH_FAILED"
        assert rejected(api, ending)["status"] == "REJECTED"
        moved = await migrate(upstreams.camunda, planned)
    first, *rest = described_outcome(moved)
    assert (first, moved.is_whole) == (f"{process.key}, version 1 to 2: 1 moved", False)
    (failure,) = rest
    assert failure.startswith(f"  failed: {ids[1]}: ENGINE-23004 Cannot migrate process instance '{ids[1]}'")
    assert [process.version_of(process_id) for process_id in ids] == [2, 1, 1]
    assert behind.engine.get("/batch", params={"type": "instance-migration"}).json() == []


def test_setup_says_what_runs_on_which_version(settings: Settings, api: Api, behind: Behind, process: Process) -> None:
    """An approval of another deployment is counted, and not moved."""
    process.deploy(TODAY)
    assert versions(settings, process) == ["version 1: 0 running"]
    process_id = submitted(api, behind.drafts.new(), AUTHOR)
    with serving(process.served_by(settings, draft_source="elsewhere")) as elsewhere:
        theirs = submitted(elsewhere, behind.drafts.new(), AUTHOR)
    process.deploy(TODAY.replace("Review plan", "Look at the plan"))
    assert versions(settings, process) == [
        "version 2: 0 running",
        (
            "version 1: 1 running, 1 of other deployments; they end on it, unless `plan-api setup --migrate` moves "
            "them to version 2"
        ),
    ]
    assert setup(settings, process, "--migrate", "--yes").lines == [f"{process.key}, version 1 to 2: 1 moved"]
    assert (process.version_of(process_id), process.version_of(theirs)) == (2, 1)
    assert versions(settings, process) == ["version 2: 1 running", "version 1: 0 running, 1 of other deployments"]


def versions(settings: Settings, process: Process) -> list[str]:
    ran = setup(settings, process)
    assert (ran.code, ran.errors) == (0, "")
    return [line.removeprefix(f"{process.key}, ") for line in ran.lines[3:]]


def test_what_is_not_deployed_has_nothing_to_move(settings: Settings, process: Process) -> None:
    ran = setup(settings, process, "--migrate", "--yes")
    assert (ran.code, ran.lines) == (0, ["nothing to move: all approvals run on the newest version of their model"])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--yes",), "it goes with --migrate"),
        (("--migrate", "--dry-run"), "it deploys nothing, so it goes with --yes alone"),
        (("--migrate", "--model", "mine.bpmn"), "it deploys nothing, so it goes with --yes alone"),
    ],
)
def test_options_that_do_not_go_together(settings: Settings, process: Process, words: Sequence[str], told: str) -> None:
    ran = setup(settings, process, *words)
    assert (ran.code, ran.lines) == (2, [])
    assert told in " ".join(ran.errors.replace("│", " ").split())


def test_permissions_to_migrate_are_named_and_enough(people: People, drafts: Drafts) -> None:
    """`check` names them where something runs on a former version, and the command is refused without them."""
    process = Process(people.admin)
    process.deploy(TODAY)
    granted = {DEFINITION: ["MIGRATE_INSTANCE"], BATCH: ["CREATE", "READ", "DELETE"]}
    barred, able = (process.served_by(people.as_user(key=process.key, more=more)) for more in ({}, granted))
    with serving(able) as api:
        process_id = submitted(api, drafts.new(), AUTHOR)
    process.deploy(TODAY.replace("Review plan", "Look at the plan"))
    needed = (
        f"MIGRATE_INSTANCE on ProcessDefinition {process.key} and CREATE on Batch * and READ on Batch * and DELETE on "
        "Batch *"
    )

    ran = setup(barred, process, "--migrate", "--yes")
    assert (ran.code, ran.lines, process.version_of(process_id)) == (1, [], 1)
    assert needed in ran.errors
    way = f"they end on them, or `plan-api setup --migrate`, which needs {needed}"
    checked = [line for line in run(barred, "check", **keys(process)).lines if " versions: " in line]
    assert checked == [f"ok      versions: 1 running on former versions of {process.key}: {way}"]

    ran = setup(able, process, "--migrate", "--yes")
    assert (ran.code, ran.lines) == (0, [f"{process.key}, version 1 to 2: 1 moved"])
    assert process.version_of(process_id) == 2


def test_what_runs_is_not_known_without_the_history(people: People) -> None:
    """The rest of `setup` is done."""
    process = Process(people.admin)
    process.deploy(TODAY)
    barred = people.as_user("READ_HISTORY", key=process.key)
    ran = setup(process.served_by(barred), process)
    assert ran.code == 0
    refused = "benefit-notification.bpmn: not deployed, so webhooks are told nothing: "
    assert ran.lines[2].startswith(refused)
    assert [ran.lines[1], *ran.lines[3:]] == [
        "benefit-approval.bpmn: not deployed, since benefit-approval is none of PROCESS_KEYS; see --model",
        (
            "what runs on which version of the model is not known: The engine does not show this service all of an "
            "approval: to read variables, decisions and past approvals it needs READ_HISTORY on ProcessDefinition "
            f"{process.key}"
        ),
    ]


def test_a_batch_that_stands_still_is_not_waited_for(
    settings: Settings, drafts: Drafts, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """An engine whose job executor does not run."""
    folder, name = tmp_path_factory.mktemp("engine"), f"engine_{uuid.uuid4().hex}"
    idle = operaton(folder, settings.retool_database_url.get_secret_value(), name, runs_jobs=False)
    with idle as address, httpx.Client(base_url=address, timeout=30) as admin:
        process = Process(admin)
        of_process = process.served_by(on_engine(settings, address))
        process.deploy(TODAY)
        with serving(of_process) as api:
            process_id = submitted(api, drafts.new(), AUTHOR)
        process.deploy(TODAY.replace("Review plan", "Look at the plan"))
        moved = asyncio.run(_moved(of_process))
        (batch,) = admin.get("/batch").json()
        assert process.version_of(process_id) == 1
    assert (described_outcome(moved), moved.is_whole) == (
        [
            f"{process.key}, version 1 to 2: 0 moved",
            f"  the engine is not done with batch {batch['id']}, see it in Cockpit: does a job executor run?",
        ],
        False,
    )


async def _moved(settings: Settings) -> Moved:
    async with open_upstreams(settings) as upstreams:
        (planned,) = await migrations(upstreams.camunda)
        return await migrate(upstreams.camunda, planned, stalled_after=2)
