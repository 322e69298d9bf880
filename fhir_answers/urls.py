"""URLs of versions and histories, for entries of a batch. `elements`: those that are wanted; None: whole resources."""

from datetime import UTC, datetime


def version_url(address: str, version_id: str, elements: str | None = None) -> str:
    """The URL of a version of a resource, whose address is `Type/id`."""
    return f"{address}/_history/{version_id}" + (f"?_elements={elements}" if elements else "")


def history_url(address: str, limit: int, elements: str | None = None) -> str:
    """The URL of a history, newest first.

    Without `_since`, HAPI counts versions once a minute and leaves out what came since.
    """
    everything = f"{address}/_history?_count={limit}&_since=1970-01-01T00:00:00Z"
    return everything + (f"&_elements={elements}" if elements else "")


def url_at(address: str, instant: datetime, elements: str | None = None) -> str:
    """The URL of what was current at an instant. With `_count` HAPI finds nothing."""
    when = instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return f"{address}/_history?_at={when}" + (f"&_elements={elements}" if elements else "")
