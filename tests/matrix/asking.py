"""The questions: all reads of a draft, all of a task, and each mutation with all edges of its payload."""

import json
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from tests.matrix.world import Case, World
from tests.serving import Api, Someone

_DRAFT = "id name planData createdBy camundaProcessId aidboxId"
_TASK = f"""id processId submittedBy {{ id }} assignee {{ id }} decidable {{ allowed code message }}
  draft {{ {_DRAFT} }} basePlan {{ id }} currentPlan {{ id draft {{ name }} }}"""
_STATUS = f"""state problem submittedBy {{ id }} submittedRevision openTasks {{ {_TASK} }}
  decisions {{ comment reason decidedBy {{ id }} }}"""
_WHOLE = f"""{_DRAFT} revision changes {{ path label after }} conflicts {{ path label mine }}
  history(limit: 9) {{ kind comment reason by {{ id }} }} approval {{ {_STATUS} }}
  basePlan {{ id }} currentPlan {{ id draft {{ name }} }}"""

DRAFT_READS = f"""query Reads($draft: ID!, $plan: ID!, $version: ID!, $word: String!, $author: ID!) {{
  draft(id: $draft) {{ {_WHOLE} }}
  byId: drafts(ids: [$draft], limit: 1) {{ items {{ {_WHOLE} }} }}
  approvalStatus(draftId: $draft) {{ {_STATUS} }}
  entity: _entities(representations: [{{__typename: "Draft", id: $draft}}]) {{ ... on Draft {{ {_DRAFT} }} }}
  named: drafts(filter: {{nameContains: $word}}, limit: 3) {{ totalCount items {{ {_DRAFT} }} }}
  written: drafts(filter: {{nameContains: $word, createdBy: $author}}, limit: 3) {{ totalCount items {{ {_DRAFT} }} }}
  ofPlan: drafts(filter: {{nameContains: $word, aidboxId: $plan}}, limit: 3) {{ totalCount items {{ {_DRAFT} }} }}
  inAnyState: drafts(filter: {{nameContains: $word, status: [DRAFT, SUBMITTED, APPROVED, REJECTED, RETURNED, CONFLICT,
    WITHDRAWN]}}, sort: [{{by: NAME}}], limit: 3, offset: 0) {{ totalCount items {{ {_DRAFT} }} }}
  plan(id: $plan) {{ approval {{ submittedBy {{ id }} author {{ id }} decisions {{ comment }} }} draft {{ {_DRAFT} }}
    history(limit: 9) {{ draft {{ {_DRAFT} }} }} }}
  planEntity: _entities(representations: [{{__typename: "PlanVersion", id: $plan, versionId: $version}}]) {{
    ... on PlanVersion {{ id draft {{ {_DRAFT} }} }} }} }}"""
TASK_READS = f"""query Reads($task: ID!, $word: String!, $submitter: ID!, $assignee: ID!) {{
  task(id: $task) {{ {_TASK} }}
  entity: _entities(representations: [{{__typename: "Task", id: $task}}]) {{ ... on Task {{ {_TASK} }} }}
  inbox: pendingTasks(filter: {{draftNameContains: $word}}, limit: 3) {{ totalCount items {{ {_TASK} }} }}
  sent: pendingTasks(filter: {{draftNameContains: $word, submittedBy: $submitter}}, limit: 3) {{ totalCount
    items {{ {_TASK} }} }}
  held: pendingTasks(filter: {{draftNameContains: $word, assignee: $assignee}}, limit: 3) {{ totalCount
    items {{ {_TASK} }} }}
  free: pendingTasks(filter: {{draftNameContains: $word, unassigned: true}}, limit: 3) {{ totalCount
    items {{ {_TASK} }} }} }}"""

