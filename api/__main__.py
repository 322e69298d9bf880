"""The command line, `plan-api` or `python -m api`: every way to start this service, and to look after it.

Each command reads the settings and hands them down; what is wrong with them is one line and exit code 1. What only
looks after the service is imported by its own commands alone: the doctor and the migration, which nothing that serves
may need, and the sandbox, which production installs do not have.
"""

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from prometheus_client import start_http_server
from rich.console import Console

from api import __version__, serving
from api import settings as configuration
from api.coordination.process.worker import work
from api.errors import Misconfigured, ServiceError
from api.schema import schema_text
from api.settings import Settings
from api.telemetry import start_logging
from api.upstreams import columns_of, open_upstreams
from authentication.gateway import gateway_key, new_key
from notifications import demand_public_receivers, notification_work

if TYPE_CHECKING:
    from doctor import Finding
    from sandbox import Sandbox

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="The thin approval API between Retool, Camunda 7 and Aidbox."
)
console = Console()

KEY_PREFIX = "plan_api_"  # recognisable for secret scanners and people
COLOURS = {"ok": typer.colors.GREEN, "warning": typer.colors.YELLOW, "wrong": typer.colors.RED}


def _print_version(is_asked: bool) -> None:  # noqa: FBT001  # typer's interface
    if is_asked:
        typer.echo(f"plan-api {__version__}")
        raise typer.Exit


@app.callback()
def every_command(
    *,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options before the command."""


class EngineName(StrEnum):
    """What `--engine` takes."""

    OPERATON = "operaton"
    CAMUNDA = "camunda"
    CAMUNDA_7_20 = "camunda-7.20"
    CIBSEVEN = "cibseven"


EngineOption = Annotated[
    EngineName, typer.Option(help="The engine to start: Operaton, Camunda 7.24 or 7.20, or CIB seven.")
]
FolderOption = Annotated[Path, typer.Option(help="Where the three systems keep their data.")]
FreshOption = Annotated[bool, typer.Option("--fresh", help="Start empty, not with the data of the last run.")]
PostgresPort = Annotated[int, typer.Option(help="0 for a free one.")]
EnginePort = Annotated[int, typer.Option(help="0 for a free one.")]
StorePort = Annotated[int, typer.Option(help="0 for a free one.")]


@app.command()
def demo(
    *,
    engine: EngineOption = EngineName.OPERATON,
    folder: FolderOption = Path(".sandbox"),
    fresh: FreshOption = False,
    port: Annotated[int, typer.Option(help="Where the API listens.")] = 8000,
    postgres_port: PostgresPort = 0,
    engine_port: EnginePort = 0,
    store_port: StorePort = 0,
) -> None:
    """Everything on this machine: the three real systems, samples in them, and the API before them."""
    sockets = _bound(port)
    with _sandbox(engine, folder, (postgres_port, engine_port, store_port), fresh=fresh) as sandbox:
        from sandbox.demonstration import NOTE, places, prepare  # noqa: PLC0415  # see the module's docstring
        from sandbox.webhook_receiver import printed  # noqa: PLC0415  # as above

        settings = _settings(
            **sandbox.settings,
            **printed(console),
            _env_file=None,
            auth="headers",
            host="127.0.0.1",
            port=port,
            auth_default_user="reviewer",
            auth_default_groups="benefit-reviewers",
            suggestions=True,
        )
        start_logging("warning")
        with console.status("Loading the samples"):
            _run(prepare(settings))
        for name, place in places(sandbox, port).items():
            console.print(f"[bold]{name:9}[/bold] {place}", soft_wrap=True, highlight=False)
        console.print("Ctrl-C stops everything; the data stays for the next start.")
        _serve(settings, note=NOTE, sockets=sockets)


def _bound(port: int) -> list[socket.socket]:
    """The demo's port, before the systems are started, which takes long."""
    with _errors_in_one_line():
        return serving.bind(host="127.0.0.1", ports={"--port": port})


@app.command()
def sandbox(
    *,
    engine: EngineOption = EngineName.OPERATON,
    folder: FolderOption = Path(".sandbox"),
    fresh: FreshOption = False,
    postgres_port: PostgresPort = 0,
    engine_port: EnginePort = 0,
    store_port: StorePort = 0,
) -> None:
    """The three real systems alone, set up, with the samples in them; prints the environment for `serve`."""
    with _sandbox(engine, folder, (postgres_port, engine_port, store_port), fresh=fresh) as started:
        from sandbox.demonstration import prepare  # noqa: PLC0415  # see the module's docstring

        settings = _settings(**started.settings, _env_file=None, auth="headers", host="127.0.0.1")
        start_logging("warning")
        with console.status("Loading the samples"):
            _run(prepare(settings))
        for name, value in started.settings.items():
            typer.echo(f"{name.upper()}={value}")
        typer.echo("AUTH=headers")
        signal.pause()


@contextmanager
def _sandbox(engine: EngineName, folder: Path, ports: tuple[int, int, int], *, fresh: bool) -> Iterator["Sandbox"]:
    # A plain SIGTERM would end this process before it has stopped the others.
    _exit_when_terminated()
    _ask_loopback_directly()
    with _errors_in_one_line():
        try:
            from sandbox import Ports, running  # noqa: PLC0415  # see the module's docstring
        except ModuleNotFoundError as missing:
            message = f"the sandbox is not installed ({missing.name} is missing): pip install 'plan-api[sandbox]'"
            raise Misconfigured(message) from missing

        with running(folder, engine=engine.value, ports=Ports(*ports), fresh=fresh, console=console) as started:
            yield started


def _ask_loopback_directly() -> None:
    """The three systems are on this machine, where no proxy can reach them."""
    named = os.environ.get("no_proxy") or os.environ.get("NO_PROXY")
    excluded = ",".join(filter(None, [named, "127.0.0.1", "localhost"]))
    os.environ.update(dict.fromkeys(("no_proxy", "NO_PROXY"), excluded))


def _exit_when_terminated() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))


