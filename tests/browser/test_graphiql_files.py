"""The GraphiQL page and its files over plain HTTP: what they are served with, and that they are what was built."""

import gzip
import hashlib
import html
import json
import os
import re
import shutil
import subprocess

import httpx
import pytest
from graphql import parse

from api.transport.graphql import EXAMPLES
from graphql_server import graphiql
from graphql_server.graphiql.files import HERE, manifest

UNPACKED = """
const { readdirSync, readFileSync } = require("node:fs");
const hash = (bytes) => require("node:crypto").createHash("sha256").update(bytes).digest("hex");
const names = readdirSync(".").filter((name) => name.endsWith(".br"));
const unpack = (name) => [name.slice(0, -3), hash(require("node:zlib").brotliDecompressSync(readFileSync(name)))];
console.log(JSON.stringify(Object.fromEntries(names.map(unpack))));
"""
CONFIGURATION = re.compile(r'<script type="application/json" id="configuration">(.*?)</script>', re.DOTALL)


def ask(url: str, encoding: str = "gzip", **headers: str) -> httpx.Response:
    """One GET; the body stays as it was sent."""
    with (
        httpx.Client(headers={"Accept-Encoding": encoding}) as client,
        client.stream("GET", url, headers=headers) as answer,
    ):
        answer.extensions["sent"] = b"".join(answer.iter_raw())
        return answer


@pytest.fixture
def files_url(graphiql_url: str) -> str:
    """Where the files are, as the page says."""
    found = re.search(r'src="([^"]*/)[^/"]+\.js"', httpx.get(graphiql_url, headers={"Accept": "text/html"}).text)
    assert found is not None
    return str(httpx.URL(graphiql_url).join(found[1]))


def test_every_file_is_the_one_that_was_built() -> None:
    stored = {path.name: path.read_bytes() for path in (HERE / "assets").iterdir()}
    gzipped = {name: gzip.decompress(content) for name, content in stored.items() if name.endswith(".gz")}
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in (stored | gzipped).items()}
    files = manifest()["files"]
    assert hashes == {f"{name}.gz": file["sha256"] for name, file in files.items()} | {
        f"{name}.br": file["brotli"] for name, file in files.items()
    }
    assert set(manifest()["entries"].values()) <= set(files)


def test_the_brotli_files_hold_the_same_as_the_others() -> None:
    """By Node's unpacker, since Python has none of its own."""
    node = shutil.which("node")
    if node is None:
        complain = pytest.fail if os.environ.get("CI") else pytest.skip
        complain("Node is not installed.")
    done = subprocess.run([str(node), "-e", UNPACKED], cwd=HERE / "assets", capture_output=True, text=True, check=True)  # noqa: S603  # our own words
    assert json.loads(done.stdout) == {name: file["sha256"] for name, file in manifest()["files"].items()}


@pytest.mark.parametrize("name", sorted(manifest()["files"]))
def test_a_file_comes_packed_or_plain(files_url: str, name: str) -> None:
    gzipped, plain = ask(files_url + name), ask(files_url + name, "br;q=0, gzip;q=0")
    best = ask(files_url + name, "gzip, deflate, br, zstd")
    assert (gzipped.headers["content-encoding"], best.headers["content-encoding"]) == ("gzip", "br")
    assert "content-encoding" not in plain.headers
    assert gzip.decompress(gzipped.extensions["sent"]) == plain.extensions["sent"]
    assert hashlib.sha256(best.extensions["sent"]).hexdigest() == manifest()["files"][name]["brotli"]
    assert len({answer.headers["etag"] for answer in (gzipped, plain, best)}) == 3
    for answer in (gzipped, plain, best):
        assert answer.headers["content-type"] == manifest()["files"][name]["type"]
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["vary"] == "Accept-Encoding"
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_file_the_browser_has_is_not_sent_again(files_url: str) -> None:
    address = files_url + manifest()["entries"]["style"]
    again = ask(address, **{"If-None-Match": ask(address).headers["etag"]})
    assert (again.status_code, again.extensions["sent"]) == (304, b"")


@pytest.mark.parametrize(
    "name", ["nothing.js", "manifest.json", "..%2Fmanifest.json", "%2Fetc%2Fpasswd", "page.html", ""]
)
def test_nothing_else_is_served(files_url: str, name: str) -> None:
    assert ask(files_url + name).status_code == 404


def test_the_page_admits_our_own_files_only(graphiql_url: str) -> None:
    first, second = (httpx.get(graphiql_url, headers={"Accept": "text/html"}) for _ in range(2))
    policy = first.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'nonce-")
    assert "unsafe-eval" not in policy
    assert "http" not in policy
    assert policy != second.headers["content-security-policy"]
    assert first.headers["referrer-policy"] == "no-referrer"
    assert first.headers["x-content-type-options"] == "nosniff"


def test_what_the_page_is_told_can_not_leave_its_place() -> None:
    told = "</script><script>alert(1)</script><!-- ` $nonce \u2028"
    page = graphiql.page(title=told, endpoint="/graphql", assets="/assets", note=told, tabs=[graphiql.Tab(told)])
    written = CONFIGURATION.search(bytes(page.body).decode())
    assert written is not None
    configuration = json.loads(written[1])
    assert configuration["note"] == configuration["tabs"][0]["query"] == told
    assert f"<title>{html.escape(told)}</title>" in bytes(page.body).decode()


def test_each_example_is_one_operation_with_its_variables() -> None:
    inbox, submit, approve = graphiql.tabs_of(EXAMPLES.read_text("utf-8"), {"draftId": "17"})
    assert [len(parse(tab.query).definitions) for tab in (inbox, submit, approve)] == [1, 1, 1]
    assert inbox.variables == ""
    assert json.loads(submit.variables) == {"draftId": "17"}
    assert json.loads(approve.variables) == {"taskId": ""}
