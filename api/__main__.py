"""The command line, `plan-api` or `python -m api`: every way to start this service, and to look after it.

Each command reads the settings, hands them down, and turns a `Misconfigured` into one line and exit code 1.
"""

import asyncio
import signal
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
import uvicorn
from rich.console import Console

from api import settings as configuration
from api.app import build_app
from api.check import run_checks
from api.coordination.worker import work
from api.errors import ApprovalApiError
from api.schema import schema_text
from api.settings import Settings
from api.setup import script, set_up
from api.telemetry import start_logging
from api.upstreams import columns_of, open_upstreams

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="The thin approval API between Retool, Camunda 7 and Aidbox."
)
console = Console()


@contextmanager
def _told_in_one_line() -> Iterator[None]:
    try:
        yield
    except ApprovalApiError as error:
        typer.secho(f"plan-api: {error}", err=True, fg=typer.colors.RED)
        raise typer.Exit(1) from error


def _run(work_to_do: Coroutine[Any, Any, Any]) -> Any:
    with _told_in_one_line():
        return asyncio.run(work_to_do)


def _settings(**overrides: object) -> Settings:
    with _told_in_one_line():
        return configuration.read(**overrides)


@app.command()
def serve() -> None:
    """Serve the API, with the worker unless WORKER=false."""
    settings = _settings()
    start_logging(settings.log_level)
    serve_until_stopped(settings)


def serve_until_stopped(settings: Settings, *, note: str = "") -> None:
    """Run uvicorn in this thread. It finishes the requests under way when it is asked to stop."""
    uvicorn.run(
        build_app(settings, note=note),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=20,
    )


@app.command()
def worker() -> None:
    """Run the worker alone: it carries out what requests left behind."""
    settings = _settings()
    start_logging(settings.log_level)
    _run(_work_until_stopped(settings))


async def _work_until_stopped(settings: Settings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with open_upstreams(settings) as upstreams:
        await work(upstreams, settings, stop)


@app.command()
def setup(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the SQL and the model's name; do nothing.")] = False,
) -> None:
    """Make the drafts table ready and deploy the process. Safe to repeat."""
    settings = _settings(auth="headers", host="127.0.0.1")
    if dry_run:
        typer.echo(script(columns_of(settings)), nl=False)
        typer.echo("-- and deploys bpmn/benefit-approval.bpmn to the engine, unless its newest version is the same")
        return
    for line in _run(_set_up(settings)):
        typer.echo(line)


async def _set_up(settings: Settings) -> list[str]:
    async with open_upstreams(settings) as upstreams:
        return await set_up(upstreams)


@app.command()
def check() -> None:
    """Look at all three systems and say line by line what is right and what is wrong. Exit code 1 when anything is."""
    findings = _run(run_checks(_settings(auth="headers", host="127.0.0.1")))
    for finding in findings:
        mark, colour = ("ok  ", typer.colors.GREEN) if finding.is_right else ("FAIL", typer.colors.RED)
        typer.secho(f"{mark} {finding.subject}: {finding.told}", fg=colour)
    raise typer.Exit(0 if all(finding.is_right for finding in findings) else 1)


@app.command()
def schema() -> None:
    """Print the GraphQL schema, as committed in schema.graphql."""
    typer.echo(schema_text(), nl=False)
