"""The query all servers answer, the settings they read, and how they listen. Used by running.py and by the servers."""

import os
from urllib.parse import urlsplit

INBOX = """
query Inbox($limit: Int!) {
  pendingTasks(limit: $limit) {
    totalCount
    items {
      id
      name
      createdAt
      assignee { id }
      draft { id name status }
      basePlan { versionId }
      currentPlan { versionId name publishedAt }
      hasConflict
    }
  }
}
"""
GROUP = os.environ.get("BENCH_GROUP", "benefit-reviewers")  # of a server started by running.py
VARIABLES = ("draftId", "aidboxPlanId", "baseVersion")
TASKS = {
    "processDefinitionKey": "benefit-approval",
    "orQueries": [{"assignee": "reviewer", "candidateGroups": [GROUP], "includeAssignedTasks": True}],
}
SORTED = {"sorting": [{"sortBy": "created", "sortOrder": "asc"}, {"sortBy": "id", "sortOrder": "asc"}]}


def environment(name: str) -> str:
    """A setting of the service's own names, which the other servers read too."""
    return os.environ[name]


def engine_address() -> str:
    """The engine's URL, with user and password in it where it asks for them."""
    address, user = environment("CAMUNDA_URL"), os.environ.get("CAMUNDA_USERNAME")
    if not user:
        return address
    parts = urlsplit(address)
    return parts._replace(netloc=f"{user}:{environment('CAMUNDA_PASSWORD')}@{parts.netloc}").geturl()
