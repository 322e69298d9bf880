"""What the documents leave open or leave to an installation: `Switches`, a parameter of the emulation."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

SERVICE_AGENT = "plan-api"  # what the service under test calls itself in User-Agent


class Operation(StrEnum):
    """What an access policy allows. Ids that no document names are made like the others."""

    READ = "FhirRead"
    VREAD = "FhirVread"
    HISTORY = "FhirHistory"
    SEARCH = "FhirSearch"
    CREATE = "FhirCreate"
    UPDATE = "FhirUpdate"
    DELETE = "FhirDelete"
    TRANSACTION = "FhirTransaction"
    VALIDATE = "FhirValidate"
    METADATA = "FhirMetadata"


WRITES = frozenset({Operation.CREATE, Operation.UPDATE, Operation.DELETE})
Failing = Callable[[Operation, str], int | None]


def nothing_fails(_operation: Operation, _path: str) -> int | None:
    """No operation is made to fail."""
    return None


@dataclass(frozen=True)
class Switches:
    """One reading of the documents, and one installation.

    `client`: id and secret that Basic authentication asks for; None lets everybody in. `denied`: what no policy allows.
    `failing`: the status with which an operation on a path fails, as a request or as an entry of a batch.
    `clashes`: the share of the service's writes that are refused as serialization clashes, drawn by `seed`.
    `keeps_digits`: False makes doubles of decimals (1500.00 → 1500.0). `base_url`: BOX_WEB_BASE_URL, in links.
    `diagnostics`: how a validation's issues carry their words, if they do.
    """

    client: tuple[str, str] | None = None
    denied: frozenset[Operation] = frozenset()
    failing: Failing = nothing_fails
    has_history: bool = True
    has_post_search: bool = True
    takes_elements_of_versions: bool = True
    takes_if_match_where_nothing_is: bool = True
    success_entries_have_response: bool = False
    keeps_digits: bool = True
    diagnostics: Literal["text", "object", "absent"] = "text"
    clashes: float = 0.0
    seed: int = 1
    base_url: str = "https://aidbox.example.com/fhir"


# Two readings of what the documents leave open, for `--store`.
READINGS: Mapping[str, Switches] = {
    "aidbox-like": Switches(),
    "aidbox-like-strict": Switches(
        takes_if_match_where_nothing_is=False, success_entries_have_response=True, diagnostics="object", clashes=0.1
    ),
}
