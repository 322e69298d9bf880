"""Plans as documents: read from a draft's text, checked, made ready for the store, compared. Pure.

Numbers are Decimal throughout, so that 1500.00 leaves as it came.
"""

import hashlib
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, cast

import msgspec

from plandiff.matching import canonical

Plan = dict[str, Any]

PROCESS_TAG = "urn:plan-api:approval-process"
# Narratives made of the rest of the plan (FHIR R4, value set narrative-status); stores write them anew. What a person
# wrote is `additional`.
DERIVED_NARRATIVES = ("generated", "extensions", "empty")
SETS_OF_META = ("profile", "security", "tag")  # what of `meta` is not the store's own; their order means nothing
OF_THE_VERSION = ("versionId", "lastUpdated", "source")  # in `meta`
# Aidbox notes in an extension of `meta` when a plan was made; a setting of its own chooses what comes before.
CREATED_AT = re.compile(r"(.*[/:])?created-?at", re.IGNORECASE | re.DOTALL)
STATUSES = ("draft", "active", "retired", "unknown")  # FHIR R4, value set publication-status
MAX_DEPTH = 64
MOST_DIGITS = 100  # FHIR asks stores for 18

_decoder = msgspec.json.Decoder(float_hook=Decimal)
_encoder = msgspec.json.Encoder(decimal_format="number")
_FHIR_ID = re.compile(r"[A-Za-z0-9.-]{1,64}")


class InvalidPlan(ValueError):
    """The document is no plan that a store could keep; its message says why, in a sentence for its author."""


def parse(text: str | bytes, *, max_bytes: int) -> Plan:
    """The plan in a draft. Raises InvalidPlan for what is no InsurancePlan, is too big or too deep."""
    size = len(text.encode()) if isinstance(text, str) else len(text)
    if size > max_bytes:
        raise InvalidPlan(f"The plan has {size} bytes; at most {max_bytes} can be submitted.")
    plan = _decoded(text)
    if not isinstance(plan, dict) or plan.get("resourceType") != "InsurancePlan":
        raise InvalidPlan("The plan must be a FHIR InsurancePlan: an object with resourceType InsurancePlan.")
    if _is_deeper(plan, MAX_DEPTH):
        raise InvalidPlan(f"The plan is nested deeper than {MAX_DEPTH} levels.")
    if oddity := next(_oddities(plan), None):
        raise InvalidPlan(f"The plan has {oddity}, which no store can keep.")
    return plan


def read(resource: bytes | msgspec.Raw) -> Plan:
    """A resource the store sent, numbers as Decimal."""
    return cast("Plan", _decoder.decode(resource))


def write(plan: object) -> bytes:
    """JSON in which each number has the digits it came with."""
    return _encoder.encode(plan)


def broken_rules(plan: Plan) -> Iterator[tuple[str, str]]:
    """Where the plan breaks a rule of FHIR R4 that stores differ on, and what is wrong. The store has the last word."""
    if not plan.get("identifier") and not plan.get("name"):
        yield "name", "The plan needs an identifier or a name (FHIR R4 InsurancePlan, rule ipn-1)."
    status = plan.get("status")
    if status is not None and status not in STATUSES:
        yield "status", f"The plan's status must be one of {', '.join(STATUSES)} (FHIR R4 publication-status)."


def plan_id_for(draft_id: str) -> str:
    """The id a new plan gets: always the same for one draft, and one that every store takes."""
    try:
        return str(uuid.UUID(draft_id))
    except ValueError:
        readable = f"plan-{draft_id}"
        return (
            readable if _FHIR_ID.fullmatch(readable) else f"plan-{hashlib.sha256(draft_id.encode()).hexdigest()[:40]}"
        )


def tagged_resource(plan: Plan, plan_id: str, process_id: str, digest: str | None = None) -> Plan:
    """What is sent to the store: the plan as written, its id, and a tag by which our own write is known again.

    The tag names the process, and by a digest what was written, so that it is known whether all of it was kept.
    """
    meta = {key: value for key, value in _object(plan.get("meta")).items() if key not in ("versionId", "lastUpdated")}
    others = [tag for tag in _listed(plan, "tag") if not _is_ours(tag)]
    tag = {"system": PROCESS_TAG, "code": process_id} | ({"display": digest} if digest else {})
    return {**plan, "id": plan_id, "meta": {**meta, "tag": [*others, tag]}}


def editable(resource: Plan) -> Plan:
    """A version of a plan as a draft has it: without what the store says of the version, and without our tags.

    Profiles, labels, others' tags and extensions are the plan's own: Plan-Net without its profile is none.
    """
    others = [tag for tag in _listed(resource, "tag") if not _is_ours(tag)]
    extensions = [each for each in _listed(resource, "extension") if not _is_of_the_store(each)]
    meta = {**_object(resource.get("meta")), "tag": others, "extension": extensions}
    own = {name: value for name, value in meta.items() if name not in OF_THE_VERSION and value not in (None, [])}
    rest = {name: value for name, value in resource.items() if name != "meta"}
    return {**rest, "meta": own} if own else rest


def tags(plan: Mapping[str, Any]) -> list[Plan]:
    """The tags of a plan, ours among them."""
    return [tag for tag in _listed(plan, "tag") if isinstance(tag, dict)]


def with_our_tag(plan: Plan, tag: Plan) -> Plan:
    """The plan with this in the place of any tag of ours. Publication puts its own there."""
    others = [each for each in tags(plan) if not _is_ours(each)]
    return {**plan, "meta": {**_object(plan.get("meta")), "tag": [*others, tag]}}


