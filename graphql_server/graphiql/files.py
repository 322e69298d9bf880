"""The page's scripts, styles and fonts: compressed, named by the hash of their content, cached by browsers for ever.

Only names in `manifest.json` are served.
"""

import gzip
import hashlib
import json
import re
from functools import cache
from pathlib import Path
from typing import TypedDict, cast

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

HERE = Path(__file__).parent

# Best first: the content coding, the ending of its files, and the pattern of Accept-Encoding that allows it.
_CODINGS = tuple(
    (name, ending, re.compile(rf"\b{name}\b(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))", re.IGNORECASE))
    for name, ending in (("br", "br"), ("gzip", "gz"))
)
_HEADERS = {
    "Cache-Control": "public, max-age=31536000, immutable",
    # The workers among the files are documents of their own to a browser: they may load our scripts, nothing else.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Vary": "Accept-Encoding",
    "X-Content-Type-Options": "nosniff",
}


class File(TypedDict):
    """What the manifest says of one file: the hashes of its unpacked bytes and of its brotli, and its content type."""

    sha256: str
    brotli: str
    type: str


class Manifest(TypedDict):
    """`manifest.json`: the files by name, and which of them the page names itself (`page`, `style`, the workers)."""

    entries: dict[str, str]
    files: dict[str, File]


def assets_route(path: str) -> Route:
    """The route `{path}/{name}` of all files."""
    return Route(f"{path}/{{name}}", _file, methods=["GET"])


@cache
def manifest() -> Manifest:
    """The manifest that the build wrote."""
    return cast("Manifest", json.loads((HERE / "manifest.json").read_text("utf-8")))


@cache
def packed(name: str, ending: str) -> bytes:
    """The packed bytes of one file of the manifest, compared with their hash when first read. `ending`: gz or br."""
    content, about = (HERE / "assets" / f"{name}.{ending}").read_bytes(), manifest()["files"][name]
    found, built = (content, about["brotli"]) if ending == "br" else (gzip.decompress(content), about["sha256"])
    if hashlib.sha256(found).hexdigest() != built:
        raise RuntimeError(f"The file {name} of the GraphiQL page is not the one that was built.")
    return content


def _file(request: Request) -> Response:
    # Not a coroutine on purpose: Starlette runs it in a thread, where reading and unpacking hold up nobody.
    name = request.path_params["name"]
    about = manifest()["files"].get(name)
    if about is None:
        return PlainTextResponse("Not Found", status_code=404)
    taken = request.headers.get("accept-encoding", "")
    coding, ending = next(((name, ending) for name, ending, takes in _CODINGS if takes.search(taken)), ("", ""))
    headers = _HEADERS | {"ETag": f'"{about["sha256"][:32]}{"-" if coding else ""}{coding}"'}
    if headers["ETag"] in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if not coding:
        return Response(gzip.decompress(packed(name, "gz")), headers=headers, media_type=about["type"])
    return Response(packed(name, ending), headers=headers | {"Content-Encoding": coding}, media_type=about["type"])
