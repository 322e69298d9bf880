"""The three systems that own everything. `open_upstreams` is called by `app` and by the command line."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

import httpx
import psycopg
from pydantic import SecretStr

from api.draft_status import StatusNames
from api.plan_processes import PlanProcesses
from api.settings import Settings
from api.tls import secure_context
from api.upstreams.aidbox.client import Aidbox
from api.upstreams.aidbox.version_cache import VersionCache
from api.upstreams.camunda.client import Camunda
from api.upstreams.camunda.ownership import Ownership
from api.upstreams.circuit_breaker import Capacity
from api.upstreams.http.auth import ClientCredentials, basic, bearer
from api.upstreams.http.call import Transports, Upstream
from api.upstreams.retool.client import Retool
from api.upstreams.retool.pool import Connections
from api.upstreams.retool.records import Columns

LARGEST_PLANS = 4  # a plan of so many times what can be submitted is still read, to be mended


@dataclass(frozen=True)
class Upstreams:
    """The three open connections, and where plans are compared; shared by all requests and the worker."""

    retool: Retool
    camunda: Camunda
    aidbox: Aidbox
    plan_processes: PlanProcesses


def unchanged(_name: str, transport: httpx.AsyncBaseTransport) -> httpx.AsyncBaseTransport:
    """The transport of an upstream, undisturbed."""
    return transport


@asynccontextmanager
async def open_upstreams(
    settings: Settings,
    *,
    transports: Transports = unchanged,
    connection_class: type[psycopg.AsyncConnection[Any]] = psycopg.AsyncConnection,
) -> AsyncIterator[Upstreams]:
    """Connect to all three without waiting for any, and close them at the end.

    `transports` and `connection_class` are where calls can be watched or disturbed at the wire.
    """
    engine = Upstream(
        "camunda",
        settings.camunda_url,
        deadline=settings.camunda_timeout,
        tries=settings.read_tries,
        capacity=_capacity("camunda", settings.camunda_connections, settings),
        auth=_engine_auth(settings),
        tls=secure_context(settings.tls_ca_file, settings.camunda_tls_certificate, settings.camunda_tls_key),
        transports=transports,
    )
    store = Upstream(
        "aidbox",
        settings.aidbox_url,
        deadline=settings.aidbox_timeout,
        tries=settings.read_tries,
        capacity=_capacity("aidbox", settings.aidbox_connections, settings),
        auth=_store_auth(settings),
        tls=secure_context(settings.tls_ca_file, settings.aidbox_tls_certificate, settings.aidbox_tls_key),
        transports=transports,
    )
    connections = Connections(
        settings.retool_database_url.get_secret_value(),
        size=settings.retool_pool_size,
        connection_class=connection_class,
    )
    async with engine, store:
        try:
            drafts = Retool(
                connections,
                columns_of(settings),
                deadline=settings.retool_timeout,
                tries=settings.read_tries,
                largest=LARGEST_PLANS * settings.max_plan_bytes,
                capacity=_capacity("retool", settings.retool_pool_size, settings),
            )
            own = Ownership(settings.draft_source)
            plans = Aidbox(store, VersionCache(settings.kept_versions_bytes))
            yield Upstreams(drafts, Camunda(engine, own), plans, PlanProcesses(settings.calculating_processes))
        finally:
            await connections.close()


def _capacity(name: str, places: int, settings: Settings) -> Capacity:
    return Capacity(name, places=places, failures=settings.breaker_failures, pause=settings.breaker_seconds)


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
