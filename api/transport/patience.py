"""The server's protocol with an end to its patience: a request's head has to come in time and may not be endless.

uvicorn by itself waits for ever for a head that has begun, or for a first one. The rest of a body that nobody needs,
its request being answered already, is let by, so that the answer is read. Called by `__main__` and the tests.
"""

import asyncio
from http import HTTPStatus
from typing import Any

import orjson
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from api.transport.asking import State

# seconds a connection is kept between requests: longer than clients and balancers keep theirs (60 seconds is usual), or
# they would send a request just when it is closed
LONGEST_IDLE = 75
LARGEST_HEAD = 65_536  # bytes
LARGEST_REST = 1_048_576  # bytes
LAST_WORDS = b"HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s"


def server_options() -> dict[str, Any]:
    """How uvicorn is to serve the service: parameters of `uvicorn.Config`, wherever it listens."""
    return {
        "http": Patient,
        "timeout_keep_alive": LONGEST_IDLE,
        "ws": "none",
        "lifespan": "on",
        "log_config": None,
        "access_log": False,
        "server_header": False,
    }


class Patient(HttpToolsProtocol):
    """One connection. The clock runs whenever the next request's head is awaited and something of it may have come."""

    config: Config
    app_state: dict[str, State]
    cycle: RequestResponseCycle | None  # type: ignore[assignment]  # None before the first request, whatever uvicorn says
    _clock: asyncio.TimerHandle | None = None
    _awaited: int = 0
    _let_by: int = 0
    _in_body: bool = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """A first head is awaited from the start."""
        super().connection_made(transport)
        self._patience = self.app_state["held"].settings.receive_seconds
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is awaited any longer."""
        self._stop()
        super().connection_lost(exc)

    def on_headers_complete(self) -> None:
        """The parser: a body begins, be it empty."""
        self._in_body = True
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The parser: what comes next is another head."""
        self._in_body = False
        super().on_message_complete()

    def data_received(self, data: bytes) -> None:
        """Let the parser have it; then a request is under way, or the rest of one is let by, or a head is awaited."""
        rest = self._in_body
        super().data_received(data)
        if self._is_under_way():
            self._stop()
            return
        self._wait()
        if rest:
            self._let_by += len(data)
        else:
            self._awaited += len(data)
        if self._awaited > LARGEST_HEAD or self._let_by > LARGEST_REST:
            self._end(431, f"The head of a request may have at most {LARGEST_HEAD} bytes.", "REQUEST_TOO_LARGE")

    def _is_under_way(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _wait(self) -> None:
        if self._clock is None:
            words = f"The head of a request has to come within {self._patience:g} seconds."
            self._clock = self.loop.call_later(self._patience, self._end, 408, words, "REQUEST_TOO_SLOW")

    def _stop(self) -> None:
        self._awaited = self._let_by = 0
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def _end(self, status: int, message: str, code: str) -> None:
        """Close, with a word to whoever has said something and not been answered before."""
        if self._is_under_way() or self.transport.is_closing():
            return
        if self.cycle is None and self._awaited:
            body = orjson.dumps({"errors": [{"message": message, "extensions": {"code": code}}]})
            self.transport.write(LAST_WORDS % (status, HTTPStatus(status).phrase.encode(), len(body), body))
        self.transport.close()
