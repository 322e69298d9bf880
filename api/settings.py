"""Every setting, read once from the environment and `.env`, then frozen. Read by `__main__`, handed down as parameters.

A setting's name is the environment variable's in lower case, and the text below it is its description.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, FilePath, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from api.draft_status import status_names
from api.errors import Misconfigured
from api.notification_events import EVENTS
from authentication.addresses import LOOPBACK, is_private_enough
from authentication.gateway import GatewayKey, gateway_key
from resilience.tls import secure_context
from setting_types import (
    HttpAddress,
    Names,
    Origins,
    PostgresAddress,
    Seconds,
    http_address,
    lowered,
    names,
    split,
    what_is_wrong,
)
from webhooks import Receiver, demand_allowed, receivers_of

OTHER_TYPES = "*"  # in PROCESS_KEYS: of drafts whose type is not named
_KEY = re.compile(r"[\w.-]{1,64}")  # of a process definition, an XML id


def _private_url(value: str) -> str:
    """As it is: an issuer's name is compared letter by letter, a last / included."""
    if not is_private_enough(http_address(value)):
        raise ValueError("an https:// address is needed")
    return value


def _gateway_keys(value: object) -> object:
    """Raises ValueError without repeating an entry: somebody may have put the key itself there."""
    try:
        return tuple(gateway_key(entry) for entry in split(value)) if isinstance(value, str) else value
    except ValueError as error:
        raise ValueError(f"{error}, as `plan-api key` prints it") from None


def _draft_statuses(value: object) -> object:
    return status_names(split(value)) if isinstance(value, str) else value


def _process_keys(value: object) -> object:
    """Raises ValueError for an entry without a type or a key, and for a type that is there twice."""
    if not isinstance(value, str):
        return value
    pairs = [
        (draft_type.strip(), key.strip()) for draft_type, _, key in (each.rpartition(":") for each in split(value))
    ]
    if not all(draft_type and _KEY.fullmatch(key) for draft_type, key in pairs):
        raise ValueError("pairs of a type and a process definition key are needed, like dental:dental-approval")
    if len(dict(pairs)) < len(pairs):
        raise ValueError("each type can have one process definition key")
    return dict(pairs)


def _receivers(value: object) -> object:
    return receivers_of(value, events=EVENTS) if isinstance(value, str) else value


