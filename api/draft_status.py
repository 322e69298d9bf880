"""The statuses of a draft, and what a drafts table of a team's own calls them. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

DRAFT, SUBMITTED = "draft", "submitted"
STATUSES = (SUBMITTED, "approved", "rejected", "returned", "conflict", "withdrawn")  # any other text is a draft's
ALL_STATUSES = (DRAFT, *STATUSES)


@dataclass(frozen=True)
class StatusNames:
    """Our status → the text that stands for it in the table; a status that is not named is called as it is here."""

    names: Mapping[str, str] = field(default_factory=dict)

    def written(self, status: str) -> str:
        """What the table calls a status."""
        return self.names.get(status, status)


OUR_NAMES = StatusNames()


def status_names(entries: Iterable[str]) -> dict[str, str]:
    """`ours:theirs` entries as a mapping. Raises ValueError unless it is one to one, case apart."""
    pairs = [[part.strip() for part in entry.split(":", 1)] for entry in entries]
    names = {pair[0]: pair[-1] for pair in pairs}
    if any(len(pair) < 2 or pair[0] not in ALL_STATUSES or not pair[1] for pair in pairs):
        raise ValueError(f"an entry must be one of {', '.join(ALL_STATUSES)}, a colon and the table's own text")
    if len(names) < len(pairs):
        raise ValueError("each status may be named once")
    texts = [names.get(status, status).lower() for status in ALL_STATUSES]
    if doubled := next((text for text in texts if texts.count(text) > 1), None):
        raise ValueError(f"two statuses would both be {doubled} in the table")
    return names
