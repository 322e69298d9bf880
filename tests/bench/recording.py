"""What engine and store answered once, kept in recorded.json: the patterns of everything the replay says.

`python -m tests.bench.recording` asks a sandbox, by the environment that it prints, and writes the file anew.
"""

import json
from pathlib import Path
from typing import Any

import httpx

from tests.bench.query import engine_address, environment

FILE = Path(__file__).with_name("recorded.json")
ELEMENTS = "id,meta,name,status"


def record(engine: str, store: str) -> dict[str, Any]:
    """One task, its process's variables, and the entries of a search, whole and narrowed, and of a batch."""
    with httpx.Client(timeout=30) as client:
        task = client.post(f"{engine}/task", params={"maxResults": 1}, json={"taskDefinitionKey": "review"}).json()[0]
        query = {"processInstanceIdIn": [task["processInstanceId"]]}
        variables = client.post(f"{engine}/history/variable-instance", json=query).json()
        values = {each["name"]: each["value"] for each in variables}
        plan, version = values["aidboxPlanId"], values["baseVersion"]
        form = {"_id": plan, "_count": "1"}
        found = client.post(f"{store}/InsurancePlan/_search", data=form).json()
        narrowed = client.post(f"{store}/InsurancePlan/_search", data={**form, "_elements": ELEMENTS}).json()
        entry = {"request": {"method": "GET", "url": f"InsurancePlan/{plan}/_history/{version}"}}
        batch = client.post(store, json={"resourceType": "Bundle", "type": "batch", "entry": [entry]}).json()
    return {
        "task": task,
        "variables": variables,
        "found": found["entry"][0],
        "found_narrowed": narrowed["entry"][0],
        "version": batch["entry"][0],
    }


if __name__ == "__main__":
    recorded = record(engine_address(), environment("AIDBOX_URL"))
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in recorded.items())
    FILE.write_text(f"{{\n{lines}\n}}\n", "utf-8")
