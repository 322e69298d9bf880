"""Every setting, read once from the environment and `.env`, then frozen. Read by `__main__`, handed down as parameters.

The names are the environment's, in small letters. `page` makes docs/settings.md; a test compares.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, FilePath, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from api.draft_status import status_names
from api.errors import Misconfigured
from api.tls import secure_context

LOOPBACK = ("127.0.0.1", "::1", "localhost")


def _http_url(value: str) -> str:
    if not value.startswith(("http://", "https://")) or not _has_host_and_port(value):
        raise ValueError("an http:// or https:// address is needed")
    if "@" in urlsplit(value).netloc:
        raise ValueError("an address without user and password is needed; they have settings of their own")
    return value.rstrip("/")


def _has_host_and_port(url: str) -> bool:
    """An unescaped / in a password ends the host too early, which no later message could say without repeating it."""
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def is_private_enough(url: str) -> bool:
    """Whether what is fetched there can be trusted to come from there: https, or this machine."""
    return url.startswith("https://") or (url.startswith("http://") and urlsplit(url).hostname in LOOPBACK)


def _private_url(value: str) -> str:
    """As it is: an issuer's name is compared letter by letter, a last / included."""
    _http_url(value)
    if not is_private_enough(value):
        raise ValueError("an https:// address is needed")
    return value


@dataclass(frozen=True)
class GatewayKey:
    """An entry of GATEWAY_KEYS: the key's SHA-256 in hex, and whether its holder may act for others."""

    name: str
    digest: str = field(repr=False)
    trusted: bool


def _gateway_keys(value: object) -> object:
    """Raises ValueError without repeating an entry: somebody may have put the key itself there."""
    return tuple(gateway_key(entry) for entry in _split(value)) if isinstance(value, str) else value


def gateway_key(entry: str) -> GatewayKey:
    """One entry of GATEWAY_KEYS. Raises ValueError."""
    found = re.fullmatch(r"([\w.-]{1,64}):([0-9a-fA-F]{64})(:trusted)?", entry)
    if found is None:
        raise ValueError("an entry must be name:sha256, or name:sha256:trusted, as `plan-api key` prints it")
    return GatewayKey(found[1], found[2].lower(), trusted=bool(found[3]))


def _draft_statuses(value: object) -> object:
    return status_names(_split(value)) if isinstance(value, str) else value


def _names(value: object) -> object:
    return _split(value) if isinstance(value, str) else value


def _split(value: str) -> list[str]:
    return [name.strip() for name in value.split(",") if name.strip()]


def _origins(names: frozenset[str]) -> frozenset[str]:
    """As browsers write them: scheme, host, port unless it is the usual one, and nothing after."""
    for name in names:
        if not re.fullmatch(r"https?://[a-z0-9.-]+(:\d{1,5})?", name):
            raise ValueError("an origin is like https://app.example.com, in small letters and without a path")
    return names


def _lowered(names: frozenset[str]) -> frozenset[str]:
    return frozenset(name.lower() for name in names)


def _postgres_url(secret: SecretStr) -> SecretStr:
    if not secret.get_secret_value().startswith(("postgresql://", "postgres://")):
        raise ValueError("an address like postgresql://user:password@host:5432/database is needed")
    return secret


