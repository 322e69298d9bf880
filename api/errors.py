"""Every error of ours. Raised by all layers, turned into answers by `schema` and `transport` alone.

ApprovalApiError
├── Refused              the user can mend it             → `userErrors` of a payload
├── Unauthenticated      nobody knows who asks            → 401
├── OverLimit            more than one request may ask    → `errors`, not executed
├── Misconfigured        a setting or a table is wrong    → one line at the start, or `errors`
└── UpstreamFailed       the user can not mend it         → `errors`, with extensions
    ├── Unreachable          UPSTREAM_UNREACHABLE   no connection, or it broke
    ├── TimedOut             UPSTREAM_TIMEOUT       no answer in time; a write may have happened
    ├── Denied               UPSTREAM_DENIED        our credentials were refused, or what we asked is not ours to do
    ├── Busy                 UPSTREAM_BUSY          429 or 503, or all its places here are taken
    ├── Garbled              UPSTREAM_GARBLED       an answer, but not what the system answers
    └── Declined             UPSTREAM_DECLINED      a clear no that coordination decides about
        ├── Stale                the store has another version (409, 412)
        ├── Unfit                the store takes no such resource (400, 422)
        ├── WriteRefused         the drafts table takes no such row: a constraint, a type, a trigger is against it
        └── Gone                 task, instance or lock is not there (any longer)
"""

from enum import StrEnum

OWN_WORDS = "; the system says: "  # between a message and an upstream's own words
OVERLOADED = "OVERLOADED"  # the code of what may be asked again in a moment


class UserErrorCode(StrEnum):
    """What a user can mend. Each is described in the schema (`schema/user_error.py`)."""

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
    """The root of the tree above. Can be sent between processes, whatever its constructor takes."""

    def __reduce__(self) -> tuple[object, ...]:
        return _again, (type(self), self.args, self.__dict__)


def _again(kind: type[ApprovalApiError], args: tuple[object, ...], fields: dict[str, object]) -> ApprovalApiError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(fields)
    return error


class Refused(ApprovalApiError):
    """What was asked is not to be done, and the user can read why. Nothing was changed.

    `process_id` names the approval that stands in the way, where there is one.
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
    """The request does not say who asks, or says it in a way that is not accepted; the message tells no more of it.

    `reason` is for the log. `token_refused`: something was offered and is no good (RFC 6750, section 3.1).
    """

    def __init__(self, message: str, *, reason: str = "", token_refused: bool = False) -> None:
        super().__init__(message)
        self.reason = reason or "nothing offered"
        self.token_refused = token_refused


class OverLimit(ApprovalApiError):
    """The request asks more than this service does at once, or what it does not do for anybody; nothing was done."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Misconfigured(ApprovalApiError):
    """A setting, table or column is not as the service needs it; the text names it and says what it should be."""

    code = "MISCONFIGURED"


class UpstreamFailed(ApprovalApiError):
    """One of the three systems did not do what it was asked. `upstream`: retool, camunda or aidbox.

    `detail` is what the system says itself where clients are not to read that: it reaches log and incident alone.
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
        """The message with the system's own words, for log and incident; `told_of` takes them off again."""
        return f"{self.message}{OWN_WORDS}{self.detail}" if self.detail else self.message


class Unreachable(UpstreamFailed):
    """No connection could be made, or it broke before the whole answer was there."""

    code = "UPSTREAM_UNREACHABLE"
    retryable = True


class TimedOut(UpstreamFailed):
    """No answer within the deadline. A write may have happened all the same: read, then decide."""

    code = "UPSTREAM_TIMEOUT"
    retryable = True


class Denied(UpstreamFailed):
    """401: the service's own credentials are not accepted. 403: what they stand for may not do this."""

    code = "UPSTREAM_DENIED"


class Busy(UpstreamFailed):
    """429 or 503: it asks to be left alone for a while, `pause` seconds if it says how long."""

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
    """A success that is not in the system's own form: HTML from a proxy, half a body, a missing field."""

    code = "UPSTREAM_GARBLED"


class Declined(UpstreamFailed):
    """A clear no for a reason in the request; `message` is the system's own words."""

    code = "UPSTREAM_DECLINED"


class Stale(Declined):
    """The store holds another version than the write named, or two writes met: read again, then decide."""


class Unfit(Declined):
    """The store does not take this resource; `message` says why."""


class WriteRefused(Declined):
    """The drafts table takes no such row, or has not kept what was written; somebody has to mend the table.

    `columns`: those of ours that it is about. `is_taken`: by a rule of uniqueness. `position`: of a value that the
    database can not hold.
    """

    def __init__(
        self, upstream: str, message: str, *, detail: str = "", is_taken: bool = False, position: int | None = None
    ) -> None:
        super().__init__(upstream, message, detail=detail)
        self.columns: tuple[str, ...] = ()
        self.is_taken = is_taken
        self.position = position


class Gone(Declined):
    """What the request named is not there any longer, or belongs to somebody else by now."""


def told_of(incident: str | None) -> str | None:
    """What a client may read of an incident: the message without an upstream's own words."""
    return incident.partition(OWN_WORDS)[0] if incident else incident
