"""The variables of the process that notifies receivers of webhooks, beside those that its approval had at the event."""

from datetime import datetime

import msgspec


class NotificationVariables(
    msgspec.Struct, frozen=True, omit_defaults=True, rename=lambda name: f"notification_{name}"
):
    """`of`: the approval. `receivers`: names, separated by commas. `tasks`: those that wait, as a JSON list."""

    event: str = ""
    of: str = ""
    time: datetime | None = None
    receivers: str | None = None
    count: int | None = None
    tasks: str | None = None
