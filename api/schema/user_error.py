"""What a user can mend: `UserError`, in the `userErrors` of every payload."""

from enum import Enum

import strawberry

from api.errors import Refused


@strawberry.enum(description="What is wrong with what was asked, for programs; `message` says it for people.")
class UserErrorCode(Enum):
    """The codes of errors.UserErrorCode, each with its description."""

    NOT_FOUND = strawberry.enum_value(
        "NOT_FOUND", description="There is no such thing, or none the viewer may know of."
    )
    FORBIDDEN = strawberry.enum_value("FORBIDDEN", description="The viewer may not do this.")
    INVALID = strawberry.enum_value("INVALID", description="An input has a value that can not be taken.")
    INVALID_PLAN = strawberry.enum_value(
        "INVALID_PLAN", description="The draft's plan is no InsurancePlan that could be published."
    )
    TOO_MANY_DRAFTS = strawberry.enum_value(
        "TOO_MANY_DRAFTS", description="The viewer has as many drafts that were never submitted as there can be."
    )
    ALREADY_SUBMITTED = strawberry.enum_value(
        "ALREADY_SUBMITTED", description="The draft is in approval already, with other content than it has now."
    )
    NOT_SUBMITTED = strawberry.enum_value(
        "NOT_SUBMITTED", description="The draft is not in approval, or nothing of it has stopped."
    )
    ALREADY_CLAIMED = strawberry.enum_value("ALREADY_CLAIMED", description="Somebody else has claimed the task.")
    ALREADY_DECIDED = strawberry.enum_value(
        "ALREADY_DECIDED", description="It is decided already; the message says by whom and when."
    )
    OWN_SUBMISSION = strawberry.enum_value(
        "OWN_SUBMISSION", description="Whoever submitted a plan can not decide it (four eyes)."
    )
    SUSPENDED = strawberry.enum_value(
        "SUSPENDED", description="An operator has suspended the process in the engine; until it is activated, it waits."
    )
    STALE_REVISION = strawberry.enum_value(
        "STALE_REVISION", description="The draft is not the one you looked at: its revision has moved."
    )
    DRAFT_CHANGED = strawberry.enum_value(
        "DRAFT_CHANGED", description="The draft was changed while this was being done."
    )
    VERSION_CONFLICT = strawberry.enum_value(
        "VERSION_CONFLICT", description="The plan in the store is not the version this was based on."
    )


@strawberry.type(description="One thing the user can mend. Nothing was changed where there is one.")
class UserError:
    """A Refused, as clients see it."""

    code: UserErrorCode = strawberry.field(description="For programs.")
    message: str = strawberry.field(description="For people: what is wrong, and where it helps, what to do.")
    field: str | None = strawberry.field(description="The field of the input it is about, if it is about one.")


def user_error(refusal: Refused) -> UserError:
    """The error a client reads for a refusal."""
    return UserError(code=UserErrorCode[refusal.code.name], message=refusal.message, field=refusal.field)