def counted(plan: Mapping[str, Any]) -> Plan:
    """What its author answers for: all but `resourceType`, `id`, a derived narrative, and what others put into `meta`.

    Of `meta` that leaves profiles, security labels and tags other than ours, each in an order of its own.
    """
    counts = {name: value for name, value in plan.items() if name not in ("resourceType", "id", "meta")}
    if _is_derived(counts.get("text")):
        del counts["text"]
    meta = {name: entries for name in SETS_OF_META if (entries := _entries(plan, name))}
    return {**counts, "meta": meta} if meta else counts


def with_uncounted(counts: Plan, plan: Mapping[str, Any]) -> Plan:
    """The plan that says this, and has from another what does not count."""
    uncounted = {name: plan[name] for name in ("resourceType", "id") if name in plan}
    if _is_derived(plan.get("text")) and "text" not in counts:
        uncounted["text"] = plan["text"]
    meta = {name: value for name, value in _object(plan.get("meta")).items() if name not in SETS_OF_META}
    meta |= _object(counts.get("meta"))
    if ours := [tag for tag in _listed(plan, "tag") if _is_ours(tag)]:
        meta["tag"] = [*meta.get("tag", ()), *ours]
    return {**uncounted, **counts, **({"meta": meta} if meta else {})}


def same_content(one: Mapping[str, Any], other: Mapping[str, Any], *, keeps_digits: bool = True) -> bool:
    """Whether two say the same; `meta` and derived narratives do not count, digits do as `canonical` has it."""
    return canonical(_content(one), keeps_digits=keeps_digits) == canonical(_content(other), keeps_digits=keeps_digits)


def is_held(plan: Plan, held: Plan, *, keeps_digits: bool = True) -> bool:
    """Whether a store that has `held` says all that `plan` says. Digits count as in `canonical`.

    Of `meta` that is the profiles, labels, tags and extensions; our tag does not count, and a store may keep more.
    """
    return same_content(plan, held, keeps_digits=keeps_digits) and not any(
        missing_marks(editable(plan), held, (*SETS_OF_META, "extension"))
    )


def is_same(plan: Plan, held: Plan, *, keeps_digits: bool = True) -> bool:
    """Whether, besides, the store has no profiles, labels and tags that the plan no longer has."""
    return is_held(plan, held, keeps_digits=keeps_digits) and not any(missing_marks(editable(held), plan))


def missing_marks(plan: Plan, held: Plan, names: Iterable[str] = SETS_OF_META) -> Iterator[str]:
    """Of the plan's profiles, labels and tags those that `held` does not have, by their paths in `meta`.

    A label or tag is its system and code (FHIR R4, Meta): some stores have one display for all that use it.
    """
    for name in names:
        there = [_mark(entry) for entry in _listed(held, name)]
        for place, entry in enumerate(_listed(plan, name)):
            if _mark(entry) not in there:
                yield f"{name}[{place}]"


def _mark(entry: Any) -> Any:
    return (entry.get("system"), entry.get("code")) if isinstance(entry, dict) and "code" in entry else entry


def _entries(plan: Mapping[str, Any], name: str) -> list[Any]:
    """The entries of a set of `meta` without ours, sorted."""
    return sorted((entry for entry in _listed(plan, name) if not _is_ours(entry)), key=canonical)


def _listed(plan: Mapping[str, Any], name: str) -> list[Any]:
    entries = _object(plan.get("meta")).get(name)
    return entries if isinstance(entries, list) else []


def _is_of_the_store(extension: object) -> bool:
    url = _object(extension).get("url")
    return isinstance(url, str) and CREATED_AT.fullmatch(url) is not None


def _is_ours(tag: object) -> bool:
    return _object(tag).get("system") == PROCESS_TAG


def _is_derived(narrative: object) -> bool:
    return _object(narrative).get("status") in DERIVED_NARRATIVES


def _content(plan: Mapping[str, Any]) -> Plan:
    counts = {name: value for name, value in counted(plan).items() if name != "meta"}
    return {**counts, "id": plan.get("id"), "resourceType": plan.get("resourceType")}


def _decoded(text: str | bytes) -> object:
    try:
        return _decoder.decode(text)
    except (msgspec.DecodeError, RecursionError, ValueError, ArithmeticError) as error:
        raise InvalidPlan("The plan is not readable JSON.") from error


def _is_deeper(value: object, levels: int) -> bool:
    if levels == 0:
        return True
    if isinstance(value, dict):
        return any(_is_deeper(item, levels - 1) for item in value.values())
    return isinstance(value, list) and any(_is_deeper(item, levels - 1) for item in value)


def _oddities(value: object) -> Iterator[str]:
    """What in a plan would break a store rather than be refused: 1e999999 is a million digits when written out."""
    match value:
        case Decimal() if abs(value.adjusted()) > MOST_DIGITS or len(value.as_tuple().digits) > MOST_DIGITS:
            yield f"a number like {value:.1E}"
        case str() if "\x00" in value:
            yield "a text with NUL in it"
        case dict():
            yield from (oddity for part in (*value, *value.values()) for oddity in _oddities(part))
        case list():
            yield from (oddity for part in value for oddity in _oddities(part))


def _object(value: object) -> Plan:
    return cast("Plan", value) if isinstance(value, dict) else {}
