"""The errors of the server: requests that it refuses before or instead of executing them."""

OVERLOADED = "OVERLOADED"  # the code of requests that may be retried in a moment


class OverLimit(Exception):
    """A request over a limit, or for something that is switched off. Nothing was executed."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
