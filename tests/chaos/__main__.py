"""`make chaos`: the sandbox with its data made durable, a run of minutes, and its report. Exit code 1 if it is bad."""

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

from api import settings as configuration
from api.upstreams import open_upstreams
from doctor.setup import set_up
from sandbox import Sandbox, running
from sandbox.engines import ENGINES
from tests.chaos.report import report
from tests.chaos.run import run


def main() -> int:
    arguments = _arguments()
    console = Console(soft_wrap=True, highlight=False)
    console.print(f"chaos: seed {arguments.seed}, {arguments.minutes} minutes")
    with tempfile.TemporaryDirectory(prefix="chaos-") as made:
        folder = arguments.folder or Path(made)
        logs = folder / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        with running(folder, engine=arguments.engine, durable=True, console=console) as sandbox:
            asyncio.run(_set_up(sandbox))
            began = time.monotonic()
            ledger, verdict = run(
                sandbox,
                logs,
                seed=arguments.seed,
                seconds=arguments.minutes * 60,
                tell=lambda line: console.print(f"{time.monotonic() - began:6.1f} s  {line}"),
            )
    console.print(report(ledger, verdict, arguments.seed))
    return 0 if verdict.is_good else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=int(time.time()), help="the same faults and draws again")
    parser.add_argument("--minutes", type=float, default=4, help="how long faults go on")
    parser.add_argument("--engine", choices=tuple(ENGINES), default="operaton")
    parser.add_argument("--folder", type=Path, help="where data and logs are kept; by default they are thrown away")
    return parser.parse_args()


async def _set_up(sandbox: Sandbox) -> None:
    settings = configuration.read(
        _env_file=None,
        retool_database_url=sandbox.retool_database_url,
        camunda_url=sandbox.camunda_url,
        camunda_username=sandbox.camunda_username,
        camunda_password=sandbox.camunda_password,
        aidbox_url=sandbox.aidbox_url,
        auth="headers",
    )
    async with open_upstreams(settings) as upstreams:
        await set_up(upstreams)


if __name__ == "__main__":
    sys.exit(main())