HttpAddress = Annotated[str, AfterValidator(_http_url)]
PostgresAddress = Annotated[SecretStr, AfterValidator(_postgres_url)]
PrivateAddress = Annotated[str, AfterValidator(_private_url)]
GatewayKeys = Annotated[tuple[GatewayKey, ...], NoDecode, BeforeValidator(_gateway_keys)]
Names = Annotated[frozenset[str], NoDecode, BeforeValidator(_names)]
Kinds = Annotated[frozenset[Literal["oidc", "gateway", "headers"]], NoDecode, BeforeValidator(_names)]
DraftStatuses = Annotated[Mapping[str, str], NoDecode, BeforeValidator(_draft_statuses)]
Algorithms = Annotated[
    frozenset[Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519"]],
    NoDecode,
    BeforeValidator(_names),
]
Origins = Annotated[Names, AfterValidator(_origins)]
Seconds = Annotated[float, Field(gt=0, le=600)]


# The first setting of each group, and the group's heading on the page of settings.
GROUPS = {
    "retool_database_url": "Drafts database",
    "drafts_table": "Drafts table",
    "camunda_url": "Engine",
    "aidbox_url": "FHIR store",
    "tls_ca_file": "All three systems",
    "host": "Address and processes",
    "auth": "Who asks",
    "oidc_issuer": "Tokens",
    "admin_group": "Roles",
    "graphiql": "Pages and metrics",
    "request_seconds": "Limits on requests",
    "max_tokens": "Limits on documents and answers",
    "calculating_processes": "Execution",
    "introspection": "Documents that clients may send",
    "max_open_drafts": "Drafts and plans",
    "worker": "Worker",
    "log_level": "Log",
}
PAGE_HEAD = """# Settings

*For operators.* All settings come from environment variables or a `.env` file and are read once, at the start. A wrong
or missing one stops the start with one line that names it. This page is generated:
`plan-api settings > docs/settings.md`.
"""


class Settings(BaseSettings):
    """The whole configuration. A wrong or missing value raises Misconfigured through `read`."""

    model_config = SettingsConfigDict(env_file=".env", frozen=True, extra="ignore", env_ignore_empty=True)

    retool_database_url: PostgresAddress = Field(description="The PostgreSQL database that holds the drafts.")
    retool_pool_size: int = Field(10, ge=2, le=200, description="Connections to it, at most; a sweep has one of them.")
    retool_timeout: Seconds = Field(5, description="Deadline of one statement, in seconds.")

    drafts_table: str = Field("benefit_plan_drafts", description="The drafts' table, `schema.table` allowed.")
    drafts_column_id: str = Field("id", description="Its column: text, uuid or integer.")
    drafts_column_name: str = Field("name", description="Its column.")
    drafts_column_status: str = Field("status", description="Its column.")
    drafts_column_plan_data: str = Field("plan_data", description="Its column: jsonb, json or text.")
    drafts_column_aidbox_id: str = Field("aidbox_id", description="Its column.")
    drafts_column_camunda_process_id: str = Field("camunda_process_id", description="Its column.")
    drafts_column_created_by: str = Field("created_by", description="Its column.")
    drafts_column_updated_at: str = Field("updated_at", description="Its column.")
    draft_statuses: DraftStatuses = Field(
        default={},
        description="What the status column calls our statuses where it has texts of its own, by commas:"
        " `approved:published,withdrawn:draft again`. One to one; a status that is not named keeps its name.",
    )
    draft_source: str = Field(
        "retool",
        pattern=r"^[A-Za-z0-9_.-]{1,64}$",
        description="This deployment's name in the engine: processes are started with it as `draftSource`, and those"
        " with another one are left to other deployments. Deployments that share an engine each need their own.",
    )

    camunda_url: HttpAddress = Field(description="The engine's REST API, ending in /engine-rest.")
    camunda_username: str | None = Field(None, description="HTTP Basic user of the engine.")
    camunda_password: SecretStr | None = Field(None, description="And its password.")
    camunda_token: SecretStr | None = Field(None, description="Or a bearer token.")
    camunda_timeout: Seconds = Field(10, description="Deadline of one request, in seconds.")
    camunda_connections: int = Field(50, ge=1, le=1000, description="Connections to the engine, at most.")
    camunda_tls_certificate: FilePath | None = Field(None, description="A client certificate for it (PEM file).")
    camunda_tls_key: FilePath | None = Field(None, description="And its private key (PEM file, not encrypted).")

    aidbox_url: HttpAddress = Field(description="The store's FHIR R4 base, ending in /fhir.")
    aidbox_client_id: str | None = Field(None, description="Client id at the store.")
    aidbox_client_secret: SecretStr | None = Field(None, description="And its secret.")
    aidbox_auth: Literal["basic", "client_credentials"] = Field(
        "basic", description="`basic` sends them as HTTP Basic, `client_credentials` trades them for a token."
    )
    aidbox_token_url: HttpAddress | None = Field(
        None, description="The token endpoint; by default /auth/token beside /fhir."
    )
    aidbox_keeps_digits: bool = Field(
        default=True,
        description="Whether the store keeps numbers as they are written, so that 1500.00 does not become 1500.0, as "
        "`plan-api check --write` finds out; if not, equal amounts count as equal in changes and conflicts.",
    )
    aidbox_timeout: Seconds = Field(10, description="Deadline of one request, in seconds.")
    aidbox_connections: int = Field(50, ge=1, le=1000, description="Connections to the store, at most.")
    kept_versions_bytes: int = Field(
        20_000_000, ge=0, description="Room for versions of plans, which never change once they are read; 0: none."
    )
    aidbox_tls_certificate: FilePath | None = Field(None, description="A client certificate for it (PEM file).")
    aidbox_tls_key: FilePath | None = Field(None, description="And its private key (PEM file, not encrypted).")

    tls_ca_file: FilePath | None = Field(
        None, description="Authorities of your own (PEM file), believed in https:// beside the public ones."
    )

    read_tries: int = Field(
        3, ge=1, le=10, description="How often a read is sent, in its deadline, while its system is away or busy."
    )
    breaker_failures: int = Field(
        8, ge=0, description="Failures running after which a system is left alone for a moment; 0: it never is."
    )
    breaker_seconds: Seconds = Field(2, description="And for how long, before it is tried once.")
    host: str = Field("127.0.0.1", description="The address `serve` listens on.")
    port: int = Field(8000, ge=0, le=65535, description="And its port.")
    operations_port: int | None = Field(
        None,
        ge=1,
        le=65_535,
        description="A port of HOST for /metrics and for the details of /ready; PORT then answers neither.",
    )
    processes: int = Field(
        1,
        ge=1,
        le=64,
        description="Processes of `serve` that share the port, each a replica with all the limits here for itself; "
        "more than the machine has cores are of no use.",
    )
    auth: Kinds = Field(
        min_length=1,
        description="How callers say who they are: `oidc`, `gateway`, both by a comma,"
        " or `headers`, which believes X-User-Id as it comes (development).",
    )
    auth_default_user: str | None = Field(None, description="With `headers`: who a request without X-User-Id acts as.")
    auth_default_groups: Names = Field(frozenset(), description="And that person's groups, by commas.")
    gateway_keys: GatewayKeys = Field(
        (), description="With `gateway`: the keys' entries by commas, as `plan-api key` prints them."
    )
    gateway_groups_needed: bool = Field(
        default=True,
        description="With `gateway`: whether a request without the header X-User-Groups is refused; if not, it is of a "
        "person without groups.",
    )
    oidc_issuer: PrivateAddress | None = Field(None, description="With `oidc`: the issuer, exactly as tokens name it.")
    oidc_audience: Names = Field(frozenset(), description="What tokens for this service have in `aud`; one of these.")
    oidc_jwks_url: PrivateAddress | None = Field(None, description="Its keys; by default where the issuer says.")
    oidc_user_claim: str = Field("email", min_length=1, description="The claim with the id of a person.")
    oidc_name_claim: str = Field("name", min_length=1, description="The claim with the name.")
    oidc_groups_claim: Names = Field(
        frozenset({"groups"}), description="The claims with the groups, by commas; `realm_access.roles` is a path."
    )
    oidc_acts_for_others_group: str | None = Field(
        None, description="The group whose members may name somebody else in `userId`; by default nobody may."
    )
    oidc_algorithms: Algorithms = Field(
        frozenset({"RS256", "PS256", "ES256"}), min_length=1, description="Signatures that are accepted."
    )
    oidc_token_types: Annotated[Names, AfterValidator(_lowered)] = Field(
        frozenset({"jwt", "at+jwt"}), min_length=1, description="What `typ` may be; a token without is a `jwt`."
    )
    oidc_leeway_seconds: int = Field(30, ge=0, le=300, description="How far clocks may differ.")
    oidc_keys_seconds: int = Field(600, ge=1, le=86_400, description="How long the issuer's keys are kept.")
    oidc_refetch_seconds: Seconds = Field(30, description="Pause between two fetches for an unknown key.")
    oidc_timeout: Seconds = Field(5, description="Deadline of one request to the issuer, in seconds.")
    admin_group: str = Field("benefit-admins", min_length=1, description="The group that may do what owners may.")
    auditor_group: str = Field("benefit-auditors", min_length=1, description="The group that may read everything.")
    allow_own_approval: bool = Field(default=False, description="Whether submitters may decide their own plans.")
    graphiql: bool = Field(default=True, description="Whether browsers get the GraphiQL page at /graphql.")

    metrics: bool = Field(default=True, description="Whether /metrics tells Prometheus how this replica fares.")
    worker_metrics_port: int | None = Field(
        None, ge=1, le=65_535, description="Where `plan-api worker`, alone, serves its /metrics, on HOST."
    )

    request_seconds: Seconds = Field(30, description="How long a request may take in all, whatever it waits for.")
    max_body_bytes: int = Field(1_000_000, ge=1_000, description="The largest request that is read.")
    receive_seconds: Seconds = Field(
        15,
        description="How long a request's head may take to arrive, its body again, and 64 kB of an answer to be taken.",
    )
    max_connections: int = Field(
        700, ge=2, description="Connections of clients, at most; beyond that the one idle for longest is closed."
    )
    max_unsent_bytes: int = Field(
        50_000_000,
        ge=1_000_000,
        description="Bytes of answers that clients have not taken yet, in all; beyond that the connection that waits "
        "longest for its client is closed.",
    )
    max_requests: int = Field(400, ge=1, description="Requests answered side by side; more are told to come back.")
    max_requests_per_caller: int = Field(100, ge=1, description="And of one person or program.")
    max_tokens: int = Field(
        5_000, ge=100, description="Words and signs of a query, which may have 20 times as many characters."
    )
    max_depth: int = Field(15, ge=1, le=150, description="Levels of fields in a query, leaves included.")
    max_introspection_depth: int = Field(20, ge=1, le=150, description="And of those about the schema itself.")
    max_root_fields: int = Field(20, ge=1, description="Fields at a query's root.")
    max_aliases: int = Field(50, ge=0, description="Aliases in a query, its fragments put in.")
    max_directives: int = Field(50, ge=0, description="Directives, counted alike.")
    max_selections: int = Field(1_000, ge=1, description="Fields and fragments, counted alike.")
    max_cost: int = Field(
        100_000, ge=100, description="Values an answer could have, lists at their longest; a JSON document is 10."
    )
    max_cost_at_once: int = Field(
        65_000,
        ge=100,
        description="And those of all large answers being put together, which wait for one another; a twentieth of "
        "this is large.",
    )
    max_answer_bytes: int = Field(
        25_000_000,
        ge=100_000,
        description="The largest answer; one that would be larger is refused with ANSWER_TOO_LARGE.",
    )
    calculating_processes: int = Field(
        1,
        ge=1,
        le=16,
        description="Processes beside each replica in which plans are compared and merged, about 25 MB each; they "
        "start when they are needed.",
    )
    executor: Literal["compiled", "stock"] = Field(
        "compiled",
        description="How queries are executed: lists by columns, or all by graphql-core. Answers are the same.",
    )
    introspection: bool = Field(default=True, description="Whether clients may read the schema.")
    suggestions: bool = Field(default=False, description="Whether wrong names are answered with similar right ones.")
    persisted_operations: Path | None = Field(
        None, description="Trusted operations: a folder of .graphql files, or a JSON manifest."
    )
    persisted_only: bool = Field(default=False, description="Whether nothing but these is executed.")
    registered_queries_bytes: int = Field(
        1_000_000, ge=0, description="Room for queries that clients register by hash (APQ); 0: they can not."
    )
    cors_origins: Origins = Field(
        frozenset(), description="Origins whose pages may read answers, by commas: `https://app.example.com`."
    )

    max_open_drafts: int = Field(
        1_000,
        ge=1,
        description="Drafts of one author that were never submitted; with as many createDraftFromPlan makes no more.",
    )
    max_plan_bytes: int = Field(1_000_000, ge=1_000, description="The largest plan that can be submitted.")
    publish_retries: int = Field(60, ge=0, description="Tries to reach a store that is away, before an incident.")
    worker: bool = Field(default=True, description="Whether `serve` also runs the worker.")
    worker_concurrency: int = Field(
        4, ge=1, le=100, description="External tasks of one topic that it carries out side by side."
    )
    worker_poll_seconds: Seconds = Field(2, description="Pause between two looks for work left behind.")
    lock_seconds: Seconds = Field(
        20, description="How long an external task stays ours: what a crash left in hand is taken up after that."
    )
    reconcile_seconds: Seconds = Field(
        30, description="Pause between two looks for drafts whose process ended without them."
    )
    settle_seconds: Seconds = Field(10, description="How long a mutation waits for what it caused.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="The least that is logged.")

    @model_validator(mode="after")
    def _coherent_about_callers(self) -> "Settings":
        if "headers" in self.auth and len(self.auth) > 1:
            raise ValueError("AUTH=headers believes anybody, so it can not be combined with another kind")
        if "headers" in self.auth and self.host not in LOOPBACK:
            raise ValueError("AUTH=headers believes anybody, so HOST must be a loopback address")
        if self.auth_default_user and "headers" not in self.auth:
            raise ValueError("AUTH_DEFAULT_USER belongs to AUTH=headers: nobody else is known without saying who asks")
        if "gateway" in self.auth and not self.gateway_keys:
            raise ValueError("AUTH=gateway needs GATEWAY_KEYS; `plan-api key` makes one")
        if "oidc" in self.auth and not (self.oidc_issuer and self.oidc_audience):
            raise ValueError("AUTH=oidc needs OIDC_ISSUER and OIDC_AUDIENCE")
        return self

    @model_validator(mode="after")
    def _coherent_about_ports(self) -> "Settings":
        if self.operations_port is not None and self.operations_port == self.port:
            raise ValueError("OPERATIONS_PORT must be another port than PORT")
        return self

    @model_validator(mode="after")
    def _coherent_about_operations(self) -> "Settings":
        if self.persisted_only and self.persisted_operations is None:
            raise ValueError("PERSISTED_ONLY needs PERSISTED_OPERATIONS")
        return self

    @model_validator(mode="after")
    def _coherent(self) -> "Settings":
        self._try_tls("CAMUNDA", self.camunda_tls_certificate, self.camunda_tls_key)
        self._try_tls("AIDBOX", self.aidbox_tls_certificate, self.aidbox_tls_key)
        if bool(self.camunda_username) != bool(self.camunda_password):
            raise ValueError("CAMUNDA_USERNAME and CAMUNDA_PASSWORD belong together")
        if bool(self.aidbox_client_id) != bool(self.aidbox_client_secret):
            raise ValueError("AIDBOX_CLIENT_ID and AIDBOX_CLIENT_SECRET belong together")
        return self

    def _try_tls(self, system: str, certificate: FilePath | None, key: FilePath | None) -> None:
        if bool(certificate) != bool(key):
            raise ValueError(f"{system}_TLS_CERTIFICATE and {system}_TLS_KEY belong together")
        if certificate or self.tls_ca_file:
            try:
                secure_context(self.tls_ca_file, certificate, key)
            except ValueError as error:
                raise ValueError(f"TLS_CA_FILE or {system}_TLS_… is wrong: {error}") from None


def read(**overrides: object) -> Settings:
    """The settings of this environment. Raises Misconfigured with one line that names what is wrong."""
    try:
        return Settings(**overrides)  # type: ignore[arg-type]  # the environment supplies the rest, by name
    except ValidationError as error:
        raise Misconfigured("; ".join(_sentence(problem) for problem in error.errors())) from None


def page() -> str:
    """docs/settings.md: a table for each group of settings, in the order of the class."""
    names = list(Settings.model_fields)
    starts = [names.index(first) for first in GROUPS]
    blocks = [names[start:end] for start, end in zip(starts, [*starts[1:], len(names)], strict=True)]
    parts = [f"## {title}\n\n{_table(block)}" for title, block in zip(GROUPS.values(), blocks, strict=True)]
    return "\n".join([PAGE_HEAD, *parts])


def _table(names: Sequence[str]) -> str:
    rows = [f"| `{name.upper()}` | {_default(name)} | {Settings.model_fields[name].description} |" for name in names]
    return "\n".join(["| setting | default | meaning |", "|---|---|---|", *rows]) + "\n"


def _default(name: str) -> str:
    field = Settings.model_fields[name]
    return "**required**" if field.is_required() else _shown(field.default)


def _shown(default: object) -> str:
    if default is None or default in (frozenset(), (), {}):
        return ""
    if isinstance(default, frozenset):
        default = ",".join(sorted(default))
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _sentence(problem: object) -> str:
    location, message = problem["loc"], problem["msg"].removeprefix("Value error, ")  # type: ignore[index]  # a TypedDict of pydantic's core
    if not location:
        return str(message)
    name = str(location[0])
    field = Settings.model_fields.get(name)
    meaning = field.description if field and field.description else ""
    wrong = "is missing" if problem["type"] == "missing" else f"is wrong ({message})"  # type: ignore[index]  # as above
    return f"{name.upper()} {wrong}: {meaning}"
