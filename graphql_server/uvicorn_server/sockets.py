"""Sockets to listen on: bound before anything else is started, one for each address and, on Linux, each process."""

import errno
import os
import socket
import sys
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

NO_SUCH_ADDRESS = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)  # a name may have addresses that this machine has not


class CannotServe(Exception):
    """A port or a folder that the server cannot have; the text says which, by the names of their settings."""


def bind(host: str, ports: Mapping[str, int]) -> list[socket.socket]:
    """Sockets bound to these ports, by the names of their settings; they do not listen yet.

    Raises CannotServe, in one line, when a port is taken or can not be bound.
    """
    return [made for name, port in ports.items() for made in _bound(host, name, port)]


def _bound(host: str, name: str, port: int) -> Iterator[socket.socket]:
    """A socket for each address of the host, as `localhost` may have two; for port 0 only one."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise CannotServe(f"HOST is wrong: {host} is no address of this machine ({error.strerror})") from None
    addresses = list(dict.fromkeys((family, address) for family, _, _, _, address in found))
    for family, address in addresses[:1] if port == 0 else addresses:
        try:
            yield _socket_at(family, address)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                taken = f"port {port} at {host} is taken by another program"
                raise CannotServe(f"{taken}: choose another with {name}, or stop that one") from None
            if error.errno not in NO_SUCH_ADDRESS or len(addresses) == 1:
                raise CannotServe(f"port {port} at {host} can not be listened on: {error.strerror}") from None


def _socket_at(family: int, address: tuple[Any, ...]) -> socket.socket:
    # With the protocol named asyncio switches Nagle's algorithm off, which delays every second answer.
    made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(address)
    except OSError:
        made.close()
        raise
    return made


class SocketPerProcess(NamedTuple):
    """A stand-in for a socket that is pickled as a new socket, for the same address, in each process.

    Linux spreads new connections over such sockets (SO_REUSEPORT). Of one socket in common, the process that wakes
    first takes nearly all: 15 of 16 clients were seen at one of two.
    """

    family: int
    address: tuple[Any, ...]

    def __reduce__(self) -> tuple[Any, ...]:
        return bound_beside, (self.family, self.address)


def per_process(bound: socket.socket) -> Any:
    """On Linux, a stand-in that each process turns into its own socket; elsewhere the socket itself.

    It was bound to find out whether anybody else has the port.
    """
    if sys.platform != "linux":
        return bound
    family, address = bound.family, bound.getsockname()
    bound.close()
    return SocketPerProcess(family, address)


def bound_beside(family: int, address: tuple[Any, ...]) -> socket.socket:
    """A new socket with SO_REUSEPORT, beside others of the same address."""
    own = socket.socket(family)
    own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    own.bind(address)
    return own
