"""Draws docs/inbox.svg anew: the calls behind one inbox query, from when to when, as they were recorded.

`python -m tests.calls.picture` starts the sandbox for it; `--retool-dsn`, `--camunda-url`, `--aidbox-url` take systems
that run. The API is new, so it knows no versions yet; the systems are warm.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from pathlib import Path

from rich.console import Console

from api import settings as configuration
from api.settings import Settings
from api.upstreams import open_upstreams
from doctor.setup import set_up
from sandbox import running
from tests.calls.inboxes import Inbox, Inboxes
from tests.calls.recording import Call, Recording
from tests.engine_access import engine_settings
from tests.serving import Drafts

LENGTH = 50
ROUNDS = 20  # of which the fastest is drawn
QUERY = """{ pendingTasks(limit: 1000) { totalCount items {
  id name submittedBy { id } draft { id name status revision planData }
  basePlan { versionId resource } currentPlan { versionId resource } hasConflict } } }"""
COLOURS = {"plan-api": "#444c56", "camunda": "#c2410c", "retool": "#1d4ed8", "aidbox": "#15803d"}
WORDS = {"POST /": "POST / (batch of versions)", "SQL": "SELECT … camunda_process_id = ANY(…)"}
WIDTH, LEFT, ROW, TOP = 880, 356, 26, 56
SCALE = WIDTH - LEFT - 90


def recorded(settings: Settings, inboxes: Inboxes) -> list[Call]:
    """The calls of one query, and the query itself as the first, seconds from its beginning."""
    return min((once(settings, inboxes.of(LENGTH)) for _ in range(ROUNDS)), key=lambda calls: calls[0].ended)


def once(settings: Settings, inbox: Inbox) -> list[Call]:
    """As `recorded`, of an API that has just begun."""
    recording = Recording()
    with recording.before(settings) as api:
        api.ask('{ draft(id: "none") { id } }', inbox.reviewer)
        recording.calls.clear()
        begun = time.monotonic()
        api.ask(QUERY, inbox.reviewer)
        whole = Call("plan-api", f"POST /graphql, {LENGTH} tasks", "", begun, time.monotonic())
    calls = sorted(recording.calls, key=lambda call: call.begun)
    return [Call(each.system, each.kind, "", each.begun - begun, each.ended - begun) for each in (whole, *calls)]


def drawn(calls: list[Call]) -> str:
    """A bar for each call, in the colour of its system."""
    end = calls[0].ended
    size = f'viewBox="0 0 {WIDTH} {TOP + ROW * len(calls) + 16}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="system-ui, sans-serif" font-size="13">',
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        f'<text x="16" y="28" font-size="15" font-weight="600">One inbox of {LENGTH} tasks, as recorded</text>',
    ]
    for number, call in enumerate(calls):
        y, colour = TOP + ROW * number, COLOURS[call.system]
        x, width = LEFT + SCALE * call.begun / end, max(2.0, SCALE * (call.ended - call.begun) / end)
        name = escape(f"{call.system}: {WORDS.get(call.kind, call.kind)}")
        told = f"{1000 * (call.ended - call.begun):.0f} ms"
        parts += [
            f'<text x="16" y="{y + 13}" fill="{colour}">{name}</text>',
            f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="16" rx="2" fill="{colour}"/>',
            f'<text x="{x + width + 6:.1f}" y="{y + 13}" fill="#57606a">{told}</text>',
        ]
    return "\n".join([*parts, "</svg>", ""])


@contextmanager
def systems(given: argparse.Namespace) -> Iterator[tuple[str, str, str]]:
    """The addresses of the drafts database, the engine and the store."""
    if given.retool_dsn:
        yield given.retool_dsn, given.camunda_url, given.aidbox_url
        return
    with tempfile.TemporaryDirectory() as folder, running(Path(folder), durable=False, console=Console()) as sandbox:
        yield sandbox.retool_database_url, sandbox.camunda_address, sandbox.aidbox_url


async def ready(retool: str, camunda: str, aidbox: str) -> Settings:
    """Settings for these systems, with table and process model in them."""
    urls = {"retool_database_url": retool, **engine_settings(camunda), "aidbox_url": aidbox}
    settings = configuration.read(_env_file=None, auth="headers", worker=False, max_cost=10_000_000, **urls)
    async with open_upstreams(settings) as upstreams:
        await set_up(upstreams)
    return settings


def main() -> None:
    """Record, and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", nargs="?", default="docs/inbox.svg", type=Path)
    for name in ("--retool-dsn", "--camunda-url", "--aidbox-url"):
        parser.add_argument(name)
    given = parser.parse_args()
    with systems(given) as (retool, camunda, aidbox):
        settings = asyncio.run(ready(retool, camunda, aidbox))
        calls = recorded(settings, Inboxes(Drafts(retool), camunda, aidbox))
    given.target.write_text(drawn(calls), "utf-8")


if __name__ == "__main__":
    main()
