"""The errors of the service. All layers raise them; `schema` and `transport` alone turn them into answers.

ApprovalApiError
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
        └── Gone                 task, instance or lock does not exist (any longer)

Beside them, what the GraphQL server refuses before anything is executed (graphql_server/refusals.py):
OverLimit                more than a request may cost     → `errors`, not executed
"""

from enum import StrEnum

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
    ALREADY_CLAIMED = "ALREADY_CLAIMED"
    ALREADY_DECIDED = "ALREADY_DECIDED"
    OWN_SUBMISSION = "OWN_SUBMISSION"
    SUSPENDED = "SUSPENDED"
    STALE_REVISION = "STALE_REVISION"
    DRAFT_CHANGED = "DRAFT_CHANGED"
    VERSION_CONFLICT = "VERSION_CONFLICT"


class ApprovalApiError(Exception):
    """The root of the tree above. Instances can be pickled, whatever their constructor takes."""

    def __reduce__(self) -> tuple[object, ...]:
        return _again, (type(self), self.args, self.__dict__)


def _again(kind: type[ApprovalApiError], args: tuple[object, ...], fields: dict[str, object]) -> ApprovalApiError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(fields)
    return error


class Refused(ApprovalApiError):
    """A request that is refused for a reason the user can read and correct. Nothing was changed.

    `process_id`: of the approval that prevents it, if there is one.
    """

    def __init__(
        self, code: UserErrorCode, message: str, *, field: str | None = None, process_id: str | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field
        self.process_id = process_id


class Unauthenticated(ApprovalApiError):
    """A request without accepted credentials. The message does not tell more; `reason` is for the log.

    `token_refused`: credentials were offered and are invalid (RFC 6750, section 3.1).
    """

    def __init__(self, message: str, *, reason: str = "", token_refused: bool = False) -> None:
        super().__init__(message)
        self.reason = reason or "nothing offered"
        self.token_refused = token_refused


class Misconfigured(ApprovalApiError):
    """A setting, table or column that is not as the service needs it; the text names it and says what it should be."""

    code = "MISCONFIGURED"


class UpstreamFailed(ApprovalApiError):
    """A failed call to one of the three systems. `upstream`: retool, camunda or aidbox.

    `detail`: the system's own words, where clients must not read them; they reach log and incident alone.
    """

    code = "UPSTREAM_FAILED"
    retryable = False

    def __init__(self, upstream: str, message: str, *, status: int | None = None, detail: str = "") -> None:
        super().__init__(message)
        self.upstream = upstream
        self.message = message
        self.status = status
        self.detail = detail

    @property
    def incident(self) -> str:
        """The message with the system's own words, for log and incident; `public_part` removes them again."""
        return f"{self.message}{OWN_WORDS}{self.detail}" if self.detail else self.message


class Unreachable(UpstreamFailed):
    """No connection could be made, or it broke before the answer was complete."""

    code = "UPSTREAM_UNREACHABLE"
    retryable = True


class TimedOut(UpstreamFailed):
    """No answer within the deadline. A write may have happened nevertheless: read, then decide."""

    code = "UPSTREAM_TIMEOUT"
    retryable = True


class Denied(UpstreamFailed):
    """401: the service's own credentials are not accepted. 403: they lack a permission."""

    code = "UPSTREAM_DENIED"


class Busy(UpstreamFailed):
    """429 or 503: the system is overloaded. `pause`: seconds until a retry, if it says so."""

    code = "UPSTREAM_BUSY"
    retryable = True

    def __init__(
        self,
        upstream: str,
        message: str,
        *,
        status: int | None = None,
        pause: float | None = None,
        detail: str = "",
    ) -> None:
        super().__init__(upstream, message, status=status, detail=detail)
        self.pause = pause


class Garbled(UpstreamFailed):
    """A success in a format that is not the system's: HTML from a proxy, half a body, a missing field."""

    code = "UPSTREAM_GARBLED"


class Declined(UpstreamFailed):
    """A clear refusal for a reason in the request; `message` is in the system's own words."""

    code = "UPSTREAM_DECLINED"


class Stale(Declined):
    """The store holds another version than the write named, or two writes met: read again, then decide."""


class Unfit(Declined):
    """The store does not accept this resource; `message` says why."""


class WriteRefused(Declined):
    """The drafts table does not accept a row, or has not stored what was written; somebody has to change the table.

    `columns`: ours that are concerned. `is_taken`: a unique constraint refused it. `position`: of a parameter that
    the database cannot store.
    """

    def __init__(
        self, upstream: str, message: str, *, detail: str = "", is_taken: bool = False, position: int | None = None
    ) -> None:
        super().__init__(upstream, message, detail=detail)
        self.columns: tuple[str, ...] = ()
        self.is_taken = is_taken
        self.position = position


class Gone(Declined):
    """What the request named does not exist any longer, or belongs to another worker or person by now."""


def public_part(incident: str | None) -> str | None:
    """The part of an incident that clients may read: the message without the upstream's own words."""
    return incident.partition(OWN_WORDS)[0] if incident else incident
