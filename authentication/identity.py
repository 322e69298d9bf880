"""Identity: the viewer of a request, the format of ids of people, and when two ids name one person."""

import re
import unicodedata
from dataclasses import dataclass

LONGEST_ID = 255
USABLE = f"1 to {LONGEST_ID} printable characters, and no placeholder"
# Placeholders that templates and scripts send where nobody is signed in: whole ids, and signs that are in no id.
_EMPTY = r"(?:undefined|null|none|nil|nan|\[object \w+\])"
_PLACEHOLDER = re.compile(
    rf"{_EMPTY}(?:[\s.,:@_-]+{_EMPTY})*|.*(?:\{{\{{|\}}\}}|\{{%|[$#]\{{|\$\(|<%|%>|%\().*", re.IGNORECASE
)


@dataclass(frozen=True)
class Viewer:
    """The person a request acts for. `acts_for_others`: may name another person to act for.

    `acted_by`: the person who sent the request on their behalf. `is_program`: a gateway with a trusted key sent it,
    which is nobody; it is responsible for the person it names. `key`: the name of the gateway's key, if one was used.
    """

    id: str
    groups: frozenset[str] = frozenset()
    name: str | None = None
    is_admin: bool = False
    is_auditor: bool = False
    acts_for_others: bool = False
    acted_by: str | None = None
    is_program: bool = False
    key: str | None = None

    @property
    def people(self) -> tuple[str, ...]:
        """The people who take part in an action: for whom it is done, and by whom."""
        return (self.id,) if self.acted_by is None else (self.id, self.acted_by)


def same_person(one: str | None, other: str | None) -> bool:
    """Whether two ids name one person. Width, case and surrounding blanks do not count; None and blanks name nobody."""
    return one is not None and other is not None and canonical(one) == canonical(other) != ""


def canonical(user_id: str) -> str:
    """The form in which ids are compared, never that in which they are stored: RFC 8265, section 3.3.

    UsernameCaseMapped: compatible forms are equal, and case is mapped by `lower`; `casefold` would take strauß for
    strauss. Lowering may undo the normal form, so the text is normalised again.
    """
    lowered = unicodedata.normalize("NFKC", user_id).strip().lower()
    return unicodedata.normalize("NFKC", lowered)


def usable_id(given: str) -> str | None:
    """An id without surrounding blanks; None if it is empty, too long, a placeholder, or not printable."""
    user_id = given.strip()
    is_usable = user_id and utf16_length(user_id) <= LONGEST_ID and user_id.isprintable()
    return user_id if is_usable and not is_placeholder(user_id) else None


def is_placeholder(text: str) -> bool:
    """Whether this is a placeholder instead of an id: `undefined`, `{{ current_user.email }}`, `[object Object]`."""
    return _PLACEHOLDER.fullmatch(canonical(text)) is not None


def utf16_length(text: str) -> int:
    """The length in UTF-16 code units, as Oracle, SQL Server and Java count: an emoji is two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
