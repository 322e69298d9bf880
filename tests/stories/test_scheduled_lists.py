"""What goes live when: lists and filters by the time at which plans are to be published."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import psycopg
import pytest

from api.schema.lists import MOST_TIMED
from api.settings import Settings
from sandbox import Sandbox
from tests.calls.recording import Recording
from tests.serving import AUDITOR, AUTHOR, REVIEWER, STRANGER, Api, Someone
from tests.stories.behind import Behind
from tests.verbs import COMPLETE, SUBMIT, WITHDRAW, open_task, perform

SCHEDULED = """query Scheduled($from: DateTime, $to: DateTime, $limit: Int, $offset: Int) {
  scheduledPublications(from: $from, to: $to, limit: $limit, offset: $offset) { totalCount items { id publishAt } } }"""
DRAFTS = """query Drafts($filter: DraftFilter) { drafts(filter: $filter, sort: [{by: NAME}]) {
  totalCount items { id } } }"""
TASKS = """query Tasks($filter: TaskFilter) { pendingTasks(filter: $filter) { totalCount items { draft { id } } } }"""
# Of a running process and the variables it is found by, under other ids, in the engine's history.
COPIES = """
WITH copy AS (
  SELECT number, md5(%(process)s || number)::uuid::text AS id FROM generate_series(%(first)s::int, %(last)s) AS number
), processes AS (
  INSERT INTO act_hi_procinst SELECT (jsonb_populate_record(was, jsonb_build_object(
    'id_', copy.id, 'proc_inst_id_', copy.id, 'start_user_id_', 'copies'))).*
  FROM act_hi_procinst AS was, copy WHERE was.id_ = %(process)s
)
INSERT INTO act_hi_varinst SELECT (jsonb_populate_record(was, jsonb_build_object(
  'id_', md5(was.id_ || copy.id)::uuid::text, 'proc_inst_id_', copy.id, 'execution_id_', copy.id,
  'act_inst_id_', copy.id))).*
