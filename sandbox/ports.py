"""Free ports that nothing else gets before a server listens.

A server needs seconds until it listens, and one that was killed comes back on its port. A port that the system itself
chooses (0) can by then be the near end of somebody's connection; it chooses none of those here, on Linux or macOS.
"""

import random
import socket

LOWEST, HIGHEST = 20_000, 32_767
TRIES = 100


def listener_at(port: int, *, again: bool = True) -> socket.socket:
    """A socket that holds this port; OSError when it is in use. `again`: what ended there a moment ago does not count.

    Those taken again do not keep each other out until one listens.
    """
    listener = socket.socket()
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(again))
        listener.bind(("127.0.0.1", port))
    except OSError:
        listener.close()
        raise
    return listener


def free_listener() -> socket.socket:
    """A socket that holds a free port; OSError when none was found."""
    draw = random.SystemRandom()  # a seed that several processes share would give them the same ports
    for _ in range(TRIES):
        try:
            return listener_at(draw.randint(LOWEST, HIGHEST), again=False)
        except OSError:
            continue
    raise OSError(f"none of {TRIES} ports tried from {LOWEST} to {HIGHEST} is free")


def free_port() -> int:
    """A free port."""
    with free_listener() as listener:
        return port_of(listener)


def port_of(listener: socket.socket) -> int:
    return int(listener.getsockname()[1])
