"""Checks of the engine: its product, permissions, the deployed model, the history level, suspensions and incidents."""

import re
from collections.abc import Sequence

import msgspec

from api.errors import UpstreamFailed
from api.upstreams.camunda.authorizations import (
    DEPLOY,
    MIGRATE,
    NEEDS,
    READ_HISTORY,
    READ_INSTANCES,
    READ_MODEL,
    Need,
    missing,
)
from api.upstreams.camunda.client import Camunda
from api.upstreams.camunda.process_variables import LINK_VARIABLES
from doctor.conditions import look_at_conditions
from doctor.deployment import newest_definition
from doctor.finding import Finding, address_of, failure, ok, warning, wrong
from doctor.model import judge_model
from doctor.versions import running_versions

OLDEST = (7, 20)  # the first seen to know variableNameIn of /history/variable-instance; older ones ignore it silently
URL_RULE = "CAMUNDA_URL must be the engine's REST API, ending in /engine-rest"
CREDENTIALS = "CAMUNDA_USERNAME and CAMUNDA_PASSWORD, or CAMUNDA_TOKEN"


class _Instance(msgspec.Struct, frozen=True):
    id: str


class Product(msgspec.Struct, frozen=True):
    """What an engine calls itself in its telemetry data."""

    name: str
    version: str = ""


class _Telemetry(msgspec.Struct, frozen=True):
    product: Product


class _Counted(msgspec.Struct, frozen=True):
    count: int


async def look_at_engine(camunda: Camunda, url: str) -> list[Finding]:
    """All findings on the engine; one if it does not answer."""
    address, findings = address_of(url), list[Finding]()
    try:
        findings.append(judge_version(await camunda.version(), address, await _product(camunda)))
        findings.append(await look_at_conditions(camunda))
        lacking = await missing(camunda, NEEDS)
        findings += judge_permissions(lacking, camunda.own.process_keys)
        for key in () if READ_MODEL in lacking else camunda.own.process_keys:
            findings += await _model(camunda, key)
        for key in () if {READ_MODEL, READ_HISTORY} & set(lacking) else camunda.own.process_keys:
            findings += await _versions(camunda, key)
        findings += [] if {READ_HISTORY, READ_INSTANCES} & set(lacking) else [await _history(camunda)]
        findings += [] if READ_INSTANCES in lacking else [*await _suspended(camunda), await _incidents(camunda)]
    except UpstreamFailed as failed:
        findings.append(failure("engine", failed, address=address, url_rule=URL_RULE, credentials=CREDENTIALS))
    return findings


def judge_permissions(lacking: Sequence[Need], keys: Sequence[str]) -> list[Finding]:
    """What the engine does not let the service's user do. Pure."""
    if not lacking:
        return [ok("permissions", "all that are needed")]
    return [wrong("permissions", f"may not {need.purpose}: grant {need.named(keys)}") for need in lacking]


async def _model(camunda: Camunda, key: str) -> list[Finding]:
    definition = await newest_definition(camunda, key)
    if definition is None:
        may_deploy = not await missing(camunda, [DEPLOY])
        message = "run `plan-api setup`" if may_deploy else f"`plan-api setup` needs {DEPLOY.named([key])}"
        return [wrong("model", f"{key} is not deployed: {message}")]
    if definition.suspended:
        finding = wrong(
            "model",
            f"{key}, version {definition.version}, is suspended: no draft can be submitted; activate it in Cockpit",
        )
    else:
        finding = ok("model", f"{key}, version {definition.version}")
    return [finding, *judge_model(await camunda.model(definition.id))]


async def _versions(camunda: Camunda, key: str) -> list[Finding]:
    """A finding on approvals that run on a former version of the model: all is well, and they can be moved."""
    versions = await running_versions(camunda, key)
    older = sum(len(each.process_ids) for each in versions[1:])
    if not older:
        return []
    needed = f", which needs {MIGRATE.named([key])}" if await missing(camunda, [MIGRATE]) else ""
    message = f"{older} running on former versions of {key}: they end on them, or `plan-api setup --migrate`{needed}"
    return [ok("versions", message)]


