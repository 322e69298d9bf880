"""The refusal of a request whose viewer is not known."""

from resilience.failures import ServiceError


class Unauthenticated(ServiceError):
    """A request without accepted credentials. The message does not tell more; `reason` is for the log.

    `token_refused`: credentials were offered and are invalid (RFC 6750, section 3.1).
    """

    def __init__(self, message: str, *, reason: str = "", token_refused: bool = False) -> None:
        super().__init__(message)
        self.reason = reason or "nothing offered"
        self.token_refused = token_refused
