"""Checks of drafts and engine together: whose processes run, and whether rows and processes name each other.

A system that does not answer is reported by the checks of that system.
"""

import asyncio
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from xml.etree import ElementTree as ET

import msgspec

from api.errors import Misconfigured, UpstreamFailed
from api.upstreams import Upstreams
from api.upstreams.camunda.ownership import Ownership
from api.upstreams.camunda.process_variables import LINK_VARIABLES, NO_VARIABLES, ProcessVariables, names
from api.upstreams.retool.records import NEITHER, Waiting
from doctor.deployment import newest_definition
from doctor.finding import Finding, ok, warning

MOST_LOOKED_AT = 10_000  # of each kind: drafts in approval, processes that run
MOST_NAMED = 5
SUBJECT = "approvals"

(_SOURCE,) = names("draft_source")
_DEFAULT = re.compile(rf"""setVariable\(\s*['"]{_SOURCE}['"]\s*,\s*['"]([^'"]*)['"]\s*\)""")

Links = Mapping[str, ProcessVariables]


class _Instance(msgspec.Struct, frozen=True):
    id: str


async def look_at_approvals(upstreams: Upstreams, *, seconds: float) -> list[Finding]:
    """Findings on the first ten thousand rows and processes: one if all is right, none if a system does not answer."""
    try:
        async with asyncio.timeout(seconds):
            return await _looked(upstreams)
    except (UpstreamFailed, Misconfigured, TimeoutError):
        return []


async def _looked(upstreams: Upstreams) -> list[Finding]:
    camunda, retool = upstreams.camunda, upstreams.retool
    rows = await retool.submitted(None, limit=MOST_LOOKED_AT)
    answer = await camunda.engine.call(
        "POST", "/process-instance", body=camunda.own.of_our_keys, params={"maxResults": MOST_LOOKED_AT}
    )
    running = [each.id for each in camunda.engine.decode(answer, list[_Instance])]
    asked = [*running, *(row.process_id for row in rows if row.process_id and row.process_id not in running)]
    links = await camunda.variables_by_process(asked, LINK_VARIABLES)
    ours = {draft_id for each in running if (draft_id := _of(links, each).draft_id)}
    found = set(await retool.drafts_by_id(sorted(ours), parts=NEITHER))
    findings = list(judge(camunda.own, rows, running, links, found))
    for key in camunda.own.process_keys:
        definition = await newest_definition(camunda, key)
        findings += judge_default(camunda.own, await camunda.model(definition.id) if definition else None)
    if MOST_LOOKED_AT in (len(rows), len(running)):
        findings.append(
            warning(SUBJECT, f"there are more than {MOST_LOOKED_AT}, of which the others were not compared")
        )
    return findings or [ok(SUBJECT, f"drafts and processes of {camunda.own.draft_source} name each other")]


def judge(
    own: Ownership, rows: Sequence[Waiting], running: Sequence[str], links: Links, there: set[str]
) -> Iterator[Finding]:
    """Findings on rows and processes. `links`: variables by process. `there`: ids of drafts in the table. Pure."""
    unlinked = [row.id for row in rows if row.process_id in links and not _is_linked(own, row, links)]
    if unlinked:
        message = f"{_some(unlinked)} name another draft's process, as copied rows do: each can be submitted for itself"
        yield warning(SUBJECT, f"drafts {message}")
    linked = {row.process_id for row in rows if _is_linked(own, row, links)}
    nobodys = [each for each in running if _of(links, each).draft_source is None and each not in linked]
    if nobodys:
        message = f"{_some(nobodys)} name no deployment, so nobody carries them out: set their variable draftSource"
        yield warning(SUBJECT, f"processes {message}")
    ours = [each for each in running if _of(links, each).draft_source == own.draft_source]
    missing = [each for each in ours if _of(links, each).draft_id not in there]
    if missing:
        message = "are of drafts that are not in the table: end them, or give each deployment a DRAFT_SOURCE of its own"
        yield warning(SUBJECT, f"processes {_some(missing)} {message}")
    others = Counter(_of(links, each).draft_source for each in running) - Counter({own.draft_source: len(ours)})
    if named := sorted(source for source in others if source):
        yield ok(SUBJECT, f"of other deployments, and left to them: {', '.join(named)[:200]}")


def judge_default(own: Ownership, model: str | None) -> Iterator[Finding]:
    """Findings on the deployment that the model's listener gives to processes started by hand. Pure."""
    if model is None:
        return
    listeners = [each for each in ET.fromstring(model).iter() if each.tag.endswith("}executionListener")]  # noqa: S314  # our own engine's, with expat's limits
    named = [found[1] for each in listeners if (found := _DEFAULT.search(each.get("expression", "")))]
    if not named:
        message = "are carried out by nobody: copy the listener of our model that sets draftSource"
    elif named[0] != own.draft_source:
        message = f"are of {named[0]}: name {own.draft_source} in their draftSource, or in the model's listener"
    else:
        return
    yield warning(SUBJECT, f"processes that are started by hand {message}")


def _is_linked(own: Ownership, row: Waiting, links: Links) -> bool:
    return own.links(_of(links, row.process_id or ""), row.id)


def _of(links: Links, process_id: str) -> ProcessVariables:
    return links.get(process_id, NO_VARIABLES)


def _some(ids: Sequence[str]) -> str:
    more = len(ids) - MOST_NAMED
    return ", ".join(ids[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
