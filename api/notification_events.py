"""The events of an approval that webhooks tell of; process models name them where they throw the signal."""

WAITING, REMINDER, WITHDRAWN, FAILED, TEST = "waiting", "reminder", "withdrawn", "failed", "test"
SUBMITTED = "submitted"
EVENTS = (
    *(SUBMITTED, WAITING, REMINDER, "decided", "scheduled"),
    *("published", "rejected", "returned", "conflict", WITHDRAWN, FAILED),
)
