"""Which texts a database can hold, by its encoding."""

import codecs
import re
from collections.abc import Sequence
from typing import Any

_UNKNOWN = "UTF8"  # takes every text that can be sent at all
_ALIASES = {"SQL_ASCII": _UNKNOWN, "MULE_INTERNAL": _UNKNOWN, "EUC_TW": _UNKNOWN, "KOI8R": "koi8_r", "KOI8U": "koi8_u"}


def storable(values: Sequence[object], encoding: str) -> list[Any]:
    """The values of a statement, with None in place of each text that a database of this encoding can not hold.

    It is none of the database's texts, so a read compares with NULL instead, which nothing equals.
    """
    codec = codec_of(encoding)
    return [_storable(value, codec) for value in values]


def _storable(value: object, codec: str) -> object:
    if isinstance(value, list):
        return [_storable(each, codec) for each in value]
    return value if not isinstance(value, str) or _is_storable(value, codec) else None


def _is_storable(text: str, codec: str) -> bool:
    if text.isascii():
        return "\x00" not in text
    try:
        text.encode(codec)
    except UnicodeEncodeError:
        return False
    return "\x00" not in text


def codec_of(encoding: str) -> str:
    """Python's codec for an encoding as PostgreSQL names it."""
    name = re.sub(r"^WIN", "cp", _ALIASES.get(encoding, encoding))
    try:
        return codecs.lookup(name).name
    except LookupError:
        return _UNKNOWN
