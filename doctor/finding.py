"""The findings of `plan-api check`: one line each with its grade, and the finding for a failed call."""

import re
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from api.errors import Denied, Garbled, TimedOut, Unreachable, UpstreamFailed


class Grade(StrEnum):
    """The grade of a finding. WRONG: something does not work. WARNING: it may be intended, or is unknown."""

    OK = "ok"
    WARNING = "warning"
    WRONG = "wrong"


@dataclass(frozen=True)
class Finding:
    """One line of the report: what was checked, its grade, what was found, and what to do unless it is right."""

    grade: Grade
    subject: str
    message: str


def ok(subject: str, message: str) -> Finding:
    """A finding that is right."""
    return Finding(Grade.OK, subject, message)


def warning(subject: str, message: str) -> Finding:
    """A finding that deserves a look."""
    return Finding(Grade.WARNING, subject, message)


def wrong(subject: str, message: str) -> Finding:
    """A finding that must be corrected."""
    return Finding(Grade.WRONG, subject, message)


def failure(subject: str, failed: UpstreamFailed, *, address: str, url_rule: str, credentials: str) -> Finding:
    """The finding for a failed HTTP call. `url_rule`: what the URL should be. `credentials`: settings to look at."""
    match failed:
        case Denied() if failed.status == 403:
            message = f"a permission or policy there refuses this service (status 403): see {credentials}"
        case Denied():
            message = f"does not accept this service's credentials (status {failed.status}): see {credentials}"
        case TimedOut():
            message = f"does not answer in time at {address}"
        case Unreachable():
            message = f"cannot be reached at {address}: does it run? {url_rule}"
        case Garbled():
            message = f"something else answers at {address}: {url_rule}"
        case _ if failed.status == 404:
            message = f"something else answers at {address}: {url_rule}"
        case _:
            message = failed.message
    return wrong(subject, message)


def address_of(url: str) -> str:
    """An HTTP address for display: without user, password and query; nothing at all of a malformed one."""
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    if not re.fullmatch(r"[^:@]+(:[0-9]+)?|\[[0-9a-fA-F:.]+\](:[0-9]+)?", place) or "@" in parts.path:
        return "its address"
    return f"{parts.scheme}://{place}{parts.path}"
