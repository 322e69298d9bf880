"""Which receivers are accepted, and which addresses deliveries may go to: tables of cases, and real connections."""

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from pydantic import SecretStr
from standardwebhooks import Webhook, WebhookVerificationError

from tests.webhooks.receiver import HOST, SECRET
from tests.webhooks.receiver import Receiver as Local
from webhooks import AddressRefused, DeliveryFailed, Event, Limits, Receiver, deliver, demand_allowed, receivers_of
from webhooks.addresses import demand_public, is_public
from webhooks.event import body_of

EVENTS = ("submitted", "failed")
EVENT = Event(
    "e-1", "t", "/s", "d", datetime(2027, 1, 1, tzinfo=UTC), {"a": 1}, "Draft <d> & more", "https://x.example/"
)
LIMITS = Limits(5, frozenset({HOST}), ssl.create_default_context(), "test")
CRM = f'"url": "https://crm.example.com/hook", "secret": "{SECRET}"'


def test_a_list() -> None:
    one, chat = receivers_of(
        f'[{{{CRM}, "events": ["failed"]}}, {{"name": "chat", "url": "https://hooks.slack.com/x", "format": "slack"}}]',
        events=EVENTS,
    )
    assert (one.name, one.host, one.wants("failed"), one.wants("submitted")) == (
        *("crm.example.com", "crm.example.com"),
        *(True, False),
    )
    assert (chat.name, chat.format, chat.wants("submitted")) == ("chat", "slack", True)
    assert "MfKQ" not in repr(one)
    assert "/x" not in repr(chat)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("crm", "a JSON list of receivers is needed: JSON is malformed: invalid character (byte 0)"),
        ("[{}]", "a JSON list of receivers is needed: Object missing required field `url` - at `$[0]`"),
        (f'[{{{CRM}, "event": []}}]', "a JSON list of receivers is needed: Object contains unknown field `event` - at"),
        (f'[{{{CRM}, "format": "sms"}}]', "a JSON list of receivers is needed: Invalid enum value 'sms' - at"),
        (
            f'[{{{CRM}, "events": ["paid"]}}]',
            "crm.example.com asks for unknown events, paid; there are failed, submitted",
        ),
        (f"[{{{CRM}}}, {{{CRM}}}]", "each receiver needs a name of its own; without one it is called like its host"),
        (f'[{{{CRM}, "name": "a,b"}}]', "receiver 1 needs a name of letters, digits, and . _ - only"),
        (
            '[{"url": "https://crm.example.com/"}]',
            "crm.example.com needs a secret, whsec_ and 24 to 64 random bytes in",
        ),
        ('[{"url": "https://crm.example.com/", "secret": "whsec_c2hvcnQ="}]', "crm.example.com needs a secret, whsec_"),
        ('[{"url": "https://crm.example.com/", "secret": "whsec_Geheim!"}]', "crm.example.com needs a secret, whsec_"),
        ('[{"url": "ftp://crm.example.com/Geheim"}]', "receiver 1 needs a url, https://… without user, password and"),
        ('[{"url": "https://u:Geheim@crm.example.com/"}]', "receiver 1 needs a url, https://… without user, password"),
        ('[{"url": "https://crm.example.com:99999/Geheim"}]', "receiver 1 needs a url, https://…"),
        ('[{"url": "Geheim"}]', "receiver 1 needs a url, https://… without user, password and fragment"),
        ('[{"url": ""}]', "receiver 1 needs a url, https://… without user, password and fragment"),
    ],
)
def test_what_is_no_list_is_told_without_secrets(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=r".+") as refused:
        receivers_of(text, events=EVENTS)
    assert str(refused.value).startswith(words)
    assert "Geheim" not in str(refused.value)
    assert "MfKQ" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://crm.example.com/hook", None),
        ("https://CRM.example.com/hook", None),
        ("https://a.hooks.example.com/hook", None),
        ("http://10.0.0.7:8080/hook", None),
        ("https://hooks.example.com/hook", "WEBHOOK_ALLOWED_HOSTS has not the host of receiver r"),
        ("https://evilhooks.example.com.evil.example/hook", "WEBHOOK_ALLOWED_HOSTS has not the host of receiver r"),
        ("https://crm.example.com.evil.example/hook", "WEBHOOK_ALLOWED_HOSTS has not the host of receiver r"),
        ("https://crm.example.com./hook", "WEBHOOK_ALLOWED_HOSTS has not the host of receiver r"),
        ("https://127.0.0.1/hook", "WEBHOOK_ALLOWED_HOSTS has not the host of receiver r"),
        ("http://crm.example.com/hook", "receiver r needs an https:// address, or its host in WEBHOOK_PRIVATE_HOSTS"),
    ],
)
def test_the_allow_list(url: str, words: str | None) -> None:
    allowed, private = {"crm.example.com", "*.hooks.example.com"}, {"10.0.0.7"}
    if words is None:
        demand_allowed([Receiver("r", SecretStr(url))], allowed=allowed, private=private)
        return
    with pytest.raises(ValueError, match=r".+") as refused:
        demand_allowed([Receiver("r", SecretStr(url))], allowed=allowed, private=private)
    assert str(refused.value) == words


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1:248:1893:25c8:1946", True),
        ("::ffff:93.184.216.34", True),
        ("64:ff9b::5db8:d822", True),
        ("127.0.0.1", False),
        ("127.8.8.8", False),
        ("0.0.0.0", False),  # noqa: S104  # what is refused
        ("10.0.0.1", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("192.0.2.1", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::", False),
        ("fe80::1", False),
        ("fe80::1%eth0", False),
        ("fc00::1", False),
        ("fec0::1", False),
        ("ff02::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:169.254.169.254", False),
        ("64:ff9b::a9fe:a9fe", False),
        ("2002:7f00:1::", False),
        ("2001:0:53aa:64c:0:0:0:1", False),
        ("no address", False),
    ],
)
def test_public_addresses(address: str, expected: bool) -> None:  # noqa: FBT001  # a parameter of cases
    assert is_public(address) is expected


