"""The page's scripts, styles and fonts, served as they were built: gzipped, named after their content, kept for ever.

Called by `app` for the route and by `document` for the names. Only names in `manifest.json` are ever looked up.
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

from api.errors import Misconfigured

HERE = Path(__file__).parent

_GZIP_TAKEN = re.compile(r"\bgzip\b(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))", re.IGNORECASE)
_HEADERS = {
    "Cache-Control": "public, max-age=31536000, immutable",
    # The workers among the files are documents of their own to a browser: they may load our scripts, nothing else.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Vary": "Accept-Encoding",
    "X-Content-Type-Options": "nosniff",
}


class File(TypedDict):
    """What the manifest says of one file: the hash of its unpacked bytes and its content type."""

    sha256: str
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
def packed(name: str) -> bytes:
    """The gzipped bytes of one file of the manifest, compared with its hash when first read."""
    content = (HERE / "assets" / f"{name}.gz").read_bytes()
    if hashlib.sha256(gzip.decompress(content)).hexdigest() != manifest()["files"][name]["sha256"]:
        raise Misconfigured(f"The file {name} of the GraphiQL page is not the one that was built.")
    return content


def _file(request: Request) -> Response:
    # Not a coroutine on purpose: Starlette runs it in a thread, where reading and unpacking hold up nobody.
    name = request.path_params["name"]
    about = manifest()["files"].get(name)
    if about is None:
        return PlainTextResponse("Not Found", status_code=404)
    gzipped = _GZIP_TAKEN.search(request.headers.get("accept-encoding", "")) is not None
    headers = _HEADERS | {"ETag": _etag(about, gzipped=gzipped)}
    if headers["ETag"] in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return _body(packed(name), about["type"], headers, gzipped=gzipped)


def _etag(about: File, *, gzipped: bool) -> str:
    return f'"{about["sha256"][:32]}{"-gzip" if gzipped else ""}"'


def _body(content: bytes, media_type: str, headers: dict[str, str], *, gzipped: bool) -> Response:
    if gzipped:
        return Response(content, headers=headers | {"Content-Encoding": "gzip"}, media_type=media_type)
    return Response(gzip.decompress(content), headers=headers, media_type=media_type)
