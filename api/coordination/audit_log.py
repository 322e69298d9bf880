"""The audit log: one line for every mutation, whether done, refused or failed, and for every read that was hidden.

A line names the viewer, the operation, its outcome and ids; nothing of drafts, comments or tokens.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from api.errors import Refused, UpstreamFailed
from authentication.identity import Viewer

LONGEST = 100  # characters of an id; clients may send anything as one

_log = logging.getLogger("api.audit")


def audit(viewer: Viewer, what: str, outcome: str, *, code: str | None = None, **named: object) -> None:
    """Write a line. `outcome`: done, refused or failed. `named`: the ids, by the names they have in inputs.

    `key`: the gateway's key that vouched for the viewer, where one did.
    """
    line = {"viewer": viewer.id, "key": viewer.key, "what": what, "outcome": outcome, "code": code, **named}
    _log.info("audit", extra={name: _short(value) for name, value in line.items() if value is not None})


@contextmanager
def audited(viewer: Viewer, what: str, **named: object) -> Iterator[dict[str, object]]:
    """A line about the block, whatever becomes of it. It may name further ids, and set `outcome` and `code`."""
    more: dict[str, object] = {}
    try:
        yield more
    except Refused as refusal:
        audit(viewer, what, "refused", code=refusal.code.value, **named)
        raise
    except BaseException as failure:
        code = failure.code if isinstance(failure, UpstreamFailed) else type(failure).__name__
        audit(viewer, what, "failed", code=code, **named)
        raise
    words = {"outcome": "done", **named, **more}
    audit(viewer, what, **words)  # type: ignore[arg-type]  # `outcome` and `code` are texts


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
