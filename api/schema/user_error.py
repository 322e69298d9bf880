"""The type UserError, in `userErrors` of every payload, and its codes: what a user can correct."""

from enum import Enum

import strawberry

from api.errors import Refused


@strawberry.enum(description="What is wrong, for programs; `message` says it for people.")
class UserErrorCode(Enum):
    """The codes of errors.UserErrorCode, each with its description."""

    NOT_FOUND = strawberry.enum_value("NOT_FOUND", description="It does not exist, or the viewer may not see it.")
    FORBIDDEN = strawberry.enum_value("FORBIDDEN", description="The viewer may not do this.")
    INVALID = strawberry.enum_value("INVALID", description="An input has an invalid value.")
    INVALID_PLAN = strawberry.enum_value(
        "INVALID_PLAN", description="The draft's plan is not an InsurancePlan that can be published."
    )
    TOO_MANY_DRAFTS = strawberry.enum_value(
        "TOO_MANY_DRAFTS", description="The viewer has reached the limit of drafts that were never submitted."
    )
    ALREADY_SUBMITTED = strawberry.enum_value(
        "ALREADY_SUBMITTED", description="The draft is already in approval, with other content or another publishAt."
    )
    NOT_SUBMITTED = strawberry.enum_value(
        "NOT_SUBMITTED", description="The draft is not in approval, or its publication has not failed."
    )
    NOT_SCHEDULED = strawberry.enum_value(
        "NOT_SCHEDULED", description="The plan does not wait for its publication; the message says where it stands."
    )
    ALREADY_CLAIMED = strawberry.enum_value("ALREADY_CLAIMED", description="Somebody else has claimed the task.")
    ALREADY_DECIDED = strawberry.enum_value(
        "ALREADY_DECIDED", description="It is already decided; the message says by whom and when."
    )
    OWN_SUBMISSION = strawberry.enum_value(
        "OWN_SUBMISSION", description="Whoever submitted a plan cannot decide it (four-eyes principle)."
    )
    SUSPENDED = strawberry.enum_value(
        "SUSPENDED", description="An operator has suspended the process in the engine; until it is activated, it waits."
    )
    STALE_REVISION = strawberry.enum_value(
        "STALE_REVISION", description="The draft has changed since the revision you looked at."
    )
    DRAFT_CHANGED = strawberry.enum_value(
        "DRAFT_CHANGED", description="The draft was changed while this was being done."
    )
    VERSION_CONFLICT = strawberry.enum_value(
        "VERSION_CONFLICT", description="The plan in the store is not the version this was based on."
    )


@strawberry.type(description="One thing the user can correct. Where there is one, nothing was changed.")
class UserError:
    """A refusal (errors.Refused) as clients see it."""

    code: UserErrorCode = strawberry.field(description="For programs.")
    message: str = strawberry.field(description="For people: what is wrong, and what to do about it.")
    field: str | None = strawberry.field(description="The input field it is about, if it is about one.")


def user_error(refusal: Refused) -> UserError:
    """The UserError of a refusal."""
    return UserError(code=UserErrorCode[refusal.code.name], message=refusal.message, field=refusal.field)
