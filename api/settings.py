"""Every setting, read once from the environment and `.env`, then frozen. Read by `__main__`, handed down as parameters.

The names are the environment's, in small letters. README.md lists them all; tests/unit/test_documents.py compares.
"""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from api.errors import Misconfigured

LOOPBACK = ("127.0.0.1", "::1", "localhost")


def _http_url(value: str) -> str:
    if not value.startswith(("http://", "https://")) or not _has_host_and_port(value):
        raise ValueError("an http:// or https:// address is needed")
    return value.rstrip("/")


def _has_host_and_port(url: str) -> bool:
    """An unescaped / in a password ends the host too early, which no later message could say without repeating it."""
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _postgres_url(secret: SecretStr) -> SecretStr:
    if not secret.get_secret_value().startswith(("postgresql://", "postgres://")):
        raise ValueError("an address like postgresql://user:password@host:5432/database is needed")
    return secret


HttpAddress = Annotated[str, AfterValidator(_http_url)]
PostgresAddress = Annotated[SecretStr, AfterValidator(_postgres_url)]
Names = Annotated[frozenset[str], NoDecode]
Seconds = Annotated[float, Field(gt=0, le=600)]


class Settings(BaseSettings):
    """The whole configuration. A wrong or missing value raises Misconfigured through `read`."""

    model_config = SettingsConfigDict(env_file=".env", frozen=True, extra="ignore", env_ignore_empty=True)

    retool_database_url: PostgresAddress = Field(description="The PostgreSQL database that holds the drafts.")
    retool_pool_size: int = Field(10, ge=1, le=200, description="Connections to it, at most.")
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

    camunda_url: HttpAddress = Field(description="The engine's REST API, ending in /engine-rest.")
    camunda_username: str | None = Field(None, description="HTTP Basic user of the engine.")
    camunda_password: SecretStr | None = Field(None, description="And its password.")
    camunda_token: SecretStr | None = Field(None, description="Or a bearer token.")
    camunda_timeout: Seconds = Field(10, description="Deadline of one request, in seconds.")
    camunda_connections: int = Field(50, ge=1, le=1000, description="Connections to the engine, at most.")

    aidbox_url: HttpAddress = Field(description="The store's FHIR R4 base, ending in /fhir.")
    aidbox_client_id: str | None = Field(None, description="Client id at the store.")
    aidbox_client_secret: SecretStr | None = Field(None, description="And its secret.")
    aidbox_auth: Literal["basic", "client_credentials"] = Field(
        "basic", description="`basic` sends them as HTTP Basic, `client_credentials` trades them for a token."
    )
    aidbox_token_url: HttpAddress | None = Field(
        None, description="The token endpoint; by default /auth/token beside /fhir."
    )
    aidbox_timeout: Seconds = Field(10, description="Deadline of one request, in seconds.")
    aidbox_connections: int = Field(50, ge=1, le=1000, description="Connections to the store, at most.")

    host: str = Field("127.0.0.1", description="The address `serve` listens on.")
    port: int = Field(8000, ge=0, le=65535, description="And its port.")
    auth: Literal["headers"] = Field(description="How callers say who they are; `headers` believes X-User-Id.")
    auth_default_user: str | None = Field(None, description="Who a request without X-User-Id acts as.")
    auth_default_groups: Names = Field(frozenset(), description="And that person's groups, by commas.")
    admin_group: str = Field("benefit-admins", min_length=1, description="The group that may do what owners may.")
    allow_own_approval: bool = Field(default=False, description="Whether submitters may decide their own plans.")
    graphiql: bool = Field(default=True, description="Whether browsers get the GraphiQL page at /graphql.")

    max_plan_bytes: int = Field(1_000_000, ge=1_000, description="The largest plan that can be submitted.")
    publish_retries: int = Field(60, ge=0, description="Tries to reach a store that is away, before an incident.")
    worker: bool = Field(default=True, description="Whether `serve` also runs the worker.")
    worker_concurrency: int = Field(4, ge=1, le=100, description="External tasks carried out side by side.")
    worker_poll_seconds: Seconds = Field(2, description="Pause between two looks for work left behind.")
    lock_seconds: Seconds = Field(60, description="How long an external task stays ours.")
    settle_seconds: Seconds = Field(10, description="How long a mutation waits for what it caused.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="The least that is logged.")

    @model_validator(mode="before")
    @classmethod
    def _split_names(cls, values: dict[str, object]) -> dict[str, object]:
        groups = values.get("auth_default_groups")
        if isinstance(groups, str):
            values["auth_default_groups"] = [name.strip() for name in groups.split(",") if name.strip()]
        return values

    @model_validator(mode="after")
    def _coherent(self) -> "Settings":
        if self.host not in LOOPBACK:
            raise ValueError("AUTH=headers believes anybody, so HOST must be a loopback address")
        if bool(self.camunda_username) != bool(self.camunda_password):
            raise ValueError("CAMUNDA_USERNAME and CAMUNDA_PASSWORD belong together")
        if bool(self.aidbox_client_id) != bool(self.aidbox_client_secret):
            raise ValueError("AIDBOX_CLIENT_ID and AIDBOX_CLIENT_SECRET belong together")
        return self


def read(**overrides: object) -> Settings:
    """The settings of this environment. Raises Misconfigured with one line that names what is wrong."""
    try:
        return Settings(**overrides)  # type: ignore[arg-type]  # the environment supplies the rest, by name
    except ValidationError as error:
        raise Misconfigured("; ".join(_sentence(problem) for problem in error.errors())) from None


def table() -> str:
    """Every setting as a row of a Markdown table: its name, its default, its meaning."""
    rows = [
        f"| `{name.upper()}` | {'**needed**' if field.is_required() else _shown(field.default)} | {field.description} |"
        for name, field in Settings.model_fields.items()
    ]
    return "\n".join(["| setting | default | meaning |", "|---|---|---|", *rows]) + "\n"


def _shown(default: object) -> str:
    if default is None or default == frozenset():
        return ""
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
