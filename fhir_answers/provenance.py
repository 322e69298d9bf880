"""Provenance (FHIR R4) of a version that came of a review: who wrote, submitted, decided and commented, and when.

Only standard elements are used, since a store may refuse extensions that it does not know. People are logical
references, by an identifier, so that no Practitioner has to be in the store. Versions are named by an identifier too:
HAPI drops them from references unless it is told otherwise.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Annotated, NamedTuple

import msgspec

PARTICIPANTS = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
OPERATIONS = "http://terminology.hl7.org/CodeSystem/v3-DataOperation"
VERSION, PERSON = "version", "person"  # systems of identifiers, below a prefix that the caller chooses
AUTHOR, SUBMITTER, REVIEWER, COMMENTER, SERVICE = "author", "enterer", "verifier", "informant", "assembler"
# The systems, by what somebody took part as, of the id under which their words are filed.
OWN = {SUBMITTER: "submission", REVIEWER: "task", COMMENTER: "comment", SERVICE: "service"}

_ID = re.compile(r"[A-Za-z0-9.-]{1,64}")


class Coding(msgspec.Struct, frozen=True, omit_defaults=True):
    """A code of a system."""

    system: str | None = None
    code: str | None = None


class Concept(msgspec.Struct, frozen=True, omit_defaults=True):
    """A CodeableConcept: codes, and words."""

    coding: tuple[Coding, ...] = ()
    text: str | None = None


class Identifier(msgspec.Struct, frozen=True, omit_defaults=True):
    """What something is called in a system."""

    system: str | None = None
    value: str | None = None


class Reference(msgspec.Struct, frozen=True, omit_defaults=True):
    """A reference by address, by identifier, or by both: some stores drop the version from an address."""

    reference: str | None = None
    identifier: Identifier | None = None
    display: str | None = None


class Agent(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """Who took part, as what, and for whom if not for themselves."""

    who: Reference
    type: Concept | None = None
    on_behalf_of: Reference | None = None
    role: tuple[Concept, ...] = ()


class Entity(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was used."""

    role: str
    what: Reference


class Period(msgspec.Struct, frozen=True, omit_defaults=True):
    """From when to when."""

    start: datetime | None = None
    end: datetime | None = None


class Meta(msgspec.Struct, frozen=True, omit_defaults=True):
    """Of the resource's `meta` its tags."""

    tag: tuple[Coding, ...] = ()


class Provenance(
    msgspec.Struct, frozen=True, omit_defaults=True, rename="camel", tag_field="resourceType", tag="Provenance"
):
    """The resource."""

    id: str
    target: Annotated[tuple[Reference, ...], msgspec.Meta(min_length=1)]
    recorded: datetime
    agent: tuple[Agent, ...]
    meta: Meta = Meta()
    occurred_period: Period | None = None
    activity: Concept | None = None
    reason: tuple[Concept, ...] = ()
    entity: tuple[Entity, ...] = ()


class Statement(NamedTuple):
    """What one person said. `acted_by`: who did so on their behalf, if somebody did. `facts`: codes by name."""

    by: str
    acted_by: str | None = None
    facts: Mapping[str, str] = {}
    text: str | None = None


class Review(NamedTuple):
    """A review, and the version of a resource that came of it.

    `decisions` and `comments`: by their ids; a decision without one is under "". `rule`: why nobody had to decide.
    `used`: ids of what was reviewed. `tags`: to search by. `service`: what made the version.
    """

    id: str
    kind: str
    resource_id: str
    version_id: str
    base_version: str | None
    begun: datetime
    ended: datetime
    author: str | None
    submission: Statement | None
    decisions: Mapping[str, Statement]
    comments: Mapping[str, Statement]
    rule: str | None
    used: Mapping[str, str]
    tags: Mapping[str, str]
    service: str

    @property
    def people(self) -> frozenset[str]:
        """Everybody who took part."""
        said = [*self.decisions.values(), *self.comments.values(), *([self.submission] if self.submission else [])]
        return frozenset([each.by for each in said] + ([self.author] if self.author else []))


def facts(**given: str | datetime | None) -> dict[str, str]:
    """Facts as codes, without those that are not known."""
    known = {name: fact for name, fact in given.items() if fact is not None}
    return {name: fact.isoformat() if isinstance(fact, datetime) else fact for name, fact in known.items()}


def resource_id(*parts: str) -> str:
    """An id of these parts, always the same; hashed where FHIR would refuse it."""
    readable = ".".join(parts)
    return readable if _ID.fullmatch(readable) else hashlib.sha256(readable.encode()).hexdigest()


