"""What the doctor says: one line each, and how bad it is. Also how a failed question is told."""

import re
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from api.errors import Denied, Garbled, TimedOut, Unreachable, UpstreamFailed


class Grade(StrEnum):
    """WRONG keeps something from working; WARNING may be meant so, or could not be found out."""

    OK = "ok"
    WARNING = "warning"
    WRONG = "wrong"


@dataclass(frozen=True)
class Finding:
    """One line: what was looked at, how it is, and what was seen; with what to do, unless it is right."""

    grade: Grade
    subject: str
    message: str


def ok(subject: str, message: str) -> Finding:
    """Right as it is."""
    return Finding(Grade.OK, subject, message)


def warning(subject: str, message: str) -> Finding:
    """Worth a look."""
    return Finding(Grade.WARNING, subject, message)


def wrong(subject: str, message: str) -> Finding:
    """To be mended."""
    return Finding(Grade.WRONG, subject, message)


def failure(subject: str, failed: UpstreamFailed, *, address: str, url_rule: str, credentials: str) -> Finding:
    """A question over HTTP that got no answer. `url_rule` says what the URL should be, `credentials` which settings."""
    match failed:
        case Denied() if failed.status == 403:
            message = (
                f"a permission or a policy there refuses it to this service (status 403); see {credentials} for whom"
            )
        case Denied():
            message = f"does not accept this service's credentials (status {failed.status}): see {credentials}"
        case TimedOut():
            message = f"does not answer in time at {address}"
        case Unreachable():
            message = f"can not be reached at {address}: does it run? {url_rule}"
        case Garbled():
            message = f"something else answers at {address}: {url_rule}"
        case _ if failed.status == 404:
            message = f"something else answers at {address}: {url_rule}"
        case _:
            message = failed.message
    return wrong(subject, message)


def address_of(url: str) -> str:
    """An HTTP address for people to read: no user, no password, no query; nothing at all of a doubtful one."""
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    if not re.fullmatch(r"[^:@]+(:[0-9]+)?|\[[0-9a-fA-F:.]+\](:[0-9]+)?", place) or "@" in parts.path:
        return "its address"
    return f"{parts.scheme}://{place}{parts.path}"
