"""A draft in each state of the page, with words in it that nobody else may ever get to see, and the people."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.matrix.page import TAKEN
from tests.serving import Api, Someone
from tests.stories.behind import Behind, edited
from tests.verbs import COMPLETE, REASSIGN, REQUEST_CHANGES, SUBMIT, WITHDRAW, perform

GROUPS = {
    "reviewer": ("benefit-reviewers",),
    "other reviewer": ("other-reviewers",),
    "auditor": ("benefit-auditors",),
    "administrator": ("benefit-admins",),
}
ROLES = (
    "author",
    "submitter",
    "reviewer",
    "assignee",
    "earlier reviewer",
    "other reviewer",
    "auditor",
    "administrator",
    "stranger",
)
Decide = tuple[str, dict[str, object]]
DECISIONS: dict[str, Decide] = {
    "rejected": (COMPLETE, {"approved": False}),
    "returned": (REQUEST_CHANGES, {}),
    "conflict": (COMPLETE, {"approved": True}),
    "publication failed": (COMPLETE, {"approved": True}),
    "scheduled": (
        COMPLETE,
        {"approved": True, "publishAt": f"{datetime.now(UTC) + timedelta(days=30):%Y-%m-%dT00:00:00Z}"},
    ),
    "approved": (COMPLETE, {"approved": True}),
}
FORGOTTEN = ", forgotten by the engine"
STATUSES = {"conflict": "CONFLICT", "publication failed": "PUBLISH_FAILED"}


@dataclass(frozen=True)
class Case:
    """A draft in a state. `secret` is in its name and plan, `spoken` in all comments on it.

    Of a copied row, `task_id` and `spoken` are the original's; `rows` are all that a mutation could change.
    """

    state: str
    draft_id: str
    plan_id: str
    secret: str
    spoken: str
    task_id: str
    rows: tuple[str, ...]


@dataclass(frozen=True)
class World:
    """The people of one run, the cases made so far, and what was answered about nothing, by role and mutation."""

    api: Api
    behind: Behind
    mark: str = field(default_factory=lambda: uuid.uuid4().hex[:8])
    made: dict[str, Case] = field(default_factory=dict)
    of_nothing: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)

    def person(self, role: str) -> Someone:
        """Somebody of a role, whom no other test knows."""
        return Someone(f"{role.replace(' ', '-')}-{self.mark}", GROUPS.get(role, ()))

    @property
    def clerk(self) -> Someone:
        """Who does for others what makes the states; an administrator with no part in any of them."""
        return Someone(f"clerk-{self.mark}", GROUPS["administrator"])

    def case(self, state: str) -> Case:
        """The draft in this state that nobody may change."""
        if state not in self.made:
            self.made[state] = self.fresh(state)
        return self.made[state]

    def fresh(self, state: str, *, has_past: bool = True) -> Case:
        """Another one. `has_past`: with an earlier submission, which was rejected."""
        if state == "copied row":
            return self._copied(has_past=has_past)
        secret, spoken = _word(), _word()
        plan_id, _ = self.behind.stored_plan()
        author = None if state.startswith("without author") else self.person("author").id
        draft_id = self.behind.drafts.new(
            f"name {secret}", _plan(secret, state, spoken), aidbox_id=plan_id, author=author
        )
        task_id = str(uuid.uuid1())
        if state not in ("new", "without author"):
            task_id = self._brought(draft_id, plan_id, state, spoken, has_past=has_past)
        return Case(state, draft_id, plan_id, secret, spoken, task_id, (draft_id,))

    def _brought(self, draft_id: str, plan_id: str, state: str, spoken: str, *, has_past: bool) -> str:
        """Into the state, by people of their roles; the id of the last task."""
        if has_past:
            self._submitted(draft_id, spoken)
            earlier = self._handed(draft_id, "earlier reviewer")
            self._decided(earlier, "earlier reviewer", "rejected", spoken)
        self._submitted(draft_id, spoken)
        if state.endswith("in review"):
            return self._task(draft_id)
        task_id = self._handed(draft_id, "assignee")
        outcome = state.removeprefix("without author, ")
        if outcome == "withdrawn":
            _done(perform(self.api, WITHDRAW, self.person("submitter"), draftId=draft_id))
        elif outcome not in TAKEN:
            if outcome == "conflict":
                self.behind.put(plan_id, name="Changed by somebody else")
            self._decided(task_id, "assignee", outcome.removesuffix(FORGOTTEN), spoken)
        if outcome.endswith(FORGOTTEN):
            for process in self.behind.processes(draft_id):
                assert self.behind.engine.delete(f"/history/process-instance/{process['id']}").is_success
        return task_id

    def _copied(self, *, has_past: bool) -> Case:
        original = self._original(has_past=has_past)
        columns = "name, plan_data, status, aidbox_id, camunda_process_id"
        copy_id, secret = str(uuid.uuid4()), _word()
        self.behind.drafts.connection.execute(
            f"INSERT INTO benefit_plan_drafts (id, created_by, {columns})"  # noqa: S608  # names of our own
            f" SELECT %s, %s, {columns} FROM benefit_plan_drafts WHERE id = %s",
            [copy_id, self.person("author").id, original.draft_id],
        )
        self.behind.drafts.edit(copy_id, name=f"name {secret}", plan=_plan(secret, "copied row", ""))
        rows = (copy_id, original.draft_id)
        return Case("copied row", copy_id, original.plan_id, secret, original.spoken, original.task_id, rows)

    def _original(self, *, has_past: bool) -> Case:
        """A claimed draft of somebody who has no part in the table; what it says is said of the original alone."""
        spoken, (plan_id, _) = _word(), self.behind.stored_plan()
        draft_id = self.behind.drafts.new(
            f"name {spoken}", _plan(spoken, "claimed", spoken), aidbox_id=plan_id, author=f"owner-{self.mark}"
        )
        task_id = self._brought(draft_id, plan_id, "claimed", spoken, has_past=has_past)
        return Case("claimed", draft_id, plan_id, spoken, spoken, task_id, (draft_id,))

    def _submitted(self, draft_id: str, spoken: str) -> None:
        submitter = self.person("submitter").id
        _done(perform(self.api, SUBMIT, self.clerk, draftId=draft_id, userId=submitter, comment=f"sent {spoken}"))

    def _task(self, draft_id: str) -> str:
        (task,) = self.behind.tasks(draft_id)
        return str(task["id"])

    def _handed(self, draft_id: str, role: str) -> str:
        task_id = self._task(draft_id)
        _done(perform(self.api, REASSIGN, self.clerk, taskId=task_id, userId=self.person(role).id))
        return task_id

    def _decided(self, task_id: str, role: str, outcome: str, spoken: str) -> None:
        operation, given = DECISIONS[outcome]
        comment = f"decided {spoken}"
        payload = perform(self.api, operation, self.person(role), taskId=task_id, comment=comment, **given)
        _done(payload)
        assert payload["status"] == STATUSES.get(outcome, outcome.upper())

    def picture(self, case: Case) -> list[object]:
        """All that a mutation could change."""
        return [self.behind.picture(draft_id) for draft_id in case.rows]


def unchanged(world: World, case: Case, act: Callable[[], object]) -> None:
    """Do it, and see that nothing is another than before."""
    before = world.picture(case)
    act()
    assert world.picture(case) == before


def _word() -> str:
    return f"secret{uuid.uuid4().hex}"


def _plan(secret: str, state: str, spoken: str) -> str:
    """A plan with the word in it; for a publication that fails, with an owner that the store does not have."""
    owner = {"ownedBy": {"reference": f"Organization/{spoken}"}} if state == "publication failed" else {}
    return edited(alias=[secret], **owner)


def _done(payload: dict[str, object]) -> None:
    assert payload["userErrors"] == [], payload
