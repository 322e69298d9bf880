"""The process model in the engine: which version is the newest, and the deployment of another one."""

from collections.abc import Iterable, Mapping
from xml.etree import ElementTree as ET

import msgspec

from api.errors import UpstreamFailed
from api.upstreams.camunda.client import Camunda, words_of
from process_models.bpmn import parse, tag
from resilience.http.request import Params


class Definition(msgspec.Struct, frozen=True):
    """A deployed version of a process model."""

    id: str
    key: str
    version: int
    suspended: bool = False


class _Deployed(msgspec.Struct, frozen=True, rename="camel"):
    id: str
    deployed_process_definitions: dict[str, Definition] | None = None


async def newest_definition(camunda: Camunda, key: str) -> Definition | None:
    """The newest deployed version of a process model, or None. Raises UpstreamFailed."""
    params: Params = {"key": key, "latestVersion": "true", "withoutTenantId": "true", "maxResults": 1}
    response = await camunda.engine.call("GET", "/process-definition", params=params, idempotent=True)
    found = camunda.engine.decode(response, list[Definition])
    return found[0] if found else None


async def _with_newest(camunda: Camunda, files: Iterable[bytes]) -> list[tuple[bytes, bytes | None]]:
    """Each model among these files with the newest one of its key, as far as this user may read it."""
    keys = [(content, key) for content in files for key in _keys(content)]
    return [(content, await _newest_model(camunda, key)) for content, key in keys]


async def _newest_model(camunda: Camunda, key: str) -> bytes | None:
    newest = await newest_definition(camunda, key)
    return (await camunda.model(newest.id)).encode() if newest else None


def _keys(content: bytes) -> list[str]:
    """The keys of the processes in a file; none where it is no model, which the engine says better. Pure."""
    try:
        return [process.get("id", "") for process in parse(content.decode()).iter(tag("process"))]
    except (ET.ParseError, UnicodeDecodeError):
        return []


async def deploy(camunda: Camunda, files: Mapping[str, bytes], name: str | None = None) -> str | None:
    """Deploy a model with its decision tables, unless they are the newest already; the new definition's id, or None.

    `files`: by their names, in one deployment. `name`: of the deployment, by default our process key.
    Raises UpstreamFailed with the engine's words.
    """
    models = await _with_newest(camunda, files.values())
    if len(files) == 1 and models and all(content == newest for content, newest in models):
        return None
    is_other = any(newest not in (None, content) for content, newest in models)
    form = {
        "deployment-name": name or camunda.own.process_key,
        # The engine compares with the latest deployment of this name, which need not be the newest of all.
        "enable-duplicate-filtering": str(not is_other).lower(),
        "deployment-source": "plan-api",
    }
    response = await camunda.engine.call(
        "POST",
        "/deployment/create",
        answers=(200, 400, 500),
        form=form,
        files={name: (name, content, "application/xml") for name, content in files.items()},
    )
    if response.status_code != 200:
        raise UpstreamFailed("camunda", words_of(response), status=response.status_code)
    deployed = camunda.engine.decode(response, _Deployed).deployed_process_definitions or {}
    return next(iter(deployed), None)
