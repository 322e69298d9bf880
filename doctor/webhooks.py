"""Webhooks examined: the process that sends them, its permissions, and, when asked, what each receiver answers."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime

from api.notification_events import TEST
from api.settings import Settings
from api.upstreams.camunda.authorizations import READ_INSTANCES, READ_MODEL, START, UPDATE_INSTANCES, missing
from api.upstreams.camunda.client import Camunda
from api.upstreams.camunda.ownership import Ownership
from api.upstreams.camunda.records import NOTIFICATION_KEY
from doctor.deployment import newest_definition
from doctor.finding import Finding, ok, warning, wrong
from notifications.limits import SECONDS, limits_of
from process_models.bpmn import parse, tag
from webhooks import AddressRefused, DeliveryFailed, Event, deliver, demand_public

SUBJECT = "webhooks"


async def look_at_webhooks(camunda: Camunda, settings: Settings) -> list[Finding]:
    """Whether events reach the receivers that are configured; nothing where there is none."""
    if not settings.webhook_urls:
        return []
    own = Camunda(camunda.engine, Ownership(camunda.own.draft_source, NOTIFICATION_KEY))
    lacking = await missing(own, [READ_MODEL, START, READ_INSTANCES, UPDATE_INSTANCES])
    if lacking:
        return [wrong(SUBJECT, f"may not {need.purpose}: grant {need.named([NOTIFICATION_KEY])}") for need in lacking]
    definition = await newest_definition(own, NOTIFICATION_KEY)
    if definition is None:
        return [wrong(SUBJECT, f"{NOTIFICATION_KEY} is not deployed, so nobody is notified: run `plan-api setup`")]
    if definition.suspended:
        return [wrong(SUBJECT, f"{NOTIFICATION_KEY} is suspended, so events are lost: activate it in Cockpit")]
    silent = [key for key in camunda.own.process_keys if await _is_silent(camunda, key)]
    return [*_silent(silent), await _addresses(settings)]


async def _is_silent(camunda: Camunda, key: str) -> bool:
    definition = await newest_definition(camunda, key)
    return definition is not None and NOTIFICATION_KEY not in _signals(await camunda.model(definition.id))


def _signals(model: str) -> str:
    return " ".join(signal.get("name", "") for signal in parse(model).iter(tag("signal")))


def _silent(keys: list[str]) -> Iterator[Finding]:
    for key in keys:
        yield warning(SUBJECT, f"{key} throws no signal {NOTIFICATION_KEY}: only failed publications are notified")


async def _addresses(settings: Settings) -> Finding:
    receivers = settings.webhook_urls
    try:
        await demand_public(receivers, private=settings.webhook_private_hosts, seconds=SECONDS)
    except AddressRefused as refused:
        return wrong(SUBJECT, f"{refused}; WEBHOOK_PRIVATE_HOSTS names hosts that may")
    return ok(SUBJECT, f"sent to {', '.join(receiver.name for receiver in receivers)}")


async def try_receivers(settings: Settings) -> list[Finding]:
    """An event of the type test, sent to each receiver whatever events it asks for, and what came back."""
    if not settings.webhook_urls:
        return [warning(SUBJECT, "WEBHOOK_URLS names no receiver")]
    now = datetime.now(UTC)
    title = "A test of plan-api's webhooks: nothing has happened"
    source, kind = f"/plan-api/{settings.draft_source}", f"plan-api.approval.{TEST}"
    event = Event(str(uuid.uuid4()), kind, source, TEST, now, {"event": TEST}, title)
    findings = []
    for receiver in settings.webhook_urls:
        try:
            findings.append(ok(receiver.name, f"answered {await deliver(receiver, event, limits_of(settings))}"))
        except DeliveryFailed as failure:
            findings.append(wrong(receiver.name, str(failure)))
    return findings
