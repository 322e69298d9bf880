"""Ownership: which of the engine's processes are this deployment's, as a rule and as conditions of queries.

An engine has processes of other models, and of other deployments of this service. Ids of theirs may come from any
client, so no task or process is shown or changed before the engine, or its variables, say that it is ours.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from api.upstreams.camunda.process_variables import NO_VARIABLES, ProcessVariables, condition, written
from api.upstreams.camunda.records import NOTIFICATION_KEY, NOTIFY, PROCESS_KEY


@dataclass(frozen=True)
class Ownership:
    """Processes of our definition keys that were started for drafts of one source.

    `process_key`: of drafts whose type has no key of its own in `keys_by_type`.
    """

    draft_source: str
    process_key: str = PROCESS_KEY
    keys_by_type: Mapping[str, str] = field(default_factory=dict)

    def key_of(self, draft_type: str | None) -> str:
        """The process definition that a draft of this type is submitted to."""
        return self.keys_by_type.get(draft_type or "", self.process_key)

    @property
    def process_keys(self) -> tuple[str, ...]:
        """All our process definitions, each once."""
        return tuple(dict.fromkeys((self.process_key, *self.keys_by_type.values())))

    @property
    def of_our_keys(self) -> dict[str, object]:
        """The condition for processes of our models with any source: for ids from rows, whose link is checked later."""
        if len(self.process_keys) == 1:
            return {"processDefinitionKey": self.process_key}
        return {"processDefinitionKeyIn": list(self.process_keys)}

    @property
    def of_each_key(self) -> list[dict[str, object]]:
        """The same for the queries of the engine that take one key: a condition for each."""
        return [{"processDefinitionKey": key} for key in self.process_keys]

    def tasks(self, query: Mapping[str, Any]) -> dict[str, object]:
        """A query for open tasks, narrowed to ours."""
        return {**query, **self.of_our_keys, **self._of_our_source(query)}

    def past_tasks(self, query: Mapping[str, Any]) -> list[dict[str, object]]:
        """Queries for tasks of the history, narrowed to ours."""
        return [{**query, **of_a_key, **self._of_our_source(query)} for of_a_key in self.of_each_key]

    def processes(self, query: Mapping[str, Any]) -> dict[str, object]:
        """A query for process instances of the history, narrowed to ours."""
        return {**query, **self.of_our_keys, "variables": [self._source, *query.get("variables", ())]}

    def topic(self, name: str) -> dict[str, object]:
        """A topic in fetchAndLock with its conditions, so that no worker locks another deployment's tasks."""
        of_its_keys = {"processDefinitionKey": NOTIFICATION_KEY} if name.startswith(NOTIFY) else self.of_our_keys
        return {"topicName": name, **of_its_keys, "processVariables": written(draft_source=self.draft_source)}

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

    def _of_our_source(self, query: Mapping[str, Any]) -> dict[str, object]:
        return {"processVariables": [self._source, *query.get("processVariables", ())]}

    @property
    def _source(self) -> dict[str, object]:
        return condition("draft_source", self.draft_source)
