"""The faults of a run: a seeded draw of what befalls what, each with its beginning and its end. Used by run.py."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from tests.chaos.stage import SYSTEMS, Replica, Stage
from tests.wire import PASS, Cut, Hang, Pass, Refuse
from tests.wire import Fault as AtWire

Act = Callable[[], None]


@dataclass(frozen=True)
class Fault:
    """`begin` and `end` block; in between lie `seconds`. After `end` everything is as it was, and answers."""

    name: str
    begin: Act
    end: Act
    seconds: float


def drawn(random: Random, stage: Stage, *, quick: bool) -> Iterator[list[Fault]]:
    """For ever: one fault, or two that overlap. `quick` leaves out what takes long to come back."""
    kinds: list[tuple[int, Callable[[], Fault]]] = [
        (5, lambda: _kill_replica(random, stage)),
        (4, lambda: _pause_replica(random, stage)),
        (8, lambda: _at_one_wire(random, stage)),
        (4, lambda: _at_both_wires(random, stage)),
        (4, lambda: _pause_system(random, stage)),
        (3, lambda: _kill_database(random, stage)),
    ]
    if not quick:
        kinds += [
            (2, lambda: _kill_system(random, stage, "camunda")),
            (2, lambda: _kill_system(random, stage, "aidbox")),
        ]
    weights = [weight for weight, _ in kinds]
    while True:
        count = random.choice([1, 1, 2])
        chosen = [kind() for _, kind in random.choices(kinds, weights, k=count)]
        # two of one thing would end each other
        yield chosen if len({fault.name.split()[1] for fault in chosen}) == len(chosen) else chosen[:1]


def _replica(random: Random, stage: Stage) -> Replica:
    return random.choice(stage.replicas)


def _kill_replica(random: Random, stage: Stage) -> Fault:
    replica = _replica(random, stage)
    return Fault(f"kill {replica.name}", replica.server.kill, replica.server.start, random.uniform(0, 4))


def _pause_replica(random: Random, stage: Stage) -> Fault:
    """Often for longer than its locks last: then it goes on in the middle of what somebody else has done since."""
    replica = _replica(random, stage)
    return Fault(f"pause {replica.name}", replica.server.pause, replica.server.resume, random.uniform(1, 12))


def _at_one_wire(random: Random, stage: Stage) -> Fault:
    return _at_wires(random, [_replica(random, stage)])


def _at_both_wires(random: Random, stage: Stage) -> Fault:
    return _at_wires(random, stage.replicas)


def _at_wires(random: Random, replicas: list[Replica]) -> Fault:
    system = random.choice(SYSTEMS)
    kinds: list[tuple[str, AtWire]] = [
        ("cut", Cut(random.choice([0, 1, 30, 400, 2000]))),
        ("hang", Hang()),
        ("refuse", Refuse()),
        ("slow", Pass(random.uniform(0.02, 0.6))),
    ]
    kind, fault = random.choice(kinds)
    wires = [replica.wires[system] for replica in replicas]

    def become(at_wire: AtWire) -> Act:
        def act() -> None:
            for each in wires:
                each.become(at_wire)

        return act

    of = replicas[0].name if len(replicas) == 1 else "both"
    return Fault(f"{kind} {system} of {of}", become(fault), become(PASS), random.uniform(0.5, 8))


def _pause_system(random: Random, stage: Stage) -> Fault:
    system = random.choice(SYSTEMS)
    server = stage.systems[system]
    return Fault(f"pause {system}", server.pause, server.resume, random.uniform(0.5, 8))


def _kill_database(random: Random, stage: Stage) -> Fault:
    """It takes the data of engine and store along; should one of them end for it, it is started anew."""
    servers = [stage.systems[system] for system in SYSTEMS]

    def start() -> None:
        for server in servers:
            server.start()

    return Fault("kill retool", servers[0].kill, start, random.uniform(0, 3))


def _kill_system(random: Random, stage: Stage, system: str) -> Fault:
    server = stage.systems[system]
    return Fault(f"kill {system}", server.kill, server.start, random.uniform(0, 3))
