"""Which of the engine's processes are this deployment's: the rule, and the conditions of the engine's queries.

An engine has processes of other models, and those of other deployments of this service. Ids of theirs may come from
anybody, so no task or process is shown or touched before the engine, or its variables, have said that it is ours.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from api.upstreams.camunda.records import PROCESS_KEY, Scalar, text

LINK_VARIABLES = ("draftId", "draftSource")


@dataclass(frozen=True)
class Ownership:
    """Processes of one definition key that were started for drafts of one source."""

    draft_source: str
    process_key: str = PROCESS_KEY

    @property
    def of_our_key(self) -> dict[str, object]:
        """The condition for processes of our model, whatever their source: for ids of rows, whose link is checked."""
        return {"processDefinitionKey": self.process_key}

    def tasks(self, query: Mapping[str, Any]) -> dict[str, object]:
        """A query for tasks, open or of the history, narrowed to ours."""
        return {**query, **self.of_our_key, "processVariables": [self._source, *query.get("processVariables", ())]}

    def processes(self, query: Mapping[str, Any]) -> dict[str, object]:
        """A query for process instances of the history, narrowed to ours."""
        return {**query, **self.of_our_key, "variables": [self._source, *query.get("variables", ())]}

    def topic(self) -> dict[str, object]:
        """What fetchAndLock narrows a topic by, so that no worker takes another deployment's tasks."""
        return {**self.of_our_key, "processVariables": {"draftSource": self.draft_source}}

    def links(self, variables: Mapping[str, Scalar], draft_id: str) -> bool:
        """Whether a process that a draft's row names is of that draft, by the process's own variables.

        The process decides: a copied row names a process which does not name it. A process without a source, as
        older models started them by hand, is of the source whose row names it.
        """
        return variables.get("draftId") == draft_id and variables.get("draftSource") in (None, self.draft_source)

    def submissions(
        self, draft_id: str, process_id: str | None, variables: Mapping[str, Mapping[str, Scalar]]
    ) -> list[str]:
        """The processes that a draft was submitted to, newest first: the one its row names, and what each was before.

        A process becomes a draft's by its registration, which finds the one before it on the row. Others that say
        they are of this draft, by a variable or a business key, were started by whoever likes to.
        """
        found: list[str] = []
        while process_id and process_id not in found and self.links(variables.get(process_id, {}), draft_id):
            found.append(process_id)
            process_id = text(variables[process_id].get("previousProcessId"))
        return found

    @property
    def _source(self) -> dict[str, object]:
        return {"name": "draftSource", "operator": "eq", "value": self.draft_source}
