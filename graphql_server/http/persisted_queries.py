"""Persisted queries: trusted operations from files, and operations that clients register by their hash (APQ).

A request names an operation by `documentId` (GraphQL over HTTP,
Appendix A "Persisted Documents") or by `extensions.persistedQuery.sha256Hash` (Apollo's protocol, version 1).
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from cachetools import LRUCache

from graphql_server.refusals import HttpRefusal

PREFIX = "sha256:"
FORMAT = "apollo-persisted-query-manifest"


@dataclass(frozen=True)
class OperationName:
    """The name of an operation in a request: an id, and whether the id is a hash that a client may register."""

    id: str
    registers: bool


class Operations:
    """The trusted operations by id and by hash, and a cache of registered ones. `only`: nothing else is executed."""

    def __init__(self, trusted: Mapping[str, str], *, only: bool, cache_bytes: int) -> None:
        self._trusted = {**trusted, **{hash_of(text): text for text in trusted.values()}}
        self._only = only
        self._cache_bytes = cache_bytes
        self._registered: LRUCache[str, str] = LRUCache(cache_bytes, getsizeof=_bytes)

    def text(self, query: str | None, document_id: str | None, extensions: Mapping[str, object]) -> str:
        """The text to execute. Raises HttpRefusal: no query, an unknown or wrong name, an untrusted operation."""
        naming = _naming(document_id, extensions)
        if naming is None:
            return self._as_written(query)
        if query and not naming.registers:
            raise HttpRefusal(400, "Send query or documentId, not both.")
        if not query:
            return self._known(naming)
        if hash_of(query) != naming.id:
            raise HttpRefusal(400, "sha256Hash is not the hash of this query.", code="PERSISTED_QUERY_HASH_MISMATCH")
        text = self._as_written(query)
        # An evicted text is no error: the client sends it again, as it does after a restart.
        if _bytes(text) <= self._cache_bytes // 10:  # one text must not evict nearly all others
            self._registered[naming.id] = text
        return text

    def _as_written(self, query: str | None) -> str:
        if not query:
            raise HttpRefusal(400, "The parameter query is missing.")
        if self._only and hash_of(query) not in self._trusted:
            message = "Only persisted operations are executed; name one by documentId."
            raise HttpRefusal(400, message, code="PERSISTED_QUERY_REQUIRED")
        return query

    def _known(self, naming: OperationName) -> str:
        found = self._trusted.get(naming.id)
        if found is None and naming.registers:
            found = self._registered.get(naming.id)
        if found is not None:
            return found
        if naming.registers and not self._cache_bytes and not self._trusted:
            # These two words, with status 200, are what Apollo's clients look for.
            raise HttpRefusal(200, "PersistedQueryNotSupported", code="PERSISTED_QUERY_NOT_SUPPORTED")
        raise HttpRefusal(200, "PersistedQueryNotFound", code="PERSISTED_QUERY_NOT_FOUND")


def hash_of(text: str) -> str:
    """SHA-256 in hex, as both protocols have it."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _bytes(text: str) -> int:
    return len(text.encode())


def _naming(document_id: str | None, extensions: Mapping[str, object]) -> OperationName | None:
    if document_id:
        return OperationName(document_id.removeprefix(PREFIX), registers=False)
    named = extensions.get("persistedQuery")
    if named is None:
        return None
    if not isinstance(named, Mapping) or named.get("version") != 1 or not isinstance(named.get("sha256Hash"), str):
        raise HttpRefusal(400, "extensions.persistedQuery must be {version: 1, sha256Hash: …}.")
    return OperationName(named["sha256Hash"].lower(), registers=True)


def read_operations(where: Path) -> dict[str, str]:
    """The texts of a folder or a manifest, by id. Raises OSError and ValueError for what cannot be read."""
    return dict(_folder(where) if where.is_dir() else _manifest(where))


def _folder(folder: Path) -> Iterator[tuple[str, str]]:
    """Each file under its name without the ending."""
    for file in sorted(folder.glob("*.graphql")):
        yield file.stem, file.read_text("utf-8")


def _manifest(file: Path) -> Iterator[tuple[str, str]]:
    """Apollo's manifest, or a plain object of texts by id, as Relay's compiler writes it."""
    content = json.loads(file.read_text("utf-8"))
    if not isinstance(content, dict):
        raise ValueError("a manifest is a JSON object")  # noqa: TRY004  # the caller tells all wrong files alike
    if content.get("format") == FORMAT:
        content = {each["id"]: each["body"] for each in content.get("operations", []) if {"id", "body"} <= set(each)}
    if not all(isinstance(text, str) for text in content.values()):
        raise ValueError(f'a manifest is {{id: text}}, or {{"format": "{FORMAT}", "operations": [{{id, body}}]}}')
    yield from content.items()
