"""What the three systems hold of a draft, asked of themselves. Used by the stories through the fixture `behind`."""

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from time import monotonic, sleep
from typing import Any
from xml.etree.ElementTree import canonicalize

import httpx

from sandbox.samples import ENCODER
from tests.serving import GOLD, Drafts

Resource = dict[str, Any]
PROCESS_TAG = "urn:plan-api:approval-process"
FHIR_JSON = {"Content-Type": "application/fhir+json"}
LONGEST_WAIT = 100.0  # seconds
MODEL, TOPICS = "benefit-approval", ("register-submission", "publish-plan", "record-outcome")


@dataclass(frozen=True)
class Behind:
    """The drafts table, the engine and the store, side by side."""

    drafts: Drafts
    engine: httpx.Client
    store: httpx.Client

    def picture(self, draft_id: str) -> dict[str, Any]:
        """Everything that a verb on this draft could change; two pictures are equal when nothing has."""
        row = self.drafts.row(draft_id)
        processes = self.processes(draft_id)
        return {
            "row": row,
            "processes": [(process["id"], process["state"]) for process in processes],
            "tasks": [
                tuple(task[name] for name in ("id", "assignee", "priority", "due", "followUp"))
                for task in self.tasks(draft_id)
            ],
            "comments": sorted(name for process in processes for name in self.comments(process["id"])),
            "external tasks": [
                (task["id"], task["retries"]) for process in processes for task in self.external_tasks(process["id"])
            ],
            "versions": [version["meta"]["versionId"] for version in self.versions(row["aidbox_id"] or draft_id)],
        }

    def processes(self, draft_id: str) -> list[dict[str, Any]]:
        """Every process of a draft, oldest first, ended ones too."""
        query = {"processInstanceBusinessKey": draft_id, "sorting": [{"sortBy": "startTime", "sortOrder": "asc"}]}
        found: list[dict[str, Any]] = self._post("/history/process-instance", query)
        return found

    def active(self, draft_id: str) -> list[str]:
        """The ids of its running processes."""
        return [process["id"] for process in self.processes(draft_id) if process["state"] == "ACTIVE"]

    def tasks(self, draft_id: str) -> list[dict[str, Any]]:
        """Its open user tasks."""
        found: list[dict[str, Any]] = self._post("/task", {"processInstanceBusinessKey": draft_id})
        return found

    def comments(self, process_id: str) -> list[str]:
        """The names of the variables that hold the comments on a process."""
        query = {"processInstanceId": process_id, "variableNameLike": "comment_%"}
        return [variable["name"] for variable in self._post("/history/variable-instance", query)]

    def past_tasks(self, draft_id: str) -> list[dict[str, Any]]:
        """Its user tasks by the history, oldest first, open ones too."""
        oldest_first = [{"sortBy": "startTime", "sortOrder": "asc"}]
        query = {"processInstanceBusinessKey": draft_id, "sorting": oldest_first}
        found: list[dict[str, Any]] = self._post("/history/task", query)
        return found

    def external_tasks(self, *process_ids: str) -> list[dict[str, Any]]:
        """What these processes wait for from the API."""
        asked = {"processInstanceIdIn": process_ids}
        found: list[dict[str, Any]] = self._post("/external-task", asked) if process_ids else []
        return found

    def nothing_waits(self) -> bool:
        """Whether no process of ours waits for the API, but for what gave up. Others' workers have others' tasks."""
        ours = [{"name": "draftSource", "operator": "eq", "value": "retool"}]
        running = self._post("/process-instance", {"variables": ours, "active": True, "processDefinitionKey": MODEL})
        waiting = self.external_tasks(*(process["id"] for process in running))
        return not any(task["retries"] != 0 and task["topicName"] in TOPICS for task in waiting)

    def incidents(self, process_id: str) -> list[dict[str, Any]]:
        """The engine's open incidents of a process."""
        found: list[dict[str, Any]] = self.engine.get("/incident", params={"processInstanceId": process_id}).json()
        return found

    def variables(self, process_id: str) -> dict[str, Any]:
        """The variables of a process, running or ended."""
        found = self._post("/history/variable-instance", {"processInstanceIdIn": [process_id]})
        return {variable["name"]: variable["value"] for variable in found}

    def end_of(self, process_id: str) -> list[str]:
        """The end events of the process itself that it came to."""
        found = self._post("/history/activity-instance", {"processInstanceId": process_id})
        ends = [each for each in found if each["activityType"] in ("noneEndEvent", "signalEndEvent")]
        return [event["activityId"] for event in ends if event["parentActivityInstanceId"] == process_id]

    def path_of(self, process_id: str) -> list[str]:
        """The activities a process came through, in their order; what it left by an event is named as cancelled."""
        in_order = [{"sortBy": "occurrence", "sortOrder": "asc"}]
        found = self._post("/history/activity-instance", {"processInstanceId": process_id, "sorting": in_order})
        return [each["activityId"] + (" (cancelled)" if each["canceled"] else "") for each in found]

    def start(
        self, draft_id: str, *, business_key: str | None = None, tenant: str | None = None, **variables: str | None
    ) -> str:
        """Start a process as Cockpit would, of a tenant's model if one is named; its id."""
        typed = {name: {"value": value, "type": "String"} for name, value in variables.items()}
        body = {"businessKey": business_key, "variables": {"draftId": {"value": draft_id, "type": "String"}, **typed}}
        of_tenant = f"/tenant-id/{tenant}" if tenant else ""
        return str(self._post(f"/process-definition/key/benefit-approval{of_tenant}/start", body)["id"])

    def complete(self, task_id: str, **variables: bool) -> None:
        """Complete a user task as Tasklist would."""
        typed = {name: {"value": value, "type": "Boolean"} for name, value in variables.items()}
        self._post(f"/task/{task_id}/complete", {"variables": typed})

    def delete_process(self, process_id: str) -> None:
        """Past the API, as in Cockpit; the engine refuses while a task of the process is being completed."""
        until(lambda: self.engine.delete(f"/process-instance/{process_id}").status_code in (204, 404))

    def _post(self, path: str, body: object) -> Any:
        answer = self.engine.post(path, json=body)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def plan(self, plan_id: str) -> Resource:
        """A plan as the store has it now, digits kept."""
        answer = self.store.get(f"/InsurancePlan/{plan_id}")
        assert answer.status_code == 200, answer.text
        return read(answer.content)

    def versions(self, plan_id: str) -> list[Resource]:
        """Every version of a plan, newest first; deletions left out, none for a plan that never was."""
        return self.past_of(f"InsurancePlan/{plan_id}")

    def past_of(self, address: str) -> list[Resource]:
        """Every version of a resource, likewise."""
        since_ever = {"_count": "100", "_since": "1970-01-01T00:00:00Z"}  # without it HAPI leaves out the newest
        answer = self.store.get(f"/{address}/_history", params=since_ever)
        entries = read(answer.content).get("entry", []) if answer.status_code == 200 else []
        return [entry["resource"] for entry in entries if entry["request"]["method"] != "DELETE"]

    def provenances(self, plan_id: str) -> list[Resource]:
        """Every Provenance of a plan, oldest first."""
        params, fresh = {"target": f"InsurancePlan/{plan_id}"}, {"Cache-Control": "no-cache"}
        answer = self.store.get("/Provenance", params=params, headers=fresh)
        assert answer.is_success, answer.text
        found = [entry["resource"] for entry in answer.json().get("entry", [])]
        return sorted(found, key=lambda each: str(each["recorded"]))

    def put(self, plan_id: str, resource: Resource | None = None, **changes: object) -> str:
        """Write a plan as an outsider would, the gold plan by default; the version id it got."""
        body = {**(resource or read(GOLD)), **changes, "id": plan_id}
        answer = self.store.put(f"/InsurancePlan/{plan_id}", content=ENCODER.encode(body), headers=FHIR_JSON)
        assert answer.is_success, answer.text
        return str(answer.json()["meta"]["versionId"])

    def stored_plan(self, resource: Resource | None = None) -> tuple[str, str]:
        """A plan of its own in the store; its id and version id."""
        plan_id = str(uuid.uuid4())
        return plan_id, self.put(plan_id, resource)


def read(text: str | bytes) -> Resource:
    """JSON with its digits."""
    resource: Resource = json.loads(text, parse_float=Decimal)
    return resource


def exactly(plan: Resource) -> str:
    """A plan without id and meta as text, so that 1500.00 and 1500.0 are two.

    The narrative is XML, whose attributes have no order; a store may write them in another one.
    """
    parts = {key: plan[key] for key in plan if key not in ("meta", "id")}
    if "div" in parts.get("text", {}):
        parts["text"] = {**parts["text"], "div": canonicalize(parts["text"]["div"])}
    return json.dumps(parts, sort_keys=True, default=repr)


def edited(**changes: object) -> str:
    """The gold plan's text with other members."""
    return ENCODER.encode({**read(GOLD), **changes}).decode()


def until(holds: Callable[[], bool], *, seconds: float = LONGEST_WAIT) -> None:
    """Look again and again until it holds."""
    begun = monotonic()
    while not holds():
        assert monotonic() - begun < seconds, "it never came to be"
        sleep(0.01)
