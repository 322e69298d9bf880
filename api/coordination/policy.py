"""The few settings that the verbs and external tasks depend on, read from all of them once."""

import msgspec

from api.settings import Settings


class Policy(msgspec.Struct, frozen=True):
    """What operators decide about approvals; each is described among the settings. Times are in seconds."""

    allow_own_approval: bool
    allow_rule_decisions: bool
    max_open_drafts: int
    max_plan_bytes: int
    aidbox_keeps_digits: bool
    validate_plans: bool
    require_validation: bool
    plan_profile: str | None
    publish_retries: int
    webhook_urls: tuple[object, ...]
    settle_seconds: float
    lock_seconds: float


def policy_of(settings: Settings) -> Policy:
    """The policy that these settings say."""
    return msgspec.convert(settings, Policy, from_attributes=True)
