"""The errors of the server: requests that it refuses before or instead of executing them."""

from collections.abc import Mapping

OVERLOADED = "OVERLOADED"  # the code of requests that may be retried in a moment
RETRY_AFTER = {"Retry-After": "1"}  # seconds


class OverLimit(Exception):
    """A request over a limit, or for something that is switched off. Nothing was executed."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class HttpRefusal(Exception):
    """A request that is not executed: the HTTP status, the message and the code that say why.

    `more`: further extensions of the GraphQL error.
    """

    def __init__(
        self,
        status: int,
        message: str,
        headers: Mapping[str, str] | None = None,
        *,
        code: str = "BAD_REQUEST",
        more: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers or {}
        self.code = code
        self.more = more or {}
