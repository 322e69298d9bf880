"""Jars with one package under another name: Camunda 7's REST API and Cockpit, put on top of CIB seven's engine.

CIB seven is Camunda 7 with `org.camunda` renamed to `org.cibseven`. Its engine can be had from Maven Central; its REST
API and its starters for Spring Boot could not (2026-11-27), but Camunda's are the same code under the former name. So
everything below the REST API, which is where an approval runs, is CIB seven's own.

A class names others by text in its constant pool alone (The Java Virtual Machine Specification, 4.4), each text with
its length before it, and nothing refers to the bytes behind by position.
"""

import zipfile
from pathlib import Path

COUNT_AT, POOL_AT = 8, 10  # after magic number and version: how many constants there are, plus one; the first
TEXT = 1
# Bytes of a constant after its tag: the JVM specification, table 4.4-A.
SIZES = {3: 4, 4: 4, 5: 8, 6: 8, 7: 2, 8: 2, 9: 4, 10: 4, 11: 4, 12: 4, 15: 3, 16: 2, 17: 4, 18: 4, 19: 2, 20: 2}
TAKE_TWO = (5, 6)  # Long and Double count as two constants
NAMES_CLASSES = (".imports", ".properties", ".xml", ".json", ".factories")


def renamed(jar: Path, folder: Path, old: str, new: str) -> Path:
    """A copy of the jar in the folder, with the package `old` called `new` in classes, names and configuration."""
    pairs = [(old.encode(), new.encode()), (old.replace(".", "/").encode(), new.replace(".", "/").encode())]
    copy = folder / f"renamed-{jar.name}"
    with zipfile.ZipFile(jar) as source, zipfile.ZipFile(copy, "w") as target:
        for entry in source.infolist():
            name, content = _replaced(entry.filename.encode(), pairs).decode(), source.read(entry)
            if name.endswith(".class"):
                content = _renamed_class(content, pairs)
            elif name.endswith(NAMES_CLASSES) or "META-INF/services/" in name:
                content = _replaced(content, pairs)
            target.writestr(name, content)
    return copy


def _replaced(text: bytes, pairs: list[tuple[bytes, bytes]]) -> bytes:
    for old, new in pairs:
        text = text.replace(old, new)
    return text


def _renamed_class(content: bytes, pairs: list[tuple[bytes, bytes]]) -> bytes:
    count = int.from_bytes(content[COUNT_AT:POOL_AT])
    made, at, number = bytearray(content[:POOL_AT]), POOL_AT, 1
    while number < count:
        tag = content[at]
        if tag == TEXT:
            end = at + 3 + int.from_bytes(content[at + 1 : at + 3])
            text = _replaced(content[at + 3 : end], pairs)
            made += bytes([TEXT]) + len(text).to_bytes(2) + text
        else:
            end = at + 1 + SIZES[tag]
            made += content[at:end]
        at, number = end, number + (2 if tag in TAKE_TWO else 1)
    return bytes(made + content[at:])
