"""Validation of the comments that people write with a submission, with a decision or beside them. Pure."""

from api.errors import Refused, UserErrorCode
from api.upstreams.camunda.process_variables import excess_length

LONGEST_COMMENT = 1500


def checked_comment(comment: str | None, *, field: str = "comment") -> str | None:
    """The comment without surrounding blanks; None for an empty one. Raises Refused (INVALID)."""
    text = (comment or "").strip()
    if len(text) > LONGEST_COMMENT:
        raise Refused(
            UserErrorCode.INVALID,
            f"A comment may have at most {LONGEST_COMMENT} characters; shorten it.",
            field=field,
        )
    if any(not (character.isprintable() or character in "\n\t") for character in text.replace("\r\n", "\n")):
        raise Refused(UserErrorCode.INVALID, "A comment must be plain text without control characters.", field=field)
    return text or None


def demand_short(value: str | None, *, field: str = "comment") -> None:
    """Refuse a comment that is too long for the process variable it is stored in, in the encoding used there.

    Raises Refused (INVALID).
    """
    if value is not None and (excess := excess_length(value)):
        message = (
            f"The comment is {excess} characters too long for the engine, where line breaks, quotes, backslashes and "
            "emoji count as two; shorten it, or use fewer of these."
        )
        raise Refused(UserErrorCode.INVALID, message, field=field)
