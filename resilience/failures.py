"""The ways in which a call to another system fails, as exceptions. They can be pickled.

ServiceError
├── Misconfigured        a setting or a table is wrong
└── UpstreamFailed       the system did not do what was asked
    ├── Unreachable          no connection, or it broke
    ├── TimedOut             no answer in time; a write may have happened
    ├── Denied               our credentials were refused, or lack a permission
    ├── Busy                 429 or 503, or all its slots here are taken
    ├── Garbled              an answer that the system itself would not give
    └── Declined             a clear refusal of this request
        ├── Stale                another version is there than the write named
        ├── Unfit                the content is not accepted
        ├── WriteRefused         a table does not accept the row
        │   └── Unstorable           a text has a character that the database's encoding has not
        └── Gone                 what was named does not exist (any longer)
"""


class ServiceError(Exception):
    """The root of all errors that a service raises on purpose. Can be pickled, whatever its constructor takes."""

    def __reduce__(self) -> tuple[object, ...]:
        return _again, (type(self), self.args, self.__dict__)


def _again(kind: type[ServiceError], args: tuple[object, ...], fields: dict[str, object]) -> ServiceError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(fields)
    return error


class Misconfigured(ServiceError):
    """A setting, table or column that is not as the service needs it; the text names it and says what it should be."""

    code = "MISCONFIGURED"


class UpstreamFailed(ServiceError):
    """A failed call to another system. `upstream`: the system's name.

    `detail`: the system's own words, where clients must not read them.
    """

    code = "UPSTREAM_FAILED"
    retryable = False

    def __init__(self, upstream: str, message: str, *, status: int | None = None, detail: str = "") -> None:
        super().__init__(message)
        self.upstream = upstream
        self.message = message
        self.status = status
        self.detail = detail


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
    """The system holds another version than the write named, or two writes met: read again, then decide."""


class Unfit(Declined):
    """The system does not accept this content; `message` says why."""


class WriteRefused(Declined):
    """A table does not accept a row, or has not stored what was written; somebody has to change the table.

    `columns`: those that are concerned. `is_taken`: a unique constraint refused it.
    """

    def __init__(self, upstream: str, message: str, *, detail: str = "", is_taken: bool = False) -> None:
        super().__init__(upstream, message, detail=detail)
        self.columns: tuple[str, ...] = ()
        self.is_taken = is_taken


class Unstorable(WriteRefused):
    """A text has a character that the database's encoding does not have. `position`: of the text among the values."""

    def __init__(self, upstream: str, message: str, *, position: int, detail: str = "") -> None:
        super().__init__(upstream, message, detail=detail)
        self.position = position


class Gone(Declined):
    """What the request named does not exist any longer, or belongs to somebody else by now."""
