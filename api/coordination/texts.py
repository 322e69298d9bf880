"""Checks on what people write into inputs. Pure; used by the verbs."""

from api.errors import Refused, UserErrorCode

LONGEST_COMMENT = 1500  # with its quoting it must fit a string variable of the engine (4000 characters)


def checked_comment(comment: str | None) -> str | None:
    """The comment without surrounding blanks, None when nothing is left. Raises Refused (INVALID)."""
    text = (comment or "").strip()
    if len(text) > LONGEST_COMMENT:
        raise Refused(UserErrorCode.INVALID, f"A comment has at most {LONGEST_COMMENT} characters.", field="comment")
    if any(not (character.isprintable() or character in "\n\t") for character in text.replace("\r\n", "\n")):
        raise Refused(UserErrorCode.INVALID, "A comment is plain text without control characters.", field="comment")
    return text or None