@app.command()
def serve() -> None:
    """Serve the API, with the worker unless WORKER=false."""
    # uvicorn takes the signal, finishes, and raises it once more: without this, a good end would look like a kill.
    _exit_when_terminated()
    settings = _settings()
    start_logging(settings.log_level)
    if settings.processes == 1:
        _serve(settings)
    else:
        with _errors_in_one_line():
            serving.serve_side_by_side(settings)


def _serve(settings: Settings, *, note: str = "", sockets: Sequence[socket.socket] = ()) -> None:
    with _errors_in_one_line():
        began = serving.serve(settings, note=note, bound=sockets)
    if not began:
        sys.exit(1)


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
    if settings.worker_metrics_port is not None:
        start_http_server(settings.worker_metrics_port, addr=settings.host)
    await demand_public_receivers(settings)
    async with open_upstreams(settings) as upstreams:
        await work(upstreams, settings, stop, notification_work(settings))


@app.command()
def setup(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the SQL and the model's name; do nothing.")] = False,
    model: Annotated[
        list[Path] | None,
        typer.Option(help="Deploy this file in place of our model; once more for each decision table it uses."),
    ] = None,
    replace_model: Annotated[
        bool, typer.Option("--replace-model", help="Deploy our model although the engine's newest one is your own.")
    ] = False,
    migrate: Annotated[
        bool,
        typer.Option("--migrate", help="Only say how running approvals would move to the newest version of the model."),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --migrate: move them.")] = False,
) -> None:
    """Make the drafts table ready, deploy the process, and say what runs on which version. Safe to repeat."""
    from doctor.setup import script  # noqa: PLC0415  # see the module's docstring

    if yes and not migrate:
        raise typer.BadParameter("it goes with --migrate", param_hint="--yes")
    if migrate and (dry_run or model or replace_model):
        raise typer.BadParameter("it deploys nothing, so it goes with --yes alone", param_hint="--migrate")
    settings = _settings_without_auth()
    if migrate:
        lines, is_whole = _run(_migrate(settings, does_it=yes))
        typer.echo("\n".join(lines))
        raise typer.Exit(0 if is_whole else 1)
    if dry_run:
        typer.echo(script(columns_of(settings)), nl=False)
        named = ", ".join(map(str, model or [Path("bpmn/benefit-approval.bpmn")]))
        kept = "is the same" if model or replace_model else "is the same or a model of your own"
        typer.echo(f"-- and deploys {named} to the engine, unless its newest version {kept}")
        typer.echo("-- and bpmn/benefit-notification.bpmn, unless its newest version is the same")
        return
    for line in _run(_set_up(settings, model or [], replaces_others=replace_model)):
        typer.echo(line)


async def _set_up(settings: Settings, models: Sequence[Path], *, replaces_others: bool) -> list[str]:
    from doctor.setup import as_files, set_up  # noqa: PLC0415  # see the module's docstring
    from doctor.versions import all_described  # noqa: PLC0415

    async with open_upstreams(settings) as upstreams:
        done = await set_up(upstreams, as_files(models), replaces_others=replaces_others)
        return [*done, *await all_described(upstreams.camunda)]


async def _migrate(settings: Settings, *, does_it: bool) -> tuple[list[str], bool]:
    from doctor.model_migration import run_migrations  # noqa: PLC0415  # see the module's docstring

    async with open_upstreams(settings) as upstreams:
        return await run_migrations(upstreams.camunda, does_it=does_it)


@app.command()
def check(
    *,
    write: Annotated[
        bool,
        typer.Option("--write", help="Write, read and delete InsurancePlan/plan-api-check: are digits kept?"),
    ] = False,
) -> None:
    """Look at all three systems and say line by line what is right and what is wrong. Exit code 1 when anything is."""
    from doctor import run_checks  # noqa: PLC0415  # see the module's docstring

    for package in ("api", "resilience"):
        logging.getLogger(package).addHandler(logging.NullHandler())  # the findings say it already
    _print_findings(_run(run_checks(_settings_without_auth(), may_write=write)))


def _print_findings(findings: "Sequence[Finding]") -> None:
    """Each on a line; then exit with 1 when anything is wrong."""
    for finding in findings:
        typer.secho(f"{finding.grade:<8}{finding.subject}: {finding.message}", fg=COLOURS[finding.grade])
    raise typer.Exit(1 if any(finding.grade == "wrong" for finding in findings) else 0)


@app.command()
def webhook(action: Annotated[Literal["test"], typer.Argument(help="Send a test event to each receiver.")]) -> None:  # noqa: ARG001  # one action so far
    """Send an event to each receiver of WEBHOOK_URLS and say what came back. Exit code 1 when one has not taken it."""
    from doctor.webhooks import try_receivers  # noqa: PLC0415  # see the module's docstring

    _print_findings(_run(try_receivers(_settings_without_auth())))


@app.command("import")
def import_old(
    *,
    dsn: Annotated[
        str,
        typer.Option("--from", metavar="DSN", help="The old database; its password also by PGPASSWORD or ~/.pgpass."),
    ],
    table: Annotated[str, typer.Option(help="The old table.")] = "orchestration_state",
    columns: Annotated[
        str, typer.Option(help="Its columns, where named otherwise: draft_id=…,process_id=…; nothing after = for none.")
    ] = "",
    over: Annotated[
        str, typer.Option(help="Its statuses of approvals that have ended, instead of the usual ones.")
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Only say whether the old table can be dropped; exit code 1 if not.")
    ] = False,
    report: Annotated[Path | None, typer.Option(help="Where to write the report as JSON.")] = None,
) -> None:
    """Adopt the approvals of the service with a database. Safe to stop and to repeat. Exit code 1 while rows remain."""
    with _errors_in_one_line():
        from migration import command  # noqa: PLC0415  # see the module's docstring

        old = command.old_table(dsn, table, columns, over)
    settings = _settings_without_auth()
    done = command.run(settings, old, is_dry_run=dry_run, verifies=verify, report=report, console=console)
    raise typer.Exit(_run(done))


@app.command()
def schema() -> None:
    """Print the GraphQL schema, as committed in schema.graphql."""
    typer.echo(schema_text(), nl=False)


@app.command()
def key(
    name: Annotated[str, typer.Argument(help="What the log calls its holder.")] = "retool",
    *,
    trusted: Annotated[bool, typer.Option("--trusted", help="Its holder may name others in `userId`.")] = False,
) -> None:
    """Make a key for a gateway. It is shown this once; the service needs its entry alone."""
    made, entry = new_key(name, prefix=KEY_PREFIX, trusted=trusted)
    try:
        gateway_key(entry)
    except ValueError:
        raise typer.BadParameter("a name has letters, digits, and . _ - only", param_hint="NAME") from None
    typer.echo(f"key for the gateway:     {made}")
    typer.echo(f"entry for GATEWAY_KEYS:  {entry}")


@app.command("settings")
def print_settings() -> None:
    """Print every setting with its default and meaning, as docs/settings.md has them."""
    from doctor.settings_page import page  # noqa: PLC0415  # see the module's docstring

    typer.echo(page(), nl=False)


@contextmanager
def _errors_in_one_line() -> Iterator[None]:
    try:
        yield
    except ServiceError as error:
        typer.secho(f"plan-api: {error}", err=True, fg=typer.colors.RED)
        raise typer.Exit(1) from error


def _run(task: Coroutine[Any, Any, Any]) -> Any:
    with _errors_in_one_line():
        return asyncio.run(task)


def _settings(**given: object) -> Settings:
    with _errors_in_one_line():
        return configuration.read(**given)


def _settings_without_auth() -> Settings:
    """For commands that nobody asks over the network: how callers are known does not matter."""
    return _settings(auth="headers", host="127.0.0.1")


if __name__ == "__main__":
    app()
