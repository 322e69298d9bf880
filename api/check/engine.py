"""The engine, looked at: its version, the deployed model, what its history keeps, what is stuck. For `run_checks`."""

import re

import msgspec

from api.check.finding import Finding, address_of, failure, ok, warning, wrong
from api.check.model import judge_model
from api.errors import UpstreamFailed
from api.upstreams.camunda import Camunda

OLDEST = (7, 20)  # the first seen to know variableNameIn of /history/variable-instance; older ones ignore it silently
URL_RULE = "CAMUNDA_URL must be the engine's REST API, ending in /engine-rest"
CREDENTIALS = "CAMUNDA_USERNAME and CAMUNDA_PASSWORD, or CAMUNDA_TOKEN"


class _Instance(msgspec.Struct, frozen=True):
    id: str


class _Counted(msgspec.Struct, frozen=True):
    count: int


async def look_at_engine(camunda: Camunda, url: str) -> list[Finding]:
    """All findings; one, if it can not be asked."""
    address, findings = address_of(url), list[Finding]()
    try:
        findings.append(judge_version(await camunda.version(), address))
        definition = await camunda.definition()
        if definition is None:
            return [*findings, wrong("model", f"{camunda.own.process_key} is not deployed: run `plan-api setup`")]
        findings.append(ok("model", f"{camunda.own.process_key}, version {definition.version}"))
        findings += judge_model(await camunda.model(definition.id))
        findings.append(await _history(camunda))
        findings.append(await _incidents(camunda))
    except UpstreamFailed as failed:
        findings.append(failure("engine", failed, address=address, url_rule=URL_RULE, credentials=CREDENTIALS))
    return findings


def judge_version(version: str, address: str) -> Finding:
    """Camunda 7 counts as 7.x; Operaton and CIB seven began anew with 1.x, all of it newer than 7.20. Pure."""
    numbers = re.match(r"(\d+)\.(\d+)", version)
    if numbers is None:
        return warning("engine", f"version {version[:40]} at {address}; 7.20 or newer is needed")
    major, minor = int(numbers[1]), int(numbers[2])
    if major == OLDEST[0] and minor < OLDEST[1]:
        told = "7.20 or newer is needed, older ones ignore conditions they do not know and answer with everything"
        return wrong("engine", f"version {version} at {address}; {told}")
    return ok("engine", f"version {version} at {address}")


async def _history(camunda: Camunda) -> Finding:
    """The history level is not told over REST, but a process that was started shows whether its variables are kept."""
    body = {**camunda.own.of_our_key, "sorting": [{"sortBy": "startTime", "sortOrder": "desc"}]}
    response = await camunda.engine.call("POST", "/history/process-instance", body=body, params={"maxResults": 1})
    newest = camunda.engine.decode(response, list[_Instance])
    level = "the engine's history level must be audit or full"
    if newest:
        found = await camunda.variables_by_process([newest[0].id], ["draftId"])
        kept = "draftId" in found[newest[0].id]
        return ok("history", "keeps variables") if kept else wrong("history", f"keeps no variables: {level}")
    if await _count(camunda, "/process-instance/count", {"processDefinitionKey": camunda.own.process_key}):
        return wrong("history", f"keeps no processes: {level}")
    return warning("history", f"not known before a first approval was started; {level}")


async def _incidents(camunda: Camunda) -> Finding:
    stuck = await _count(camunda, "/incident/count", {"processDefinitionKeyIn": camunda.own.process_key})
    if stuck == 0:
        return ok("incidents", "none")
    return warning("incidents", f"{stuck}: Cockpit shows why; once it is mended, retryPublication goes on")


async def _count(camunda: Camunda, path: str, params: dict[str, str]) -> int:
    return camunda.engine.decode(await camunda.engine.call("GET", path, params=params), _Counted).count
