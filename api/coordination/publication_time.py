"""When an approved plan is to be published: validation of the instants people give, and words about them. Pure."""

from datetime import UTC, datetime, timedelta

from api.errors import Refused, UserErrorCode

FARTHEST = timedelta(days=3653)
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)


def checked_publish_at(publish_at: datetime | None) -> datetime | None:
    """The instant as the engine stores it, in whole milliseconds. One that is past means at once.

    Raises Refused (INVALID) for one more than ten years ahead, most likely a slip of the pen.
    """
    if publish_at is None:
        return None
    if publish_at - datetime.now(UTC) > FARTHEST:
        message = "publishAt may be at most ten years ahead; check its year."
        raise Refused(UserErrorCode.INVALID, message, field="publishAt")
    return max(publish_at.replace(microsecond=publish_at.microsecond // 1000 * 1000), EARLIEST)


def is_ahead(publish_at: datetime | None) -> bool:
    """Whether a publication is to wait, by this machine's clock; the engine goes by its own."""
    return publish_at is not None and publish_at > datetime.now(UTC)


def at_time(publish_at: datetime | None) -> str:
    """For messages: `at 2027-01-01 05:00 UTC`, or `at once`."""
    return f"at {publish_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if publish_at else "at once"