FROM act_hi_varinst AS was, copy
WHERE was.proc_inst_id_ = %(process)s AND was.name_ IN ('draftId', 'draftSource', 'publishAt', 'approved')
"""
ASKED_OF_THE_ENGINE = {"POST /history/process-instance": 1, "POST /history/variable-instance": 1}


class Days(NamedTuple):
    """Three days of a time that no other test knows, and their drafts: two approved for it, and one in review."""

    first: str
    second: str
    third: str
    scheduled: list[str]
    proposed: str


def _instant(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


@pytest.fixture(scope="module")
def days(api: Api, behind: Behind) -> Days:
    begin = datetime.now(UTC).replace(microsecond=0) + timedelta(days=2000, seconds=uuid.uuid4().int % 10**8)
    first, second, third = (_instant(begin + timedelta(days=number)) for number in range(3))
    later, proposed, sooner = [behind.drafts.new(f"Plan {number}") for number in range(3)]
    for draft_id, publish_at in ((later, second), (proposed, first), (sooner, first)):
        assert perform(api, SUBMIT, AUTHOR, draftId=draft_id, publishAt=publish_at)["userErrors"] == []
    for draft_id in (later, sooner):
        perform(api, COMPLETE, REVIEWER, taskId=open_task(api, draft_id), approved=True)
    return Days(first, second, third, [sooner, later], proposed)


def scheduled(api: Api, someone: Someone, **asked: object) -> tuple[int, list[tuple[str, str]]]:
    """How many in all, and drafts and times of the page."""
    page = api.ask(SCHEDULED, someone, **asked)["scheduledPublications"]
    return page["totalCount"], [(item["id"], item["publishAt"]) for item in page["items"]]


def test_what_goes_live_when(api: Api, days: Days) -> None:
    """From the first instant on, and before the last."""
    sooner, later = zip(days.scheduled, (days.first, days.second), strict=True)
    for asked, expected in (
        ({"from": days.first, "to": days.third}, [sooner, later]),
        ({"from": days.first, "to": days.second}, [sooner]),
        ({"from": days.second, "to": days.third}, [later]),
        ({"from": days.third, "to": days.third}, []),
    ):
        assert scheduled(api, AUDITOR, **asked) == (len(expected), expected)
    whole: dict[str, object] = {"from": days.first, "to": days.third}
    assert scheduled(api, AUDITOR, **whole, limit=1) == (2, [sooner])
    assert scheduled(api, AUDITOR, **whole, limit=1, offset=1) == (2, [later])
    assert scheduled(api, AUDITOR, **whole, limit=0) == (2, [])


def test_it_shows_what_the_viewer_may_read(api: Api, days: Days) -> None:
    asked = {"from": days.first, "to": days.third}
    assert [draft_id for draft_id, _ in scheduled(api, AUTHOR, **asked)[1]] == days.scheduled
    assert [draft_id for draft_id, _ in scheduled(api, REVIEWER, **asked)[1]] == days.scheduled
    assert scheduled(api, STRANGER, **asked) == (0, [])
    assert scheduled(api, Someone("other-author"), **asked) == (0, [])


def test_without_bounds_it_is_all_of_them(api: Api, days: Days) -> None:
    count, found = scheduled(api, AUDITOR, limit=1000)
    assert count == len(found)
    assert set(days.scheduled) <= {draft_id for draft_id, _ in found}
    assert days.proposed not in {draft_id for draft_id, _ in found}
    assert [publish_at for _, publish_at in found] == sorted(publish_at for _, publish_at in found)


def test_what_is_withdrawn_is_there_no_longer_nor_is_a_copied_row(api: Api, behind: Behind, days: Days) -> None:
    late = _instant(datetime.fromisoformat(days.third) + timedelta(days=1))
    draft_id = behind.drafts.new()
    perform(api, SUBMIT, AUTHOR, draftId=draft_id, publishAt=late)
    perform(api, COMPLETE, REVIEWER, taskId=open_task(api, draft_id), approved=True)
    behind.drafts.connection.execute(
        "INSERT INTO benefit_plan_drafts (id, created_by, name, plan_data, status, camunda_process_id)"
        " SELECT %s, created_by, name, plan_data, status, camunda_process_id FROM benefit_plan_drafts WHERE id = %s",
        [str(uuid.uuid4()), draft_id],
    )
    assert scheduled(
        api, AUDITOR, **{"from": late}, to=_instant(datetime.fromisoformat(late) + timedelta(hours=1))
    ) == (
        1,
        [(draft_id, late)],
    )
    perform(api, WITHDRAW, AUTHOR, draftId=draft_id)
    assert scheduled(
        api, AUDITOR, **{"from": late}, to=_instant(datetime.fromisoformat(late) + timedelta(hours=1))
    ) == (
        0,
        [],
    )


@pytest.fixture
def as_many_as_there_may_be(sandbox: Sandbox, behind: Behind, days: Days) -> Iterator[psycopg.Connection]:
    """The engine's database, in which the first of the days' processes is there so often that one more is too many."""
    process_id = behind.drafts.row(days.scheduled[0])["camunda_process_id"]
    with psycopg.connect(sandbox.retool_database_url, dbname="engine", autocommit=True) as engine:
        engine.execute(COPIES, {"process": process_id, "first": 3, "last": MOST_TIMED})
        yield engine
        copies = "SELECT id_ FROM act_hi_procinst WHERE start_user_id_ = 'copies'"
        engine.execute(f"DELETE FROM act_hi_varinst WHERE proc_inst_id_ IN ({copies})")  # noqa: S608  # the line above
        engine.execute("DELETE FROM act_hi_procinst WHERE start_user_id_ = 'copies'")


@pytest.mark.slow
def test_more_than_are_looked_at_are_refused_rather_than_cut(
    api: Api, as_many_as_there_may_be: psycopg.Connection, behind: Behind, days: Days
) -> None:
    """A process without a draft is one of them: what the engine cuts must never pass for all there is."""
    asked = {"from": days.first, "to": days.third}
    narrowed = {"publishAfter": days.second, "publishBefore": days.third}
    before_all = _instant(datetime.fromisoformat(days.first) - timedelta(seconds=1))
    all_of_them = {"publishAfter": before_all, "publishBefore": days.third, "status": ["SUBMITTED"]}
    assert scheduled(api, AUDITOR, **asked)[0] == 2
    process_id = behind.drafts.row(days.scheduled[0])["camunda_process_id"]
    as_many_as_there_may_be.execute(COPIES, {"process": process_id, "first": MOST_TIMED + 1, "last": MOST_TIMED + 1})
    as_many_as_there_may_be.execute(
        "DELETE FROM act_hi_varinst WHERE name_ = 'draftId' AND proc_inst_id_ ="
        " (SELECT min(id_) FROM act_hi_procinst WHERE start_user_id_ = 'copies')"
    )
    message = f"More than {MOST_TIMED} plans are to be published in this time; narrow it."
    for query, given, root, field in (
        (SCHEDULED, asked, "scheduledPublications", "from"),
        (DRAFTS, {"filter": all_of_them}, "drafts", "publishBefore"),
    ):
        answer = api.answer(query, AUDITOR, **given)
        assert answer["data"] == {root: None}
        (error,) = answer["errors"]
        assert (error["message"], error["extensions"]["code"]) == (message, "INVALID")
        assert error["extensions"].get("field") == field
    assert api.ask(DRAFTS, AUTHOR, filter=narrowed)["drafts"]["totalCount"] == 0


def test_drafts_are_filtered_by_it(api: Api, days: Days) -> None:
    """In review or approved, and together with other conditions; bounds are left out."""
    sooner, later = days.scheduled
    for narrowed, expected in (
        ({"publishAfter": days.first, "publishBefore": days.third}, [later]),
        (
            {"publishAfter": "2020-01-01T00:00:00Z", "publishBefore": days.second, "nameContains": "Plan 1"},
            [days.proposed],
        ),
        ({"publishAfter": days.first, "publishBefore": days.third, "status": ["APPROVED"]}, []),
        ({"publishAfter": days.third, "publishBefore": days.first}, []),
    ):
        page = api.ask(DRAFTS, AUTHOR, filter=narrowed)["drafts"]
        found = [item["id"] for item in page["items"]]
        assert len(found) == page["totalCount"]
        if "nameContains" in narrowed:
            assert set(expected) <= set(found)
        else:
            assert found == expected
    before = _instant(datetime.fromisoformat(days.first) - timedelta(seconds=1))
    page = api.ask(DRAFTS, AUTHOR, filter={"publishAfter": before, "publishBefore": days.second})["drafts"]
    assert [item["id"] for item in page["items"]] == [days.proposed, sooner]


def test_tasks_are_filtered_by_it(api: Api, days: Days) -> None:
    before = _instant(datetime.fromisoformat(days.first) - timedelta(seconds=1))
    for narrowed, expected in (
        ({"publishAfter": before, "publishBefore": days.third}, [days.proposed]),
        ({"publishAfter": before, "publishBefore": days.third, "submittedBy": AUTHOR.id}, [days.proposed]),
        ({"publishAfter": before, "publishBefore": days.third, "submittedBy": "another"}, []),
        ({"publishAfter": days.first, "publishBefore": days.third}, []),
    ):
        page = api.ask(TASKS, REVIEWER, filter=narrowed)["pendingTasks"]
        assert [item["draft"]["id"] for item in page["items"]] == expected
        assert page["totalCount"] == len(expected)


def test_it_costs_the_same_for_many(settings: Settings, days: Days) -> None:
    recording = Recording()
    with recording.before(settings) as watched:
        for to, length in ((days.second, 1), (days.third, 2)):
            recording.calls.clear()
            assert scheduled(watched, AUDITOR, **{"from": days.first}, to=to)[0] == length
            asked_twice = {**ASKED_OF_THE_ENGINE, "POST /history/variable-instance": 2}
            assert recording.counts() == {**asked_twice, "SQL": 2}
            recording.calls.clear()
            narrowed = {"publishAfter": days.first, "publishBefore": days.third}
            assert watched.ask(DRAFTS, AUDITOR, filter=narrowed)["drafts"]["totalCount"] == 1
            assert recording.counts() == {**ASKED_OF_THE_ENGINE, "SQL": 2}
            recording.calls.clear()
            watched.ask(DRAFTS, AUDITOR, filter={"publishAfter": None, "publishBefore": None})
            assert recording.counts() == {"SQL": 2}


@pytest.mark.parametrize(
    ("asked", "field"), [({"limit": 1001}, "limit"), ({"limit": -1}, "limit"), ({"offset": -1}, "offset")]
)
def test_bad_pages(api: Api, asked: dict[str, int], field: str) -> None:
    answer = api.answer(SCHEDULED, AUDITOR, **asked)
    assert answer["data"] == {"scheduledPublications": None}
    assert [(error["extensions"]["code"], error["message"].split()[0]) for error in answer["errors"]] == [
        ("INVALID", field)
    ]
