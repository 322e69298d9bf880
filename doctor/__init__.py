"""A doctor for an installation: examines the three systems and reports line by line what is right and what is wrong.

`run_checks` is `plan-api check`. It changes nothing, unless it may write a test plan to the store.
"""

import asyncio
from collections.abc import Awaitable

from api.settings import Settings
from api.upstreams import open_upstreams
from doctor.approvals import look_at_approvals
from doctor.digits import look_at_digits
from doctor.drafts import look_at_drafts
from doctor.engine import look_at_engine
from doctor.finding import Finding, Grade, address_of, wrong
from doctor.store import look_at_store
from doctor.webhooks import look_at_webhooks

__all__ = ["Finding", "Grade", "run_checks"]

TIMEOUT = 8.0  # seconds for each system


async def run_checks(settings: Settings, *, may_write: bool = False) -> list[Finding]:
    """All checks that change nothing: drafts database, engine and store, concurrently.

    A system that does not answer within TIMEOUT is one finding; the others are still checked. With `may_write`, a
    test plan is then written to the store, read and deleted, unless something is wrong there.
    """
    async with open_upstreams(settings) as upstreams:
        parts = await asyncio.gather(
            look_at_drafts(upstreams.retool, deadline=min(settings.retool_timeout, TIMEOUT)),
            _in_time("engine", settings.camunda_url, look_at_engine(upstreams.camunda, settings.camunda_url)),
            look_at_approvals(upstreams, seconds=TIMEOUT),
            _in_time("webhooks", settings.camunda_url, look_at_webhooks(upstreams.camunda, settings)),
            _in_time("store", settings.aidbox_url, look_at_store(upstreams.aidbox, settings.aidbox_url)),
        )
        is_fit = all(finding.grade is not Grade.WRONG for finding in parts[-1])
        written: list[Finding] = []
        if may_write and is_fit:
            digits = look_at_digits(upstreams.aidbox, keeps_digits=settings.aidbox_keeps_digits)
            written = await _in_time("digits", settings.aidbox_url, digits)
    return [finding for part in (*parts, written) for finding in part]


async def _in_time(subject: str, url: str, look: Awaitable[list[Finding]]) -> list[Finding]:
    try:
        async with asyncio.timeout(TIMEOUT):
            return await look
    except TimeoutError:
        return [wrong(subject, f"does not answer in time at {address_of(url)}")]