PrivateAddress = Annotated[str, AfterValidator(_private_url)]
GatewayKeys = Annotated[tuple[GatewayKey, ...], NoDecode, BeforeValidator(_gateway_keys)]
Webhooks = Annotated[tuple[Receiver, ...], NoDecode, BeforeValidator(_receivers)]
Kinds = Annotated[frozenset[Literal["oidc", "gateway", "headers"]], NoDecode, BeforeValidator(names)]
ProcessKeys = Annotated[Mapping[str, str], NoDecode, BeforeValidator(_process_keys)]
DraftStatuses = Annotated[Mapping[str, str], NoDecode, BeforeValidator(_draft_statuses)]
Algorithms = Annotated[
    frozenset[Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519"]],
    NoDecode,
    BeforeValidator(names),
]


class Settings(BaseSettings):
    """The whole configuration. A wrong or missing value raises Misconfigured through `read`."""

    model_config = SettingsConfigDict(
        env_file=".env", frozen=True, extra="ignore", env_ignore_empty=True, use_attribute_docstrings=True
    )

    retool_database_url: PostgresAddress
    """Connection URL of the PostgreSQL database that holds the drafts."""
    retool_pool_size: int = Field(10, ge=2, le=200)
    """Most connections to the drafts database; one of them is reserved for reconciliation while it runs."""
    retool_timeout: Seconds = 5
    """Timeout of one SQL statement, in seconds."""

    drafts_table: str = "benefit_plan_drafts"
    """Name of the drafts table; `schema.table` is allowed."""
    drafts_column_id: str = "id"
    """Column of a draft's id: text, uuid or integer."""
    drafts_column_name: str = "name"
    """Column of a draft's name."""
    drafts_column_status: str = "status"
    """Column of a draft's status."""
    drafts_column_plan_data: str = "plan_data"
    """Column of a draft's plan: jsonb, json or text."""
    drafts_column_aidbox_id: str = "aidbox_id"
    """Column of the id of the plan that a draft edits or became."""
    drafts_column_camunda_process_id: str = "camunda_process_id"
    """Column of the id of the process instance a draft was last submitted to."""
    drafts_column_created_by: str = "created_by"
    """Column of the id of a draft's author."""
    drafts_column_updated_at: str = "updated_at"
    """Column of the time a draft was last changed."""
    draft_statuses: DraftStatuses = {}
    """Names of the statuses in a drafts table that has texts of its own, separated by commas:
    `approved:published,withdrawn:draft again`. One to one; a status that is not listed keeps its name."""
    draft_source: str = Field("retool", pattern="^[A-Za-z0-9_.-]{1,64}$")
    """This deployment's name in the engine: it starts processes with it as `draftSource` and touches none with another
    name. Deployments that share an engine each need their own."""

    draft_type: str | None = Field(None, min_length=1)
    """Where a draft's type stands, for `PROCESS_KEYS`: a column, or a path in the plan that begins with `$`, as
    PostgreSQL writes them: `$.type[0].coding[0].code`."""
    process_keys: ProcessKeys = {}
    """Process definition keys by a draft's type, separated by commas: `dental:dental-approval,*:plan-approval`. Drafts
    of other types go to the key of `*`, or else to `benefit-approval`. Processes of all these keys are this
    deployment's, if they are of its `DRAFT_SOURCE`."""

    camunda_url: HttpAddress
    """Base URL of the engine's REST API, ending in /engine-rest."""
    camunda_username: str | None = None
    """User name for HTTP Basic authentication at the engine."""
    camunda_password: SecretStr | None = None
    """Password for HTTP Basic authentication at the engine."""
    camunda_token: SecretStr | None = None
    """Bearer token for the engine, instead of a user name and password."""
    camunda_timeout: Seconds = 10
    """Timeout of one request to the engine, in seconds."""
    camunda_connections: int = Field(50, ge=1, le=1000)
    """Most calls to the engine at once, each on a connection. As many idle ones may be open beside them for 20 s."""
    camunda_tls_certificate: FilePath | None = None
    """Client certificate for the engine (PEM file)."""
    camunda_tls_key: FilePath | None = None
    """Private key of the engine's client certificate (PEM file, not encrypted)."""

    aidbox_url: HttpAddress
    """Base URL of the store's FHIR R4 API, ending in /fhir."""
    aidbox_client_id: str | None = None
    """Client id at the store."""
    aidbox_client_secret: SecretStr | None = None
    """Client secret at the store."""
    aidbox_auth: Literal["basic", "client_credentials"] = "basic"
    """How the client id and secret reach the store: `basic` sends them as HTTP Basic, `client_credentials` exchanges
    them for a token."""
    aidbox_token_url: HttpAddress | None = None
    """Token endpoint for AIDBOX_AUTH=client_credentials; by default /auth/token beside /fhir."""
    aidbox_keeps_digits: bool = True
    """Whether the store keeps numbers as they are written, so that 1500.00 does not become 1500.0 (`plan-api check
    --write` finds out). If not, equal amounts count as equal in changes and conflicts."""
    aidbox_timeout: Seconds = 10
    """Timeout of one request to the store, in seconds."""
    aidbox_connections: int = Field(50, ge=1, le=1000)
    """Most calls to the store at once, each on a connection. As many idle ones may be open beside them for 20 s."""
    kept_versions_bytes: int = Field(20000000, ge=0)
    """Size of the cache of plan versions, in bytes; a version never changes once it is written. 0 switches the cache
    off."""
    aidbox_tls_certificate: FilePath | None = None
    """Client certificate for the store (PEM file)."""
    aidbox_tls_key: FilePath | None = None
    """Private key of the store's client certificate (PEM file, not encrypted)."""

    tls_ca_file: FilePath | None = None
    """Certificate authorities of your own (PEM file), trusted in addition to the public ones."""

    read_tries: int = Field(3, ge=1, le=10)
    """Most attempts of one read, with backoff and within its timeout, while a system is away or busy."""
    breaker_failures: int = Field(8, ge=0)
    """Consecutive failures after which the circuit breaker of a system opens; 0: it never opens."""
    breaker_seconds: Seconds = 2
    """How long an open circuit breaker waits before it lets one trial request through, in seconds."""
    host: str = "127.0.0.1"
    """Address that `serve` listens on."""
    port: int = Field(8000, ge=0, le=65535)
    """TCP port that `serve` listens on."""
    operations_port: int | None = Field(None, ge=1, le=65535)
    """Separate port on HOST for /metrics and for the details of /ready; PORT then answers neither."""
    processes: int = Field(1, ge=1, le=64)
    """Processes of `serve` that share the port. Each is a replica with all limits for itself; more than the machine has
    cores gain nothing."""
    auth: Kinds = Field(min_length=1)
    """How callers prove who they are: `oidc`, `gateway`, both separated by a comma, or `headers`, which trusts
    X-User-Id as it is sent (development only)."""
    auth_default_user: str | None = None
    """With AUTH=headers: the user of a request that has no X-User-Id."""
    auth_default_groups: Names = frozenset()
    """With AUTH=headers: the groups of AUTH_DEFAULT_USER, separated by commas."""
    gateway_keys: GatewayKeys = ()
    """With AUTH=gateway: the entries of the accepted keys, separated by commas, as `plan-api key` prints them."""
    gateway_groups_needed: bool = True
    """With AUTH=gateway: whether a request without X-User-Groups is refused; if not, it is from a user without groups.
    """
    oidc_issuer: PrivateAddress | None = None
    """With AUTH=oidc: the issuer, exactly as tokens name it in `iss`."""
    oidc_audience: Names = frozenset()
    """With AUTH=oidc: accepted values of a token's `aud`, separated by commas."""
    oidc_jwks_url: PrivateAddress | None = None
    """URL of the issuer's signing keys (JWKS); by default the one its discovery document names."""
    oidc_user_claim: str = Field("email", min_length=1)
    """Token claim with the user's id."""
    oidc_name_claim: str = Field("name", min_length=1)
    """Token claim with the user's name."""
    oidc_groups_claim: Names = frozenset({"groups"})
    """Token claims with the user's groups, separated by commas; `realm_access.roles` is a path."""
    oidc_acts_for_others_group: str | None = None
    """Group whose members may name another user in `userId`; by default nobody may."""
    oidc_algorithms: Algorithms = Field(frozenset({"RS256", "PS256", "ES256"}), min_length=1)
    """Accepted signature algorithms of tokens, separated by commas."""
    oidc_token_types: Annotated[Names, AfterValidator(lowered)] = Field(frozenset({"jwt", "at+jwt"}), min_length=1)
    """Accepted values of a token's `typ` header, separated by commas; a token without one counts as `jwt`."""
    oidc_leeway_seconds: int = Field(30, ge=0, le=300)
    """Clock difference to the issuer that is tolerated, in seconds."""
    oidc_keys_seconds: int = Field(600, ge=1, le=86400)
    """How long the issuer's signing keys are cached, in seconds."""
    oidc_refetch_seconds: Seconds = 30
    """Shortest pause between two requests for a signing key that is not cached, in seconds."""
    oidc_timeout: Seconds = 5
    """Timeout of one request to the issuer, in seconds."""
    admin_group: str = Field("benefit-admins", min_length=1)
    """Group whose members may do everything an owner may."""
    auditor_group: str = Field("benefit-auditors", min_length=1)
    """Group whose members may read everything."""
    allow_own_approval: bool = False
    """Whether submitters may decide their own submissions."""
    allow_rule_decisions: bool = False
    """Whether a process model may publish what no person has approved, by a decision table for example."""
    graphiql: bool = True
    """Whether browsers get the GraphiQL page at /graphql."""

    metrics: bool = True
    """Whether /metrics is served for Prometheus."""
    worker_metrics_port: int | None = Field(None, ge=1, le=65535)
    """Port on HOST where `plan-api worker`, run alone, serves /metrics."""

    request_seconds: Seconds = 30
    """Deadline of a whole request, in seconds."""
    max_body_bytes: int = Field(1000000, ge=1000)
    """Largest request body that is read, in bytes."""
    receive_seconds: Seconds = 15
    """Timeout for receiving a request's head, for receiving its body, and for a client to take each 64 kB of an answer,
    in seconds."""
    max_connections: int = Field(700, ge=2)
    """Most connections of clients; when there are more, the one idle for longest is closed."""
    max_unsent_bytes: int = Field(50000000, ge=1000000)
    """Most bytes of answers that clients have not yet taken, over all connections; when there are more, the connection
    that has waited longest is closed."""
    max_requests: int = Field(400, ge=1)
    """Most concurrent requests; further ones are answered 503 with Retry-After."""
    max_requests_per_caller: int = Field(20, ge=1)
    """Most concurrent requests of one caller; further ones wait up to a second, then are answered 429 with
    Retry-After."""
    max_tokens: int = Field(5000, ge=100)
    """Most tokens of a GraphQL document; it may have 20 times as many characters."""
    max_depth: int = Field(15, ge=1, le=150)
    """Deepest nesting of fields in a GraphQL document, leaves included."""
    max_introspection_depth: int = Field(20, ge=1, le=150)
    """Deepest nesting of introspection fields in a GraphQL document."""
    max_root_fields: int = Field(20, ge=1)
    """Most fields at the root of a GraphQL operation."""
    max_aliases: int = Field(50, ge=0)
    """Most aliases in a GraphQL operation, with fragments expanded."""
    max_directives: int = Field(50, ge=0)
    """Most directives in a GraphQL operation, with fragments expanded."""
    max_selections: int = Field(1000, ge=1)
    """Most fields and fragments in a GraphQL operation, with fragments expanded."""
    max_cost: int = Field(100000, ge=100)
    """Highest cost of an operation: the values its answer could have, each list at its longest; a JSON document counts
    as 10."""
    max_cost_at_once: int = Field(65000, ge=100)
    """Highest total cost of the large answers that are computed at the same time; further ones queue. Large means more
    than a twentieth of this."""
    max_answer_bytes: int = Field(25000000, ge=100000)
    """Largest answer in bytes; a larger one is refused with ANSWER_TOO_LARGE."""
    calculating_processes: int = Field(1, ge=1, le=16)
    """Worker processes beside each replica in which plans are compared and merged, about 25 MB each; they start when
    first needed."""
    executor: Literal["compiled", "stock"] = "compiled"
    """How queries are executed: `compiled` executes lists by columns, `stock` is graphql-core alone. The answers are
    the same."""
    introspection: bool = True
    """Whether clients may read the schema."""
    suggestions: bool = False
    """Whether error messages suggest similar names for a misspelled field."""
    persisted_operations: Path | None = None
    """Trusted operations: a folder of .graphql files, or a JSON manifest."""
    persisted_only: bool = False
    """Whether only the operations of PERSISTED_OPERATIONS are executed."""
    registered_queries_bytes: int = Field(1000000, ge=0)
    """Size of the cache of queries that clients register by hash (automatic persisted queries), in bytes; 0 switches
    them off."""
    cors_origins: Origins = frozenset()
    """Origins whose pages may read answers, separated by commas: `https://app.example.com`."""

    max_open_drafts: int = Field(1000, ge=1)
    """Most drafts of one author that were never submitted; createDraftFromPlan makes no more."""
    max_plan_bytes: int = Field(1000000, ge=1000)
    """Largest plan that can be submitted, in bytes."""
    validate_plans: bool = True
    """Whether the store is asked at submission, by FHIR's $validate, whether it would take the plan. Errors are
    refused then, not after all reviews."""
    require_validation: bool = False
    """Whether a submission fails while the store cannot be asked to validate. By default it goes on, and says so."""
    plan_profile: str | None = None
    """URL of a profile that plans have to conform to, such as Plan-Net's; the store must know it."""
    provenance: bool = True
    """Whether each published version gets a FHIR Provenance that says who approved it, which is read when the engine
    has deleted its history. The store's client then needs the right to read, search and write Provenance."""
    publish_retries: int = Field(60, ge=0)
    """Attempts to publish while the store is away, before the engine reports an incident."""
    webhook_urls: Webhooks = ()
    """Receivers of webhooks, as a JSON list of `url`, `secret`, and, if wanted, `name`, `events` and `format`
    (`standard`, `slack` or `teams`). Approvals that are submitted from then on notify them."""
    webhook_allowed_hosts: Names = frozenset()
    """Hosts that webhooks may go to, separated by commas; `*.example.com` allows all below one. Over https, and only
    to public addresses."""
    webhook_private_hosts: Names = frozenset()
    """Hosts that webhooks may go to even where their address is private, and over http, separated by commas."""
    webhook_link: str | None = None
    """Address for people in webhooks: `https://retool.example.com/drafts/{draftId}?task={taskId}`."""
    webhook_plan_data: bool = False
    """Whether webhooks of format `standard` have the submitted plan in them."""
    worker: bool = True
    """Whether `serve` also runs the worker."""
    worker_concurrency: int = Field(4, ge=1, le=100)
    """External tasks of one topic that the worker carries out at the same time."""
    worker_poll_seconds: Seconds = 2
    """Pause between two polls of the worker for external tasks, in seconds."""
    lock_seconds: Seconds = 20
    """Lock duration of an external task, in seconds. After a crash another worker takes over when the lock expires."""
    reconcile_seconds: Seconds = 30
    """Pause between two rounds of reconciliation, which looks for drafts whose process has ended without updating them,
    in seconds."""
    settle_seconds: Seconds = 10
    """How long a mutation waits for the external task it caused, in seconds, before it answers that the task is still
    under way."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Lowest level that is logged."""

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
    def _coherent_about_types(self) -> "Settings":
        if set(self.process_keys) - {OTHER_TYPES} and not self.draft_type:
            raise ValueError("PROCESS_KEYS needs DRAFT_TYPE, which says where a draft's type stands")
        return self

    @model_validator(mode="after")
    def _coherent_about_webhooks(self) -> "Settings":
        demand_allowed(self.webhook_urls, allowed=self.webhook_allowed_hosts, private=self.webhook_private_hosts)
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
        raise Misconfigured(what_is_wrong(Settings, error)) from None
