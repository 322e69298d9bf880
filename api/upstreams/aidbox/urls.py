"""The URLs of versions and histories, for entries of a batch."""

from datetime import UTC, datetime

HEADER = "id,meta,name,status"  # for `_elements`


def version_url(plan_id: str, version_id: str, *, with_document: bool) -> str:
    """The URL of a version."""
    return f"InsurancePlan/{plan_id}/_history/{version_id}" + ("" if with_document else f"?_elements={HEADER}")


def history_url(plan_id: str, limit: int, *, with_document: bool) -> str:
    """The URL of a history.

    Without `_since`, HAPI counts versions once a minute and leaves out what came since.
    """
    everything = f"InsurancePlan/{plan_id}/_history?_count={limit}&_since=1970-01-01T00:00:00Z"
    return everything if with_document else f"{everything}&_elements={HEADER}"


def url_at(plan_id: str, instant: datetime, *, with_document: bool) -> str:
    """The URL of what was current at an instant. With `_count` HAPI finds nothing."""
    when = instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    at = f"InsurancePlan/{plan_id}/_history?_at={when}"
    return at if with_document else f"{at}&_elements={HEADER}"
