"""What is lost at a lower history level is said by the doctor, and nothing that is lost counts as not there."""

import asyncio
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import pytest

from api.settings import Settings
from api.upstreams import open_upstreams
from doctor.engine import look_at_engine
from doctor.setup import MODEL, set_up
from tests.engines.running import on_engine, operaton
from tests.serving import AUTHOR, REVIEWER, SECOND_REVIEWER, Api, Drafts, Someone, serving
from tests.stories.behind import Behind
from tests.verbs import COMPLETE, SUBMIT, WITHDRAW, approved, open_task, perform, submitted

OURS = 'camunda:candidateGroups="benefit-reviewers"'
READ = "query R($draft: ID!, $task: ID!) { draft(id: $draft) { id } task(id: $task) { id isOpen candidateGroups } }"
DECIDE = "query T($task: ID!) { task(id: $task) { id decidable { allowed } } }"
STATE = "query S($draft: ID!) { approvalStatus(draftId: $draft) { state } }"


@dataclass(frozen=True)
class Level:
    """An engine of this history level, the API before it, and what is behind."""

    api: Api
    behind: Behind
    settings: Settings

    def deploy(self, offered: str) -> None:
        asyncio.run(self._deploy(MODEL.read_text("utf-8").replace(OURS, offered)))

    async def _deploy(self, model: str) -> None:
        async with open_upstreams(self.settings) as upstreams:
            await set_up(upstreams, {MODEL.name: model.encode()})

    def told(self) -> str:
        """What the doctor says of the history."""
        (line,) = asyncio.run(self._told())
        return line

    async def _told(self) -> list[str]:
        async with open_upstreams(self.settings) as upstreams:
            found = await look_at_engine(upstreams.camunda, self.settings.camunda_url)
        return [f"{finding.grade} {finding.message}" for finding in found if finding.subject == "history"]


@contextmanager
def level(
    name: str, settings: Settings, drafts: Drafts, store: httpx.Client, folder: pytest.TempPathFactory
) -> Iterator[Level]:
    database, url = f"engine_{uuid.uuid4().hex}", settings.retool_database_url.get_secret_value()
    with operaton(folder.mktemp("engine"), url, database, level=name) as address:
        of_level = on_engine(settings, address)
        with serving(of_level) as api, httpx.Client(base_url=address, timeout=30) as engine:
            made = Level(api, Behind(drafts, engine, store), of_level)
            made.deploy(OURS)
            yield made


def test_audit_keeps_all_but_candidates(
    settings: Settings, drafts: Drafts, store: httpx.Client, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Of closed tasks the model says whom they were offered to, with the process's variables."""
    with level("audit", settings, drafts, store, tmp_path_factory) as audit:
        for offered, groups in (
            (OURS, ["benefit-reviewers"]),
            ('camunda:candidateGroups="${submittedBy}-reviewers, others"', ["author-reviewers", "others"]),
        ):
            audit.deploy(offered)
            draft_id = drafts.new()
            submitted(audit.api, draft_id, AUTHOR)
            task_id, colleague = open_task(audit.api, draft_id), Someone("colleague", (groups[0],))
            assert approved(audit.api, draft_id, Someone("decider", (groups[0],)))["status"] == "APPROVED"
            for someone in (colleague, Someone("decider")):
                assert audit.api.ask(READ, someone, draft=draft_id, task=task_id) == {
                    "draft": {"id": draft_id},
                    "task": {"id": task_id, "isOpen": False, "candidateGroups": groups},
                }
            again = perform(audit.api, COMPLETE, colleague, taskId=task_id, approved=True)
            assert [error["code"] for error in again["userErrors"]] == ["ALREADY_DECIDED"]
            stranger = audit.api.ask(READ, Someone("stranger", ("benefit",)), draft=draft_id, task=task_id)
            assert stranger == {"draft": None, "task": None}
        assert audit.told() == (
            "warning keeps variables, but no candidates of tasks (level audit): of closed tasks the model says whom"
            " they were offered to, so others whom they were offered lose them; level full keeps them"
        )


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("activity", ("wrong keeps no variables (level activity), so nothing can be decided: level audit keeps them, "
         "full more")),
        ("none", "wrong keeps no processes: the engine's history level must be full, or audit"),
    ],
)  # fmt: skip
def test_a_level_that_keeps_too_little_denies_and_changes_nothing(
    settings: Settings,
    drafts: Drafts,
    store: httpx.Client,
    tmp_path_factory: pytest.TempPathFactory,
    name: str,
    told: str,
) -> None:
    with level(name, settings, drafts, store, tmp_path_factory) as kept:
        draft_id = drafts.new()
        kept.api.answer(SUBMIT, AUTHOR, input={"draftId": draft_id})
        (task,) = kept.behind.engine.get("/task").json()
        before = drafts.row(draft_id), task
        for operation, someone, fields in (
            (COMPLETE, REVIEWER, {"taskId": task["id"], "approved": True}),
            (COMPLETE, Someone("author", REVIEWER.groups), {"taskId": task["id"], "approved": False}),
            (WITHDRAW, AUTHOR, {"draftId": draft_id}),
            (SUBMIT, AUTHOR, {"draftId": draft_id}),
        ):
            answer = kept.api.answer(operation, someone, input=fields)
            assert [error["extensions"]["code"] for error in answer["errors"]] == ["UPSTREAM_DENIED"], operation
            (now,) = kept.behind.engine.get("/task").json()
            assert (drafts.row(draft_id), now) == before, operation
        for query in (DECIDE, STATE):
            answer = kept.api.answer(
                query, SECOND_REVIEWER if query == DECIDE else AUTHOR, task=task["id"], draft=draft_id
            )
            assert [error["extensions"]["code"] for error in answer["errors"]] == ["UPSTREAM_DENIED"]
        assert kept.told() == told
