"""For whom the request under way is carried out: the caller, among whom what is scarce is shared fairly.

It travels with the task, like the request's deadline. None: the worker, or what the service does on its own account.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_caller: ContextVar[str | None] = ContextVar("caller", default=None)


@contextmanager
def asked_by(caller: str) -> Iterator[None]:
    """What is done in the block counts as this caller's, also in tasks begun there."""
    token = _caller.set(caller)
    try:
        yield
    finally:
        _caller.reset(token)


def present_caller() -> str | None:
    """The caller of the request under way."""
    return _caller.get()
