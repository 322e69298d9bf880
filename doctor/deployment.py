"""The process model in the engine: which version is the newest, and the deployment of another one."""

from collections.abc import Mapping

import msgspec

from api.errors import UpstreamFailed
from api.upstreams.camunda.client import Camunda, words_of
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


async def deploy(camunda: Camunda, files: Mapping[str, bytes]) -> str | None:
    """Deploy a model with its decision tables, unless they are the newest already; the new definition's id, or None.

    `files`: by their names, in one deployment. Raises UpstreamFailed with the engine's words.
    """
    form = {
        "deployment-name": camunda.own.process_key,
        "enable-duplicate-filtering": "true",
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
