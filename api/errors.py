"""The errors of the service. All layers raise them; `schema` and `transport` alone turn them into answers.

ServiceError
├── Refused              the user can correct it          → `userErrors` of a payload
├── Unauthenticated      the viewer is unknown            → 401
├── Misconfigured        a setting or a table is wrong    → one line at the start, or `errors`
└── UpstreamFailed       the user cannot correct it       → `errors`, with extensions
    ├── Unreachable          UPSTREAM_UNREACHABLE   no connection, or it broke
    ├── TimedOut             UPSTREAM_TIMEOUT       no answer in time; a write may have happened
    ├── Denied               UPSTREAM_DENIED        our credentials were refused, or lack a permission
    ├── Busy                 UPSTREAM_BUSY          429 or 503, or all its slots here are taken
    ├── Garbled              UPSTREAM_GARBLED       an answer that the system itself would not give
    └── Declined             UPSTREAM_DECLINED      a clear refusal, which coordination resolves
        ├── Stale                the store has another version (409, 412)
        ├── Unfit                the store does not accept the resource (400, 422)
        ├── WriteRefused         the drafts table does not accept the row: a constraint, a type, a trigger
        │   └── Unstorable           … nor a character of it: the database's encoding has none
        └── Gone                 task, instance or lock does not exist (any longer)

Beside them, what the GraphQL server refuses before anything is executed (graphql_server/refusals.py):
OverLimit                more than a request may cost     → `errors`, not executed
"""

from collections.abc import Sequence
from enum import StrEnum

from authentication.unauthenticated import Unauthenticated
from resilience.failures import (
    Busy,
    Declined,
    Denied,
    Garbled,
    Gone,
    Misconfigured,
    ServiceError,
    Stale,
    TimedOut,
    Unfit,
    Unreachable,
    Unstorable,
    UpstreamFailed,
    WriteRefused,
)

__all__ = [
    "Busy",
    "Declined",
    "Denied",
    "Garbled",
    "Gone",
    "Misconfigured",
    "Refused",
    "ServiceError",
    "Stale",
    "TimedOut",
    "Unauthenticated",
    "Unfit",
    "Unreachable",
    "Unstorable",
    "UpstreamFailed",
    "UserErrorCode",
    "WriteRefused",
    "incident_text",
    "public_part",
]

OWN_WORDS = "; the system says: "  # between a message and the upstream's own words


class UserErrorCode(StrEnum):
    """The codes of refusals. Each is described in the schema (`schema/user_error.py`)."""

    NOT_FOUND = "NOT_FOUND"
    FORBIDDEN = "FORBIDDEN"
    INVALID = "INVALID"
    INVALID_PLAN = "INVALID_PLAN"
    TOO_MANY_DRAFTS = "TOO_MANY_DRAFTS"
    ALREADY_SUBMITTED = "ALREADY_SUBMITTED"
    NOT_SUBMITTED = "NOT_SUBMITTED"
    NOT_SCHEDULED = "NOT_SCHEDULED"
    ALREADY_CLAIMED = "ALREADY_CLAIMED"
    ALREADY_DECIDED = "ALREADY_DECIDED"
    OWN_SUBMISSION = "OWN_SUBMISSION"
    SUSPENDED = "SUSPENDED"
    STALE_REVISION = "STALE_REVISION"
    DRAFT_CHANGED = "DRAFT_CHANGED"
    VERSION_CONFLICT = "VERSION_CONFLICT"


class Refused(ServiceError):
    """A request that is refused for a reason the user can read and correct. Nothing was changed.

    `process_id`: of the approval that prevents it, if there is one. `problems`: of the plan that is refused.
    """

    def __init__(
        self,
        code: UserErrorCode,
        message: str,
        *,
        field: str | None = None,
        process_id: str | None = None,
        problems: Sequence[object] = (),
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field
        self.process_id = process_id
        self.problems = problems


def incident_text(failure: UpstreamFailed) -> str:
    """The message with the system's own words, for an incident; `public_part` removes them again."""
    return f"{failure.message}{OWN_WORDS}{failure.detail}" if failure.detail else failure.message


def public_part(incident: str | None) -> str | None:
    """The part of an incident that clients may read: the message without the upstream's own words."""
    return incident.partition(OWN_WORDS)[0] if incident else incident
