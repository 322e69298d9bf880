"""What holds for every delivery of a webhook, by the settings."""

from api.errors import Misconfigured
from api.settings import Settings
from api.telemetry import SERVICE
from resilience.tls import secure_context
from webhooks import AddressRefused, Limits, demand_public

SECONDS = 10.0  # of a delivery; less than the time that LOCK_SECONDS leaves for it


def limits_of(settings: Settings) -> Limits:
    """The limits, with the authorities of TLS_CA_FILE."""
    return Limits(SECONDS, settings.webhook_private_hosts, secure_context(settings.tls_ca_file, None, None), SERVICE)


async def demand_public_receivers(settings: Settings) -> None:
    """Refuse to start with a receiver whose host has a private address now. Raises Misconfigured."""
    try:
        await demand_public(settings.webhook_urls, private=settings.webhook_private_hosts, seconds=SECONDS)
    except AddressRefused as refused:
        raise Misconfigured(f"WEBHOOK_URLS is wrong: {refused}; WEBHOOK_PRIVATE_HOSTS names hosts that may") from None