_PLAN = f"plan {{ id draft {{ {_DRAFT} }} }}"
_EDGES = {
    "SubmitForApprovalPayload": f"processId status draft {{ {_DRAFT} }}",
    "CompleteApprovalPayload": f"status reason task {{ {_TASK} }} draft {{ {_DRAFT} }} {_PLAN}",
    "TaskPayload": f"task {{ {_TASK} }}",
    "AddCommentPayload": f"comment {{ text by {{ id }} }} draft {{ {_DRAFT} }}",
    "DraftPayload": f"draft {{ {_DRAFT} }}",
    "RebaseDraftPayload": f"draft {{ {_DRAFT} }} conflicts {{ path mine theirs }}",
}
_MUTATIONS: dict[str, tuple[str, str, dict[str, object]]] = {
    "submitForApproval": ("draftId", "SubmitForApprovalPayload", {}),
    "rebaseDraft": ("draftId", "RebaseDraftPayload", {"otherwise": "MINE"}),
    "withdrawSubmission": ("draftId", "DraftPayload", {}),
    "retryPublication": ("draftId", "DraftPayload", {}),
    "reschedulePublication": ("draftId", "DraftPayload", {}),
    "completeApproval to approve": ("taskId", "CompleteApprovalPayload", {"approved": True}),
    "completeApproval to reject": ("taskId", "CompleteApprovalPayload", {"approved": False}),
    "requestChanges": ("taskId", "CompleteApprovalPayload", {"comment": "Why?"}),
    "claimTask": ("taskId", "TaskPayload", {}),
    "unclaimTask": ("taskId", "TaskPayload", {}),
    "reassignTask": ("taskId", "TaskPayload", {}),
    "updateTask": ("taskId", "TaskPayload", {"priority": 77}),
    "addComment": ("draftId", "AddCommentPayload", {"text": "Hm."}),
    "createDraftFromPlan": ("planId", "DraftPayload", {}),
}
# For each mutation of many, the mutation it repeats and the list of its input.
MANY = {
    "submitDrafts": ("submitForApproval", "submissions"),
    "completeApprovals": ("completeApproval", "decisions"),
    "claimTasks": ("claimTask", "taskIds"),
}
FOR_OTHERS = tuple(
    verb for verb in _MUTATIONS if verb not in ("retryPublication", "unclaimTask", "reassignTask", "updateTask")
)
Ids = Mapping[str, str]
Payloads = dict[str, dict[str, Any]]


def ids_of(world: World, case: Case) -> dict[str, str]:
    """The ids of a case by the names of inputs, and the draft's revision."""
    asked = "query R($id: ID!) { draft(id: $id) { revision } }"
    revision = world.api.ask(asked, world.person("auditor"), id=case.draft_id)["draft"]["revision"]
    return {"draftId": case.draft_id, "taskId": case.task_id, "planId": case.plan_id, "revision": revision}


def ids_of_nothing() -> dict[str, str]:
    """Ids as the systems make them, of nothing that is there."""
    draft_id, task_id, plan_id = str(uuid.uuid4()), str(uuid.uuid1()), str(uuid.uuid4())
    return {"draftId": draft_id, "taskId": task_id, "planId": plan_id, "revision": "0" * 64}


def done_by(
    api: Api, someone: Someone, verbs: Iterable[str], ids: Ids, *, next_holder: str, user_id: str | None = None
) -> tuple[Payloads, str]:
    """Several mutations in one request; the payload of each, and the whole answer's text.

    `user_id`: for whom, where a mutation can be asked that.
    """
    asked = list(verbs)
    fields: list[str] = []
    inputs: dict[str, dict[str, object]] = {}
    for number, verb in enumerate(asked):
        name = verb.partition(" ")[0]
        id_name, payload, given = _MUTATIONS[verb]
        more: dict[str, object] = {"revision": ids["revision"]} if verb == "rebaseDraft" else {}
        more |= {"userId": next_holder} if verb == "reassignTask" else {}
        more |= {"userId": user_id} if user_id is not None and verb in FOR_OTHERS else {}
        inputs[f"i{number}"] = {id_name: ids[id_name], **given, **more}
        fields.append(
            f"a{number}: {name}(input: $i{number}) {{ {_EDGES[payload]} userErrors {{ code message field }} }}"
        )
    heads = ", ".join(
        f"$i{number}: {verb[0].upper()}{verb.partition(' ')[0][1:]}Input!" for number, verb in enumerate(asked)
    )
    answer = api.post(f"mutation M({heads}) {{ {' '.join(fields)} }}", someone, **inputs)
    body = json.loads(answer.content)
    assert "errors" not in body, body["errors"]
    return {verb: body["data"][f"a{number}"] for number, verb in enumerate(asked)}, answer.text


def done_as_many(api: Api, someone: Someone, verbs: Iterable[str], ids: Ids) -> Payloads:
    """The same by the mutations of many, each for one: the payload of each that has such a form."""
    told: Payloads = {}
    for many, (single, items) in MANY.items():
        for verb in [each for each in verbs if each.partition(" ")[0] == single]:
            id_name, payload, given = _MUTATIONS[verb]
            item = ids[id_name] if many == "claimTasks" else {id_name: ids[id_name], **given}
            edges = f"results {{ {_EDGES[payload]} userErrors {{ code message field }} }} userErrors {{ code }}"
            query = f"mutation M($i: {many[0].upper()}{many[1:]}Input!) {{ {many}(input: $i) {{ {edges} }} }}"
            answer = json.loads(api.post(query, someone, i={items: [item]}).content)["data"][many]
            assert answer["userErrors"] == []
            (told[verb],) = answer["results"]
    return told


def codes(payload: Mapping[str, Any]) -> list[str]:
    """Of its userErrors."""
    return [error["code"] for error in payload["userErrors"]]


def edges(payload: Mapping[str, Any]) -> dict[str, Any]:
    """What a payload leads to: null, or nothing, where it was refused."""
    return {name: value for name, value in payload.items() if name in ("draft", "task", "plan", "status") and value}
