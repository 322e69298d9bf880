"""HTTPS_PROXY, HTTP_PROXY and NO_PROXY: the whole life of a draft through a proxy, and round it where they say so."""

import asyncio
import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from api.settings import Settings
from tests.auth.asking import settings_with
from tests.auth.terminator import Authority, listening, terminating
from tests.commands.running import run
from tests.serving import AUTHOR, REVIEWER, Drafts, serving
from tests.verbs import approved, submitted

BOTH = '{ plan(id: "none-of-this-id") { versionId } pendingTasks(limit: 1) { totalCount } }'
VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@dataclass
class Proxy:
    """A forward proxy: the request lines that it was sent, and who it was told asks."""

    port: int = 0
    lines: list[str] = field(default_factory=list)
    credentials: set[str] = field(default_factory=set)
    refuses: bool = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            while True:
                await self._exchange(reader, writer)
        writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = head[0].split()
        self.lines.append(f"{method} {target}")
        self.credentials |= {line[21:] for line in head if line.lower().startswith("proxy-authorization: ")}
        if self.refuses:
            writer.write(b"HTTP/1.1 407 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            raise ConnectionError
        url = urlsplit(target if "://" in target else f"//{target}")
        far_reader, far_writer = await asyncio.open_connection(url.hostname, url.port)
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
        else:
            path = target.removeprefix(f"{url.scheme}://{url.netloc}")
            rest = [line for line in head[1:] if not line.lower().startswith(("connection:", "proxy-"))]
            lines = [f"{method} {path} HTTP/1.1", "Connection: close", *rest]
            far_writer.write("\r\n".join(lines).encode("latin-1"))
        ways = [asyncio.create_task(_pass(reader, far_writer)), asyncio.create_task(_pass(far_reader, writer))]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        far_writer.close()
        raise ConnectionError  # one exchange a connection, and then it closes


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await reader.read(65_536):
            writer.write(chunk)
            await writer.drain()


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    made, loop = Proxy(), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(asyncio.start_server(made.serve, "127.0.0.1", 0), loop).result()
    made.port = server.sockets[0].getsockname()[1]

    async def end() -> None:
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    yield made
    asyncio.run_coroutine_threadsafe(end(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@contextmanager
def environment(patch: pytest.MonkeyPatch, **named: str) -> Iterator[None]:
    """These variables of the environment, and no others of their kind."""
    with patch.context() as patched:
        for name in VARIABLES:
            patched.delenv(name, raising=False)
            patched.delenv(name.lower(), raising=False)
        for name, value in named.items():
            patched.setenv(name, value)
        yield


def origins(proxy: Proxy) -> set[str]:
    return {f"{urlsplit(line.split()[1]).scheme}://{urlsplit(line.split()[1]).netloc}" for line in proxy.lines}


def origin(url: str) -> str:
    return f"{urlsplit(url).scheme}://{urlsplit(url).netloc}"


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_a_whole_life_through_a_proxy(
    settings: Settings, drafts: Drafts, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    named = {variable: f"http://user:p%40ss@127.0.0.1:{proxy.port}"}
    with environment(monkeypatch, **named), serving(settings) as api:
        draft_id = drafts.new()
        submitted(api, draft_id, AUTHOR)
        assert approved(api, draft_id)["status"] == "APPROVED"
        assert "errors" not in api.answer(BOTH, REVIEWER)
    assert origins(proxy) == {origin(settings.camunda_url), origin(settings.aidbox_url)}
    assert any(line.startswith("PUT ") for line in proxy.lines)
    assert proxy.credentials == {f"Basic {base64.b64encode(b'user:p@ss').decode()}"}


@pytest.mark.parametrize("excluded", ["127.0.0.1", "*", "127.0.0.1,other.example", "other.example, 127.0.0.1"])
def test_what_no_proxy_names_is_asked_directly(
    settings: Settings, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, excluded: str
) -> None:
    named = {"HTTP_PROXY": f"127.0.0.1:{proxy.port}", "NO_PROXY": excluded}
    with environment(monkeypatch, **named), serving(settings) as api:
        assert "errors" not in api.answer(BOTH, REVIEWER)
    assert proxy.lines == []


def test_one_host_and_port_can_be_excluded(settings: Settings, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    named = {"HTTP_PROXY": f"http://127.0.0.1:{proxy.port}", "NO_PROXY": urlsplit(settings.camunda_url).netloc}
    with environment(monkeypatch, **named), serving(settings) as api:
        assert "errors" not in api.answer(BOTH, REVIEWER)
    assert origins(proxy) == {origin(settings.aidbox_url)}


def test_tls_goes_through_a_tunnel_and_is_verified(
    settings: Settings, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ours, others = Authority(tmp_path, "ours"), Authority(tmp_path, "others")
    store = urlsplit(settings.aidbox_url)
    with terminating(listening(ours.issue("server")), str(store.hostname), store.port or 80) as port:
        secured = {"auth": "headers", "aidbox_url": f"https://127.0.0.1:{port}{store.path}"}
        with environment(monkeypatch, HTTPS_PROXY=f"http://127.0.0.1:{proxy.port}"):
            for authority, code in ((ours, None), (others, "UPSTREAM_UNREACHABLE")):
                with serving(settings_with(settings, **secured, tls_ca_file=authority.file)) as api:
                    errors = api.answer(BOTH, REVIEWER).get("errors", [])
                assert [error["extensions"]["code"] for error in errors] == ([code] if code else [])
        assert set(proxy.lines) == {f"CONNECT 127.0.0.1:{port}"}


def test_a_proxy_that_wants_another_password_is_told(
    settings: Settings, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy.refuses = True
    named = {"HTTP_PROXY": f"http://127.0.0.1:{proxy.port}", "NO_PROXY": urlsplit(settings.camunda_url).netloc}
    with environment(monkeypatch, **named), serving(settings) as api:
        (error,) = api.answer(BOTH, REVIEWER)["errors"]
    assert error["message"] == "the proxy before aidbox does not accept this service's credentials"
    assert error["extensions"]["code"] == "UPSTREAM_DENIED"


@pytest.mark.parametrize("url", ["socks5://10.0.0.1:1080", "http://", "ftp://user:Geheim@10.0.0.1", "http://[::1"])
def test_a_proxy_that_can_not_be_used_is_told_at_the_start(settings: Settings, url: str) -> None:
    told = run(settings, "serve", AUTH="headers", HTTPS_PROXY=url, PORT="0")
    needed = "an http:// or https:// address is needed, with or without user:password@"
    assert (told.code, told.errors) == (1, f"plan-api: HTTPS_PROXY is wrong: {needed}\n")