def provenance_of(review: Review, prefix: str) -> Provenance:
    """The resource of a review, equal for equal ones. `prefix`: of the systems of identifiers and codes. Pure."""
    target, base = _version(review, review.version_id, prefix), review.base_version
    entities = [] if base in (None, review.version_id) else [Entity("revision", _version(review, str(base), prefix))]
    entities += [Entity("source", _logical(prefix + name, value)) for name, value in review.used.items()]
    made = list(_statements(review))
    return Provenance(
        id=review.id,
        target=(target,),
        recorded=review.ended,
        agent=tuple(_agent(part, own, said, prefix) for part, own, said in made),
        meta=Meta(_concept(review.tags, prefix).coding),
        occurred_period=Period(review.begun, review.ended),
        activity=_concept({OPERATIONS: "CREATE" if base is None else "UPDATE"}),
        reason=tuple(_concept(own, prefix, said.text) for _, own, said in made if said.text),
        entity=tuple(entities),
    )


def review_of(provenance: Provenance, prefix: str) -> Review:
    """The review in a resource. Pure."""
    (target, *_), period = provenance.target, provenance.occurred_period or Period()
    kind, _, rest = (target.reference or "").partition("/")
    texts = {pair: reason.text for reason in provenance.reason for pair in _codes([reason], prefix).items()}
    used = {(each.what.identifier or Identifier()).system or "": each.what for each in provenance.entity}
    base = used.pop(prefix + VERSION, None)
    made = [_statement(agent, texts, prefix) for agent in provenance.agent]
    by_part = {part: said for part, _, said in made}
    return Review(
        id=provenance.id,
        kind=kind,
        resource_id=rest.partition("/")[0],
        version_id=_value(target),
        base_version=_value(base) if base else None,
        begun=period.start or provenance.recorded,
        ended=provenance.recorded,
        author=by_part[AUTHOR].by if AUTHOR in by_part else None,
        submission=by_part.get(SUBMITTER),
        decisions={own: said for part, own, said in made if part == REVIEWER},
        comments={own: said for part, own, said in made if part == COMMENTER},
        rule=by_part[SERVICE].text if SERVICE in by_part else None,
        used={system.removeprefix(prefix): _value(what) for system, what in used.items()},
        tags=_codes([Concept(provenance.meta.tag)], prefix),
        service=by_part[SERVICE].by if SERVICE in by_part else "",
    )


def _statements(review: Review) -> Iterator[tuple[str, dict[str, str], Statement]]:
    """Who took part as what, under what id of their own their words are filed, and what they said."""
    if review.author:
        yield AUTHOR, {}, Statement(review.author)
    if review.submission:
        yield SUBMITTER, {OWN[SUBMITTER]: review.id}, review.submission
    for part, said in ((REVIEWER, review.decisions), (COMMENTER, review.comments)):
        for own, each in said.items():
            yield part, {OWN[part]: own} if own else {}, each
    yield SERVICE, {OWN[SERVICE]: review.service}, Statement(review.service, text=review.rule)


def _agent(part: str, own: Mapping[str, str], said: Statement, prefix: str) -> Agent:
    who, behalf = said.acted_by or said.by, _logical(prefix + PERSON, said.by) if said.acted_by else None
    role = (_concept({**own, **said.facts}, prefix),) if own or said.facts else ()
    return Agent(_logical(prefix + PERSON, who), _concept({PARTICIPANTS: part}), behalf, role)


def _statement(agent: Agent, texts: Mapping[tuple[str, str], str | None], prefix: str) -> tuple[str, str, Statement]:
    """As what somebody took part, under what id, and what they said."""
    part, codes = _codes([agent.type]).get(PARTICIPANTS, ""), _codes(agent.role, prefix)
    name = OWN.get(part, "")
    own, who = codes.pop(name, ""), _value(agent.who)
    by, acted_by = (_value(agent.on_behalf_of), who) if agent.on_behalf_of else (who, None)
    return part, own, Statement(by, acted_by, codes, texts.get((name, own)))


def _version(review: Review, version_id: str, prefix: str) -> Reference:
    address = f"{review.kind}/{review.resource_id}/_history/{version_id}"
    return Reference(address, Identifier(prefix + VERSION, version_id))


def _logical(system: str, value: str) -> Reference:
    return Reference(identifier=Identifier(system, value), display=value)


def _value(reference: Reference) -> str:
    return (reference.identifier or Identifier()).value or ""


def _concept(codes: Mapping[str, str], prefix: str = "", text: str | None = None) -> Concept:
    return Concept(tuple(Coding(prefix + system, code) for system, code in codes.items()), text)


def _codes(concepts: Iterable[Concept | None], prefix: str = "") -> dict[str, str]:
    every = (coding for each in concepts if each for coding in each.coding)
    return {(each.system or "").removeprefix(prefix): each.code for each in every if each.code}
