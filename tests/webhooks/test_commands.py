"""Webhooks for operators: what is refused at the start, `plan-api check`, and `plan-api webhook test`."""

import json

import httpx

from api.settings import Settings
from tests.commands.running import run
from tests.webhooks.receiver import HOST, SECRET, Receiver

KEY = "benefit-notification"


def configured(*entries: object, **further: str) -> dict[str, str]:
    """The environment with these receivers, which may be on this machine."""
    return {"WEBHOOK_URLS": json.dumps(entries), "WEBHOOK_PRIVATE_HOSTS": HOST, **further}


def test_each_receiver_gets_a_test(settings: Settings, receiver: Receiver, second: Receiver) -> None:
    second.status = 500
    ran = run(settings, "webhook", "test", **configured(receiver.entry(events=["failed"]), second.entry(name="crm")))
    assert (ran.lines, ran.code) == (
        [f"ok      local-{receiver.port}: answered 204", "wrong   crm: crm answered 500"],
        1,
    )
    (got,) = receiver.got
    assert (got.event["type"], got.event["data"]) == ("plan-api.approval.test", {"event": "test"})
    assert got.id == second.got[0].id
    assert run(settings, "webhook", "test").lines == ["warning webhooks: WEBHOOK_URLS names no receiver"]


def test_what_is_refused_at_the_start_is_one_line_without_secrets(settings: Settings, receiver: Receiver) -> None:
    entry = receiver.entry()
    for given, line in (
        (
            {"WEBHOOK_URLS": json.dumps([entry])},
            f"plan-api: WEBHOOK_ALLOWED_HOSTS has not the host of receiver {entry['name']}",
        ),
        (
            {"WEBHOOK_URLS": f"[{SECRET}]"},
            "plan-api: WEBHOOK_URLS is wrong (a JSON list of receivers is needed: JS",
        ),
        (
            {
                "WEBHOOK_URLS": json.dumps([{**entry, "url": "https://localhost/hook"}]),
                "WEBHOOK_ALLOWED_HOSTS": "localhost",
            },
            "plan-api: WEBHOOK_URLS is wrong: localhost has an address that is not public, so nothing is sent there;",
        ),
    ):
        ran = run(settings, "worker", AUTH="headers", **given)
        assert ran.code == 1
        assert ran.errors.startswith(line)
        assert ran.errors.count("\n") == 1
        assert "MfKQ" not in ran.errors
    assert receiver.got == []


def _webhook_lines(settings: Settings, receiver: Receiver, **further: str) -> list[str]:
    ran = run(settings, "check", **configured(receiver.entry(name="crm"), **further))
    return [line for line in ran.lines if "webhooks:" in line]


def test_check_looks_at_the_process_that_notifies(settings: Settings, engine: httpx.Client, receiver: Receiver) -> None:
    assert _webhook_lines(settings, receiver) == ["ok      webhooks: sent to crm"]
    suspended = {"processDefinitionKey": KEY, "suspended": True}
    engine.put("/process-definition/suspended", json=suspended).raise_for_status()
    try:
        assert _webhook_lines(settings, receiver) == [
            f"wrong   webhooks: {KEY} is suspended, so events are lost: activate it in Cockpit"
        ]
    finally:
        engine.put("/process-definition/suspended", json={**suspended, "suspended": False}).raise_for_status()
    assert [line for line in run(settings, "check").lines if "webhooks:" in line] == []
