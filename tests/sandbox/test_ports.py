"""Free ports: none that the system gives to somebody's connection, and none that is in use. Linux: it reads /proc."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from sandbox import ports
from sandbox.ports import free_listener, free_port, listener_at, port_of

MANY = 50


def test_no_connection_gets_a_port_that_was_chosen() -> None:
    first, last = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text("ascii").split())
    chosen = {free_port() for _ in range(MANY)}
    assert [port for port in chosen if first <= port <= last] == []


def test_two_that_are_held_are_not_the_same() -> None:
    with ExitStack() as held:
        listeners = [held.enter_context(free_listener()) for _ in range(MANY)]
        assert len({port_of(listener) for listener in listeners}) == MANY
        with pytest.raises(OSError, match="in use"):
            listener_at(port_of(listeners[0]))


def test_when_none_is_free_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with free_listener() as held:
        for name in ("LOWEST", "HIGHEST"):
            monkeypatch.setattr(ports, name, port_of(held))
        with pytest.raises(OSError, match=r"^none of 100 ports tried from \d+ to \d+ is free$"):
            free_listener()
