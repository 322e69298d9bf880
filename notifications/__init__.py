"""Notifications of approvals: the work of the process benefit-notification, which `plan-api`'s worker carries out.

`notification_work` and `demand_public_receivers` are all that the service needs of it.
"""

from notifications.limits import demand_public_receivers
from notifications.topics import notification_work

__all__ = ["demand_public_receivers", "notification_work"]