async def _suspended(camunda: Camunda) -> list[Finding]:
    """A finding on approvals that an operator has suspended, and may have forgotten."""
    of_ours = {"processDefinitionKeyIn": _keys(camunda), "suspended": "true"}
    count = await _count(camunda, "/process-instance/count", of_ours)
    message = f"{count} suspended, so nobody can decide or withdraw them: Cockpit activates them"
    return [warning("approvals", message)] if count else []


async def _product(camunda: Camunda) -> Product | None:
    """What the engine calls itself, by its telemetry data; None where it does not tell this user."""
    response = await camunda.engine.call("GET", "/telemetry/data", answers=(200, 401, 403, 404, 500))
    try:
        return msgspec.json.decode(response.content, type=_Telemetry).product
    except msgspec.DecodeError:
        return None


def judge_version(version: str, address: str, product: Product | None = None) -> Finding:
    """The finding on the version of the REST API, and the product that has it. Pure.

    Camunda 7 is 7.x; Operaton and CIB seven restarted at 1.x, newer than 7.20.
    """
    named = _named(version, product)
    numbers = re.match(r"(\d+)\.(\d+)", version)
    if numbers is None:
        return warning("engine", f"{named} at {address}; 7.20 or newer is needed")
    if OLDEST[0] == int(numbers[1]) and int(numbers[2]) < OLDEST[1]:
        message = "7.20 or newer is needed, older ones ignore conditions they do not know and answer with everything"
        return wrong("engine", f"{named} at {address}; {message}")
    return ok("engine", f"{named} at {address}")


def _named(version: str, product: Product | None) -> str:
    """Such as "Operaton 1.0.3"; a vendor's engine may have a REST API that counts otherwise."""
    version, name = version[:40], product.name.removesuffix(" BPM Runtime")[:40] if product else ""
    if product is None or not name:
        return f"version {version}"
    is_other = bool(product.version) and product.version != version
    return f"{name} {product.version[:40]}, REST API {version}," if is_other else f"{name} {version}"


async def _history(camunda: Camunda) -> Finding:
    """The finding on the history level. The REST API does not tell it, but the newest process shows what is stored."""
    body = {**camunda.own.of_our_keys, "sorting": [{"sortBy": "startTime", "sortOrder": "desc"}]}
    response = await camunda.engine.call("POST", "/history/process-instance", body=body, params={"maxResults": 1})
    newest = camunda.engine.decode(response, list[_Instance])
    level = "the engine's history level must be full, or audit"
    if newest:
        process_id = newest[0].id
        found = await camunda.variables_by_process([process_id], LINK_VARIABLES)
        details = await _count(camunda, "/history/detail/count", {"processInstanceId": process_id})
        return judge_history(keeps_variables=process_id in found, keeps_details=bool(details))
    if await _count(camunda, "/process-instance/count", {"processDefinitionKeyIn": _keys(camunda)}):
        return wrong("history", f"keeps no processes: {level}")
    return warning("history", f"not known before a first approval was started; {level}")


def judge_history(*, keeps_variables: bool, keeps_details: bool) -> Finding:
    """The finding on a history level by what it lacks: `activity` has no variables, `audit` no details. Pure."""
    if not keeps_variables:
        message = "keeps no variables (level activity), so nothing can be decided: level audit keeps them, full more"
        return wrong("history", message)
    if not keeps_details:
        lost = "of closed tasks the model says whom they were offered to, so others whom they were offered lose them"
        return warning(
            "history", f"keeps variables, but no candidates of tasks (level audit): {lost}; level full keeps them"
        )
    return ok("history", "keeps variables and whom tasks were offered to")


async def _incidents(camunda: Camunda) -> Finding:
    stuck = await _count(camunda, "/incident/count", {"processDefinitionKeyIn": _keys(camunda)})
    if stuck == 0:
        return ok("incidents", "none")
    return warning("incidents", f"{stuck}: Cockpit shows why; once it is mended, retryPublication goes on")


def _keys(camunda: Camunda) -> str:
    """As a query string lists them."""
    return ",".join(camunda.own.process_keys)


async def _count(camunda: Camunda, path: str, params: dict[str, str]) -> int:
    return camunda.engine.decode(await camunda.engine.call("GET", path, params=params), _Counted).count
