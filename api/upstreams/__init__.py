"""The three systems that own all data: connecting to them, by the settings."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urljoin

from pydantic import SecretStr

from api.draft_status import StatusNames
from api.plan_processes import PlanProcesses
from api.settings import OTHER_TYPES, Settings
from api.telemetry import SERVICE, upstream_called, versions_looked_up
from api.upstreams.aidbox.client import Aidbox
from api.upstreams.aidbox.records import PlanVersion
from api.upstreams.camunda.client import Camunda
from api.upstreams.camunda.ownership import Ownership
from api.upstreams.camunda.records import PROCESS_KEY
from api.upstreams.retool.client import Retool
from api.upstreams.retool.failure_messages import failure_messages
from api.upstreams.retool.records import Columns
from fhir_client.version_cache import VersionCache
from resilience.circuit_breaker import CircuitBreaker
from resilience.http.auth import ClientCredentials, basic, bearer
from resilience.http.call import Transports, Upstream, unchanged
from resilience.postgres.database import Database
from resilience.postgres.pool import Connection, Connections
from resilience.tls import secure_context

LARGEST_PLANS = (
    4  # times MAX_PLAN_BYTES: larger plans than can be submitted are still read, so that people can mend them
)


@dataclass(frozen=True)
class Upstreams:
    """The clients of the three systems and the worker processes for plans, shared by all requests and the worker."""

    retool: Retool
    camunda: Camunda
    aidbox: Aidbox
    plan_processes: PlanProcesses


@asynccontextmanager
async def open_upstreams(
    settings: Settings,
    *,
    transports: Transports = unchanged,
    connection_class: type[Connection] = Connection,
) -> AsyncIterator[Upstreams]:
    """Clients of all three systems, without a connection to any yet; their connections are closed at the end.

    `transports` and `connection_class` are where calls can be watched or disturbed at the wire.
    """
    engine = Upstream(
        "camunda",
        settings.camunda_url,
        deadline=settings.camunda_timeout,
        tries=settings.read_tries,
        breaker=_breaker("camunda", settings.camunda_connections, settings),
        auth=_engine_auth(settings),
        tls=secure_context(settings.tls_ca_file, settings.camunda_tls_certificate, settings.camunda_tls_key),
        user_agent=SERVICE,
        observe=upstream_called,
        transports=transports,
    )
    store = Upstream(
        "aidbox",
        settings.aidbox_url,
        deadline=settings.aidbox_timeout,
        tries=settings.read_tries,
        breaker=_breaker("aidbox", settings.aidbox_connections, settings),
        auth=_store_auth(settings),
        tls=secure_context(settings.tls_ca_file, settings.aidbox_tls_certificate, settings.aidbox_tls_key),
        user_agent=SERVICE,
        observe=upstream_called,
        transports=transports,
    )
    connections = Connections(
        settings.retool_database_url.get_secret_value(),
        size=settings.retool_pool_size,
        application_name=SERVICE,
        connection_class=connection_class,
    )
    async with engine, store:
        try:
            columns = columns_of(settings)
            database = Database(
                "retool",
                connections,
                deadline=settings.retool_timeout,
                tries=settings.read_tries,
                breaker=_breaker("retool", settings.retool_pool_size, settings),
                messages=failure_messages(columns.table),
                observe=upstream_called,
            )
            drafts = Retool(
                database, columns, largest=LARGEST_PLANS * settings.max_plan_bytes, type_at=settings.draft_type
            )
            own = ownership_of(settings)
            versions = VersionCache[PlanVersion](settings.kept_versions_bytes, observe=versions_looked_up)
            plans = Aidbox(store, versions, has_provenance=settings.provenance)
            yield Upstreams(drafts, Camunda(engine, own), plans, PlanProcesses(settings.calculating_processes))
        finally:
            await connections.close()


def _breaker(name: str, slots: int, settings: Settings) -> CircuitBreaker:
    return CircuitBreaker(name, slots=slots, failures=settings.breaker_failures, pause=settings.breaker_seconds)


def ownership_of(settings: Settings) -> Ownership:
    """Which processes are this deployment's."""
    keys = dict(settings.process_keys)
    return Ownership(settings.draft_source, keys.pop(OTHER_TYPES, PROCESS_KEY), keys)


def columns_of(settings: Settings) -> Columns:
    """The drafts table as the settings name it."""
    prefix = "drafts_column_"
    named = {name.removeprefix(prefix): value for name, value in settings if name.startswith(prefix)}
    return Columns(table=settings.drafts_table, statuses=StatusNames(settings.draft_statuses), **named)


def _engine_auth(settings: Settings) -> str | None:
    if settings.camunda_token:
        return bearer(settings.camunda_token.get_secret_value())
    return _basic(settings.camunda_username, settings.camunda_password)


def _store_auth(settings: Settings) -> ClientCredentials | str | None:
    if settings.aidbox_auth == "client_credentials" and settings.aidbox_client_id and settings.aidbox_client_secret:
        token_url = settings.aidbox_token_url or urljoin(settings.aidbox_url, "/auth/token")
        return ClientCredentials(token_url, settings.aidbox_client_id, settings.aidbox_client_secret.get_secret_value())
    return _basic(settings.aidbox_client_id, settings.aidbox_client_secret)


def _basic(user: str | None, password: SecretStr | None) -> str | None:
    return basic(user, password.get_secret_value()) if user and password else None
