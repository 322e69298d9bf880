"""Webhooks: deliveries of CloudEvents, signed by Standard Webhooks, to receivers that an operator has listed.

It knows nothing of what the events are about, keeps nothing, and never repeats a delivery: who calls it does that.
"""

from webhooks.addresses import AddressRefused, demand_public
from webhooks.delivery import DeliveryFailed, Limits, deliver
from webhooks.event import Event
from webhooks.receivers import Receiver, demand_allowed, receivers_of

__all__ = [
    "AddressRefused",
    "DeliveryFailed",
    "Event",
    "Limits",
    "Receiver",
    "deliver",
    "demand_allowed",
    "demand_public",
    "receivers_of",
]
