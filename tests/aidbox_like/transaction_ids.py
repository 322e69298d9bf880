"""Version ids as Aidbox makes them: one sequence for all resources, with gaps, never two in a row."""

import random
from dataclasses import dataclass, field

FIRST = 178_246
LARGEST_GAP = 40


@dataclass
class TransactionIds:
    """The sequence, and which of its numbers each version of HAPI's became.

    HAPI counts a resource's versions from 1, deletions too. So a resource's numbers are a list, and a version's place
    in it is known. Versions older than the one first seen get theirs with it, in their order.
    """

    seed: int = 1
    _last: int = FIRST
    _issued: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311  # gaps, not secrets

    def of(self, address: str, version: int) -> str:
        """The id of HAPI's version of `Type/id`."""
        issued = self._issued.setdefault(address, [])
        while len(issued) < version:
            self._last += self._random.randint(2, LARGEST_GAP)
            issued.append(str(self._last))
        return issued[version - 1]

    def version(self, address: str, transaction_id: str) -> int | None:
        """HAPI's version that got this id; None if no version of the resource that was seen did."""
        issued = self._issued.get(address, [])
        return issued.index(transaction_id) + 1 if transaction_id in issued else None
