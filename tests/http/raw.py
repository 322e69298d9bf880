"""Requests as bytes, for what no client library would send; and the one answer to each."""

import socket
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesParser

import orjson

from tests.serving import Api

PATIENCE = 30  # seconds


@dataclass(frozen=True)
class Answered:
    """The first answer on a connection. `is_closed`: the service closed the connection after it."""

    status: int
    headers: Message
    body: bytes
    is_closed: bool

    @property
    def messages(self) -> list[str]:
        """What `errors` of the body say."""
        return [error["message"] for error in orjson.loads(self.body)["errors"]]


def connect(api: Api) -> socket.socket:
    """A connection to the API, to be closed."""
    url = api.client.base_url
    return socket.create_connection((url.host, url.port or 80), timeout=PATIENCE)


def exchange(api: Api, request: bytes) -> Answered:
    """Send these bytes on a connection of their own, and read one answer."""
    with connect(api) as connection:
        connection.sendall(request)
        with connection.makefile("rb") as stream:
            status = int(stream.readline().split()[1])
            headers = BytesParser().parsebytes(b"".join(iter(stream.readline, b"\r\n")), headersonly=True)
            body = stream.read(int(headers["Content-Length"]))
            is_closed = headers["Connection"] == "close" and stream.read(1) == b""
    return Answered(status, headers, body, is_closed)


def post(query: str, *lines: str, trailers: str = "", host: str = "Host: localhost\r\n") -> bytes:
    """A query in one chunk, with these further header lines and trailers."""
    body = orjson.dumps({"query": query})
    head = f"POST /graphql HTTP/1.1\r\n{host}Content-Type: application/json\r\n" + "".join(
        f"{line}\r\n" for line in lines
    )
    framing = (
        "" if any(line.lower().startswith("transfer-encoding") for line in lines) else "Transfer-Encoding: chunked\r\n"
    )
    return f"{head}{framing}\r\n{len(body):x}\r\n".encode() + body + f"\r\n0\r\n{trailers}\r\n".encode()
