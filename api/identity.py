"""Who asks, once it is known: the viewer, and when two ids name one person. Asked by coordination and schema.

How a request says who asks, and whether it is believed, is `authentication`'s matter.
"""

import re
import unicodedata
from dataclasses import dataclass

LONGEST_ID = 255
USABLE = f"1 to {LONGEST_ID} printable characters, and no placeholder"
# What templates and scripts leave behind where nobody is signed in. Whole ids, and signs that are in no id.
_EMPTY = r"(?:undefined|null|none|nil|nan|\[object \w+\])"
_PLACEHOLDER = re.compile(
    rf"{_EMPTY}(?:[\s.,:@_-]+{_EMPTY})*|.*(?:\{{\{{|\}}\}}|\{{%|[$#]\{{|\$\(|<%|%>|%\().*", re.IGNORECASE
)


@dataclass(frozen=True)
class Viewer:
    """The person a request acts for. `acts_for_others`: may name somebody else in an input's `userId`.

    `acted_by`: who really asks, where that is another person. `is_program`: a gateway with a trusted key asks, which is
    nobody; it answers for whom it names.

    Groups count by their names; the administrators' and the auditors' are known here already. `key`: the name of the
    gateway's key that vouched for the person, where one did.
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
        """The persons who have a part in what is done: for whom, and by whom."""
        return (self.id,) if self.acted_by is None else (self.id, self.acted_by)


def same_person(one: str | None, other: str | None) -> bool:
    """Whether two ids name one person: width, case and surrounding blanks do not make another one.

    Nothing and blanks name nobody.
    """
    return one is not None and other is not None and canonical(one) == canonical(other) != ""


def canonical(user_id: str) -> str:
    """The form in which ids are compared, never the form in which they are stored.

    By RFC 8265, section 3.3 (UsernameCaseMapped): compatible forms are one, lower case is what case means. It is not
    `casefold`, which takes strauß for strauss. Lowering may undo the normal form, so that comes last as well.
    """
    lowered = unicodedata.normalize("NFKC", user_id).strip().lower()
    return unicodedata.normalize("NFKC", lowered)


def usable_id(given: str) -> str | None:
    """An id without surrounding blanks; None when it is empty, too long, a placeholder, or can not be seen whole."""
    user_id = given.strip()
    is_usable = user_id and utf16_length(user_id) <= LONGEST_ID and user_id.isprintable()
    return user_id if is_usable and not is_placeholder(user_id) else None


def is_placeholder(text: str) -> bool:
    """Whether this stands where a name should: `undefined`, `{{ current_user.email }}`, `[object Object]`."""
    return _PLACEHOLDER.fullmatch(canonical(text)) is not None


def utf16_length(text: str) -> int:
    """The length as Oracle, SQL Server and Java count it: a character outside the basic plane (an emoji) is two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
