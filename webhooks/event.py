"""An event, and its bodies: a CloudEvent in structured mode, or a message for Slack or Teams. Pure.

The envelope of a CloudEvent is eight members of a JSON object; a library for it would bring its own HTTP bindings and
not remove a line.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from webhooks.receivers import Format

CLOUD_EVENT = "application/cloudevents+json; charset=utf-8"
JSON = "application/json; charset=utf-8"


@dataclass(frozen=True)
class Event:
    """What happened. `id`: the same in each delivery and each repeat of this event.

    `type`, `source`, `subject`: of the CloudEvent. `title`: a sentence for people; `link`: where they find more.
    """

    id: str
    type: str
    source: str
    subject: str
    time: datetime
    data: Mapping[str, object]
    title: str
    link: str | None = None


def body_of(event: Event, written_as: Format) -> tuple[str, str]:
    """The media type and the body of an event. The same event has the same body, letter by letter."""
    media_type, made = _FORMATS[written_as]
    return media_type, msgspec.json.encode(made(event)).decode()


def _cloud_event(event: Event) -> dict[str, object]:
    """CloudEvents 1.0, JSON format (cloudevents/formats/json-format.md, section 3)."""
    return {
        "specversion": "1.0",
        "id": event.id,
        "type": event.type,
        "source": event.source,
        "subject": event.subject,
        "time": event.time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "data": event.data,
    }


def _slack(event: Event) -> dict[str, object]:
    """Of Slack's incoming webhooks: mrkdwn, in which three characters are escaped."""
    text = event.title.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return {"text": f"{text}\n<{event.link}|Open>" if event.link else text}


def _teams(event: Event) -> dict[str, object]:
    """Of Teams' workflows: an Adaptive Card. Markdown in the title is shown as it is written."""
    card: dict[str, object] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [{"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": event.title}]}],
    }
    if event.link:
        card["actions"] = [{"type": "Action.OpenUrl", "title": "Open", "url": event.link}]
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


_FORMATS: Mapping[Format, tuple[str, Callable[[Event], dict[str, object]]]] = {
    "standard": (CLOUD_EVENT, _cloud_event),
    "slack": (JSON, _slack),
    "teams": (JSON, _teams),
}
