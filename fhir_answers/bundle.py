"""Bundles as a FHIR store sends them: searches, histories, answers to a batch. Their entries are read by what they are.

A resource is known by its `resourceType`, what was done to it by `request.method`, what became of a request of a batch
by `response.status`.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Literal

import msgspec

from fhir_answers import operation_outcome

DELETED = "DELETE"
# What an answer to a batch stands for that has no status, by the code of its outcome.
_STATUS_OF_CODE = {"not-found": 404, "deleted": 410, "forbidden": 403, "throttled": 429}
_STATUS = re.compile(r"\s*([1-5]\d\d)\b")


class Outcome(msgspec.Struct, frozen=True, tag_field="resourceType", tag="OperationOutcome"):
    """What a store says instead of a resource, or beside those it found."""


NOTHING = msgspec.Raw(b"")


class _Kind(msgspec.Struct, frozen=True, rename="camel"):
    resource_type: str = ""


class _Response(msgspec.Struct, frozen=True):
    status: str | int = ""
    outcome: msgspec.Raw = NOTHING


class _Request(msgspec.Struct, frozen=True):
    method: str | None = None


class _Search(msgspec.Struct, frozen=True):
    mode: str | None = None


class Entry(msgspec.Struct, frozen=True):
    """An entry of any of them; `resource` is NOTHING where there is none."""

    resource: msgspec.Raw = NOTHING
    response: _Response | None = None
    request: _Request | None = None
    search: _Search | None = None

    @property
    def status(self) -> int | None:
        """The status of an answer to a batch, `404 Not Found` as 404; None when the entry does not say."""
        found = _STATUS.match(str(self.response.status)) if self.response else None
        return int(found[1]) if found else None

    @property
    def result(self) -> int:
        """The status of an answer to a batch; some stores leave it out where all is well, or say it by the outcome."""
        if self.status is not None:
            return self.status
        with suppress(msgspec.DecodeError):  # what is no resource is for its reader to find
            if msgspec.json.decode(self.resource or b"{}", type=_Kind).resource_type == "OperationOutcome":
                return _STATUS_OF_CODE.get(operation_outcome.code(self.resource) or "", 500)
        return 200

    @property
    def has_resource(self) -> bool:
        return bytes(self.resource) not in (b"", b"null")

    @property
    def outcome(self) -> msgspec.Raw:
        """What an answer to a batch says of its failure: stores have it beside the status, or as the resource."""
        return self.response.outcome if self.response and self.response.outcome != NOTHING else self.resource

    @property
    def is_remark(self) -> bool:
        """Whether it says something of the search itself."""
        return self.search is not None and self.search.mode == "outcome"

    @property
    def is_deletion(self) -> bool:
        """Whether a history tells by it that the resource was deleted, whether or not the resource is with it."""
        return self.request is not None and self.request.method == DELETED


class Link(msgspec.Struct, frozen=True):
    relation: str
    url: str


class Bundle(msgspec.Struct, frozen=True, rename="camel"):
    """A page, or the answer to a batch."""

    resource_type: Literal["Bundle"]
    entry: tuple[Entry, ...] = ()
    link: tuple[Link, ...] = ()

    def held(self) -> Iterator[msgspec.Raw]:
        """The resources of a search or a history that count: no remarks, no deletions."""
        for entry in self.entry:
            if entry.has_resource and not entry.is_remark and not entry.is_deletion:
                yield entry.resource


def next_link(links: tuple[Link, ...]) -> str | None:
    """The address of a search's next page."""
    return next((link.url for link in links if link.relation == "next"), None)