@pytest.mark.anyio
@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1", "[::1]", "127.1", "2130706433", "0x7f000001", "[::ffff:7f00:1]"]
)
async def test_this_machine_is_refused_at_the_start_and_at_sending(host: str) -> None:
    """In whatever way it is written; some are no addresses to us, but to the resolver."""
    receiver = Receiver("r", SecretStr(f"http://{host}:1/hook"))
    with pytest.raises(AddressRefused):
        await demand_public([receiver], private=(), seconds=5)
    with pytest.raises(DeliveryFailed, match=r"has an address that is not public|\(InvalidUrlClientError\)"):
        await deliver(receiver, EVENT, Limits(5, (), LIMITS.tls, "test"))


@pytest.mark.anyio
async def test_a_host_that_can_not_be_resolved_now_is_no_reason_not_to_start() -> None:
    receiver = Receiver("r", SecretStr("https://no-such-host.invalid/hook"))
    await demand_public([receiver], private=(), seconds=5)
    with pytest.raises(DeliveryFailed, match=r"r could not be reached \(ClientConnectorDNSError\)"):
        await deliver(receiver, EVENT, LIMITS)


@pytest.mark.anyio
async def test_a_signature_holds_for_its_body_alone(receiver: Local) -> None:
    (listed,) = receivers_of(f'[{{"url": "http://{HOST}:{receiver.port}/hook", "secret": "{SECRET}"}}]', events=())
    assert await deliver(listed, EVENT, LIMITS) == 204
    (got,) = receiver.got
    assert got.event == {
        "specversion": "1.0",
        "id": "e-1",
        "type": "t",
        "source": "/s",
        "subject": "d",
        "time": "2027-01-01T00:00:00.000Z",
        "datacontenttype": "application/json",
        "data": {"a": 1},
    }
    assert (got.headers["user-agent"], got.headers["webhook-id"]) == ("test", "e-1")
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(got.body.replace("1", "2"), got.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(got.body, {**got.headers, "webhook-id": "e-2"})


def test_messages_for_chats() -> None:
    assert body_of(EVENT, "slack") == (
        "application/json; charset=utf-8",
        '{"text":"Draft &lt;d&gt; &amp; more\\n<https://x.example/|Open>"}',
    )
    media_type, body = body_of(EVENT, "teams")
    assert media_type == "application/json; charset=utf-8"
    assert '"contentType":"application/vnd.microsoft.card.adaptive"' in body
    assert '{"type":"TextRun","text":"Draft <d> & more"}' in body
    assert '"actions":[{"type":"Action.OpenUrl","title":"Open","url":"https://x.example/"}]' in body


@contextmanager
def saying(answer: bytes, *, then_hangs: bool = False) -> Iterator[int]:
    """A server that answers these bytes to everything, and may keep the connection open after them."""
    ended = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.wfile.write(answer)
            self.wfile.flush()
            if then_hangs:
                ended.wait(60)
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer((HOST, 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        ended.set()
        server.shutdown()
        server.server_close()
        thread.join()


ENDLESS = b"HTTP/1.1 %s\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("answer", "hangs", "expected"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", False, 200),
        (ENDLESS % b"200 OK", True, 200),
        (ENDLESS % b"500 No" + b"4\r\nno\x00!\r\n", True, "r answered 500: no !"),
        (
            b"HTTP/1.1 404 No\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1_000_000,
            False,
            f"r answered 404: {'x' * 200}",
        ),
        (ENDLESS % b"500 No", True, "r has not answered within 1 s"),
        (
            b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
            False,
            "r could not be reached (ClientResponseError)",
        ),
        (b"nonsense\r\n\r\n", False, "r could not be reached (ClientResponseError)"),
        (b"", False, "r could not be reached (ServerDisconnectedError)"),
    ],
    ids=["ok", "endless ok", "endless failure", "large", "hangs in the body", "large header", "no HTTP", "nothing"],
)
async def test_answers(answer: bytes, hangs: bool, expected: int | str) -> None:  # noqa: FBT001  # a parameter of cases
    limits = Limits(1, LIMITS.private, LIMITS.tls, "test")
    with saying(answer, then_hangs=hangs) as port:
        receiver = Receiver("r", SecretStr(f"http://{HOST}:{port}/hook"))
        if isinstance(expected, int):
            assert await deliver(receiver, EVENT, limits) == expected
            return
        with pytest.raises(DeliveryFailed) as failed:
            await deliver(receiver, EVENT, limits)
    assert str(failed.value) == expected


@pytest.mark.anyio
async def test_nobody_there() -> None:
    with saying(b"") as port:
        pass
    receiver = Receiver("r", SecretStr(f"http://{HOST}:{port}/hook"))
    with pytest.raises(DeliveryFailed, match=r"r could not be reached \(ClientConnectorError\)"):
        await asyncio.wait_for(deliver(receiver, EVENT, LIMITS), 5)
