"""The whole of what the three systems hold of a draft, in words that are the same for every draft of a scenario."""

import difflib
import json
from collections.abc import Mapping
from typing import Any

from tests.aidbox_like.interactions import CREATED_AT
from tests.stories.behind import PROCESS_TAG, Behind, exactly

Picture = dict[str, Any]

MOMENTS = {"lastUpdated", "versionId", "source"}  # of a resource's meta, by the store
INSTANTS = ("urn:plan-api:at", "urn:plan-api:publish_at")
OF_VERSIONS = ("baseVersion", "publishedVersion")


def picture(behind: Behind, draft_id: str, plan_id: str, names: Mapping[str, str], **further: Any) -> Picture:
    """Row, processes, tasks and versions, and what is given further, an answer perhaps.

    `names`: what to call ids that are this draft's alone, beside its own and those of its plan, processes and tasks.
    """
    processes, tasks = behind.processes(draft_id), behind.past_tasks(draft_id)
    versions = list(reversed(behind.versions(plan_id)))
    numbers = {version["meta"]["versionId"]: f"version {number}" for number, version in enumerate(versions)}
    row = behind.drafts.row(draft_id)
    row.pop("updated_at")
    told = {
        "row": row,
        "processes": [_process(behind, process, numbers) for process in processes],
        "tasks": [_task(task) for task in tasks],
        "versions": [_version(version) for version in versions],
        "provenance": [_provenance(behind, each, numbers) for each in behind.provenances(plan_id)],
        **further,
    }
    called = {draft_id: "<draft>", plan_id: "<plan>", **names}
    called |= {process["id"]: f"<process {number}>" for number, process in enumerate(processes)}
    called |= {task["id"]: f"<task {number}>" for number, task in enumerate(tasks)}
    renamed: Picture = json.loads(named(json.dumps(told, default=str), called))
    return renamed


def named(text: str, called: Mapping[str, str]) -> str:
    """The text with names in the place of ids."""
    for one, name in called.items():
        text = text.replace(one, name)
    return text


def difference(expected: Any, found: Any) -> str:
    """The lines that are not the same; nothing when all are."""
    if expected == found:
        return ""
    one, other = (json.dumps(each, indent=1, sort_keys=True, default=str).splitlines() for each in (expected, found))
    return "\n".join(difflib.unified_diff(one, other, "expected", "found", n=2, lineterm=""))


def _process(behind: Behind, process: Mapping[str, Any], numbers: Mapping[str, str]) -> Picture:
    process_id = process["id"]
    return {
        "state": process["state"],
        "ends": behind.end_of(process_id),
        "path": behind.path_of(process_id),
        "variables": dict(sorted(_variable(*each, numbers) for each in behind.variables(process_id).items())),
        "external tasks": [
            {key: task[key] for key in ("topicName", "retries", "errorMessage", "suspended")}
            for task in behind.external_tasks(process_id)
        ],
        "incidents": [
            {key: incident[key] for key in ("incidentType", "activityId", "incidentMessage")}
            for incident in behind.incidents(process_id)
        ],
    }


def _variable(name: str, value: Any, numbers: Mapping[str, str]) -> tuple[str, Any]:
    if name in OF_VERSIONS:
        return name, numbers.get(value, value)
    if not name.startswith(("decision_", "comment_", "move_")):
        return name, value
    known = "move_…" if name.startswith("move_") else name  # whose names are random
    return known, {key: said for key, said in json.loads(value).items() if key != "at"}


def _task(task: Mapping[str, Any]) -> Picture:
    is_open = task["endTime"] is None
    said = {"step": task["taskDefinitionKey"], **{name: task[name] for name in ("assignee", "priority", "due")}}
    return said | ({"open": True} if is_open else {"open": False, "ended": task["deleteReason"]})


def _provenance(behind: Behind, resource: dict[str, Any], numbers: Mapping[str, str]) -> Picture:
    """Who did what, without when; versions by their numbers; and how often it was written."""
    source = resource["entity"]
    return {
        "id": resource["id"],
        "of": [numbers[each["identifier"]["value"]] for each in resource["target"]],
        "based on": [numbers[each["what"]["identifier"]["value"]] for each in source if each["role"] == "revision"],
        "made of": [each["what"]["identifier"]["value"] for each in source if each["role"] == "source"],
        "agents": [
            {
                "as": _coded([each["type"]]),
                "who": [each[name]["display"] for name in ("who", "onBehalfOf") if name in each],
                "said": _coded(each.get("role", [])),
            }
            for each in resource["agent"]
        ],
        "reasons": [{"to": _coded([each]), "text": each["text"]} for each in resource.get("reason", [])],
        "written": len(behind.past_of(f"Provenance/{resource['id']}")),
    }


def _coded(concepts: list[dict[str, Any]]) -> dict[str, str]:
    codings = [coding for concept in concepts for coding in concept["coding"]]
    return {each["system"]: each["code"] for each in codings if each["system"] not in INSTANTS}


def _version(resource: dict[str, Any]) -> Picture:
    meta = {key: value for key, value in resource["meta"].items() if key not in MOMENTS}
    # when the store made the plan, which Aidbox says in an extension
    extensions = [each for each in meta.pop("extension", []) if each["url"] != CREATED_AT]
    meta |= {"extension": extensions} if extensions else {}
    tags = meta.get("tag", [])
    ours = [tag["code"] for tag in tags if tag["system"] == PROCESS_TAG]
    # beside the process, a digest of the content, which has ids of this draft's alone
    meta |= {"tag": [{name: tag[name] for name in ("system", "code")} for tag in tags]} if tags else {}
    return {"content": exactly(resource), "meta": meta, "written by": ours}
