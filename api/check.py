"""`plan-api check`: a doctor. Looks at each system and says line by line what is right and what is wrong.

Called by the command line alone.
"""

from dataclasses import dataclass

from api.settings import Settings


@dataclass(frozen=True)
class Finding:
    """One line: what was looked at, whether it is right, and what was seen."""

    subject: str
    is_right: bool
    told: str


async def run_checks(settings: Settings) -> list[Finding]:
    """Everything that can be looked at without changing anything."""
    return []
