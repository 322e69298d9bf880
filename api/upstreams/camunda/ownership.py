"""Ownership: which of the engine's processes are this deployment's, as a rule and as conditions of queries.

An engine has processes of other models, and of other deployments of this service. Ids of theirs may come from any
client, so no task or process is shown or changed before the engine, or its variables, say that it is ours.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from api.upstreams.camunda.process_variables import NO_VARIABLES, ProcessVariables, condition, written
from api.upstreams.camunda.records import PROCESS_KEY


@dataclass(frozen=True)
class Ownership:
    """Processes of one definition key that were started for drafts of one source."""

    draft_source: str
    process_key: str = PROCESS_KEY

    @property
    def of_our_key(self) -> dict[str, object]:
        """The condition for processes of our model with any source: for ids from rows, whose link is checked later."""
        return {"processDefinitionKey": self.process_key}

    def tasks(self, query: Mapping[str, Any]) -> dict[str, object]:
        """A query for tasks, open or of the history, narrowed to ours."""
        return {**query, **self.of_our_key, "processVariables": [self._source, *query.get("processVariables", ())]}

    def processes(self, query: Mapping[str, Any]) -> dict[str, object]:
        """A query for process instances of the history, narrowed to ours."""
        return {**query, **self.of_our_key, "variables": [self._source, *query.get("variables", ())]}

    def topic(self) -> dict[str, object]:
        """The conditions of a topic in fetchAndLock, so that no worker locks another deployment's tasks."""
        return {**self.of_our_key, "processVariables": written(draft_source=self.draft_source)}

    def links(self, variables: ProcessVariables, draft_id: str) -> bool:
        """Whether a process that a draft's row names is of that draft, by the process's own variables.

        The process decides: a copied row names a process that does not name it. A process without a source (older
        models, started by hand) belongs to the deployment whose row names it.
        """
        return variables.draft_id == draft_id and variables.draft_source in (None, self.draft_source)

    def submissions(
        self, draft_id: str, process_id: str | None, variables: Mapping[str, ProcessVariables]
    ) -> list[str]:
        """The processes that a draft was submitted to, newest first: the one its row names, and the one before each.

        Registration makes a process a draft's, and its variables name the one registered before it. Others that claim
        to be of this draft, by a variable or a business key, may have been started by anybody.
        """
        found: list[str] = []
        while process_id and process_id not in found:
            values = variables.get(process_id, NO_VARIABLES)
            if not self.links(values, draft_id):
                break
            found.append(process_id)
            process_id = values.previous_process_id
        return found

    @property
    def _source(self) -> dict[str, object]:
        return condition("draft_source", self.draft_source)
