"""`plan-api check` on drafts and processes that do not name each other, and on processes of nobody and of others."""

import uuid
from collections.abc import Iterator

import httpx
import pytest

from api.settings import Settings
from api.upstreams.camunda.ownership import Ownership
from api.upstreams.camunda.process_variables import ProcessVariables, Scalar
from api.upstreams.retool.records import Waiting
from doctor.approvals import judge, judge_default
from doctor.finding import Grade
from doctor.setup import MODEL
from tests.commands.running import run
from tests.serving import Drafts

OWN = Ownership("west")
THEIRS = "processes that are started by hand"


def told(
    rows: list[tuple[str, str | None]], running: list[str], links: dict[str, dict[str, Scalar]], there: set[str]
) -> list[tuple[Grade, str]]:
    """The findings on these rows and processes."""
    read = {process_id: ProcessVariables.read(values) for process_id, values in links.items() if values}
    found = judge(OWN, [Waiting(*row) for row in rows], running, read, there)
    return [(finding.grade, finding.message) for finding in found]


def test_what_names_each_other_is_right() -> None:
    links: dict[str, dict[str, Scalar]] = {"p": {"draftId": "D", "draftSource": "west"}, "old": {"draftId": "E"}}
    rows: list[tuple[str, str | None]] = [("D", "p"), ("E", "old"), ("F", "unknown"), ("G", None)]
    assert told(rows, ["p", "old"], {**links, "unknown": {}}, {"D", "E"}) == []


def test_each_kind_is_named_with_what_to_do() -> None:
    links: dict[str, dict[str, Scalar]] = {
        "p": {"draftId": "D", "draftSource": "west"},
        "gone": {"draftId": "deleted", "draftSource": "west"},
        "nobody": {"draftId": "E"},
        "empty": {"draftSource": ""},
        "other": {"draftId": "D", "draftSource": "east"},
    }
    rows: list[tuple[str, str | None]] = [("D", "p"), ("copy", "p"), ("copied from the east", "other")]
    assert told(rows, list(links), links, {"D"}) == [
        (
            Grade.WARNING,
            (
                "drafts copy, copied from the east name another draft's process, as copied rows do:"
                " each can be submitted for itself"
            ),
        ),
        (
            Grade.WARNING,
            "processes nobody, empty name no deployment, so nobody carries them out: set their variable draftSource",
        ),
        (
            Grade.WARNING,
            (
                "processes gone are of drafts that are not in the table: end them, or give each deployment a"
                " DRAFT_SOURCE of its own"
            ),
        ),
        (Grade.OK, "of other deployments, and left to them: east"),
    ]


def test_many_are_not_all_named() -> None:
    rows: list[tuple[str, str | None]] = [(f"copy-{number}", "p") for number in range(8)]
    ((_, first),) = told(rows, [], {"p": {"draftId": "D", "draftSource": "west"}}, set())
    assert first.startswith("drafts copy-0, copy-1, copy-2, copy-3, copy-4 and 3 more name another draft's process")


@pytest.mark.parametrize(
    ("source", "model", "expected"),
    [
        ("retool", MODEL.read_text("utf-8"), []),
        ("west", MODEL.read_text("utf-8"),
         [f"{THEIRS} are of retool: name west in their draftSource, or in the model's listener"]),
        ("west", MODEL.read_text("utf-8").replace("&#39;retool&#39;", "&#39;west&#39;"), []),
        ("west", "<definitions/>",
         [f"{THEIRS} are carried out by nobody: copy the listener of our model that sets draftSource"]),
        ("west", None, []),
    ],
)  # fmt: skip
def test_whose_are_those_started_by_hand(source: str, model: str | None, expected: list[str]) -> None:
    assert [finding.message for finding in judge_default(Ownership(source), model)] == expected


@pytest.fixture
def process_ids(engine: httpx.Client, settings: Settings) -> Iterator[list[str]]:
    """Two that run: one of a draft that is nowhere, one whose source was taken away."""
    assert settings.camunda_url
    started = []
    for _ in range(2):
        given = {"draftId": str(uuid.uuid4()), "draftSource": "doctor"}
        body = {"variables": {name: {"value": value, "type": "String"} for name, value in given.items()}}
        answer = engine.post("/process-definition/key/benefit-approval/start", json=body)
        started.append(str(answer.raise_for_status().json()["id"]))
    engine.delete(f"/process-instance/{started[1]}/variables/draftSource").raise_for_status()
    yield started
    for process_id in started:
        engine.delete(f"/process-instance/{process_id}").raise_for_status()


def test_the_command_names_them(settings: Settings, table: str, drafts: Drafts, process_ids: list[str]) -> None:
    copied = f"INSERT INTO {table} (id, name, plan_data, status, camunda_process_id) VALUES ('copy', '', '{{}}', 'submitted', %s)"  # noqa: S608, E501  # names of our own
    drafts.connection.execute(copied, [process_ids[0]])
    ran = run(settings, "check", DRAFTS_TABLE=table, DRAFT_SOURCE="doctor")
    lines = [line for line in ran.lines if " approvals: " in line]
    assert any(line.startswith("warning approvals: drafts copy name another draft's process") for line in lines)
    (nobodys,) = [line for line in lines if "name no deployment" in line]
    assert process_ids[1] in nobodys
    assert f"warning approvals: processes {process_ids[0]} are of drafts that are not in the table" in "\n".join(lines)
    assert ran.code == 0
