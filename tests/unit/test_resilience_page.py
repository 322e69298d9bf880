"""The examples of resilience/README.md do what the page says."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.unit.test_aiohttp_transport import Act, peer_and_client, saying

pytestmark = pytest.mark.anyio
PAGE = (Path(__file__).parents[2] / "resilience" / "README.md").read_text("utf-8")
ORDER = b'HTTP/1.1 200 OK\r\nContent-Length: 27\r\n\r\n{"number":7,"state":"sent"}'
BUSY = b"HTTP/1.1 503 Busy\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n"


def example(name: str) -> Any:
    """The function of an example."""
    found: dict[str, Any] = {}
    for code in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(compile(code, "README.md", "exec"), found)  # noqa: S102  # our own page
    return found[name]


def busy_once() -> Act:
    async def act(writer: Any, number: int) -> None:
        await saying(BUSY if number == 1 else ORDER)(writer, number)

    return act


async def test_the_call_of_the_example_is_sent_again(capsys: pytest.CaptureFixture[str]) -> None:
    async with peer_and_client(busy_once()) as (peer, _):
        await example("show_order")(f"http://127.0.0.1:{peer.port}")
    said = capsys.readouterr().out.splitlines()
    assert said == ["called shop: ok", "Order(number=7, state='sent')"]
    assert all(f"`{line}`" in PAGE.replace("\n", " ") for line in said)
    assert [line for _, line in peer.came] == ["GET /orders/7 HTTP/1.1"] * 2


async def test_the_call_of_the_example_fails_where_nobody_is(capsys: pytest.CaptureFixture[str]) -> None:
    await example("show_order")("http://127.0.0.1:1")
    words = capsys.readouterr().out.splitlines()
    assert words == [
        "called shop: UPSTREAM_UNREACHABLE",
        "shop can not be reached (UPSTREAM_UNREACHABLE; another try can help: True)",
    ]
    assert all(f"`{line}`" in PAGE.replace("\n", " ") for line in words)
