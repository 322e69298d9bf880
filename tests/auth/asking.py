"""How the tests in this folder ask: the API with some AUTH, callers known by their headers, the log's audit lines."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from api import settings as configuration
from api.settings import Settings
from tests.auth.issuer import AUDIENCE, LittleIssuer
from tests.serving import Api, Someone, serving

VIEWER = "{ viewer { id groups } }"


@dataclass(frozen=True)
class Caller(Someone):
    """Somebody known by these headers alone."""

    sent: tuple[tuple[str, str], ...] = ()

    @property
    def headers(self) -> dict[str, str]:
        return dict(self.sent)


def bearing(token: str, **more: str) -> Caller:
    """Who has this token or key; `more` headers are named with underscores."""
    extra = tuple((name.replace("_", "-"), value) for name, value in more.items())
    return Caller("", sent=(("Authorization", f"Bearer {token}"), *extra))


def with_headers(**headers: str) -> Caller:
    """Who sends just these headers."""
    return Caller("", sent=tuple((name.replace("_", "-"), value) for name, value in headers.items()))


def settings_with(settings: Settings, **given: object) -> Settings:
    """Settings for the same three systems with another AUTH, checked as at a real start."""
    return configuration.read(
        _env_file=None,
        **{
            "retool_database_url": settings.retool_database_url.get_secret_value(),
            "camunda_url": settings.camunda_url,
            "camunda_username": settings.camunda_username,
            "camunda_password": settings.camunda_password,
            "aidbox_url": settings.aidbox_url,
            "worker": False,
            "lock_seconds": 5,
            **given,
        },
    )


@contextmanager
def api_for(settings: Settings, issuer: LittleIssuer, **given: object) -> Iterator[Api]:
    """The API that believes this issuer."""
    with serving(
        settings_with(settings, **{"auth": "oidc", "oidc_issuer": issuer.url, "oidc_audience": AUDIENCE, **given})
    ) as api:
        yield api


def viewer(api: Api, caller: Someone) -> dict[str, Any]:
    """Who the API takes the caller for."""
    found: dict[str, Any] = api.ask(VIEWER, caller)["viewer"]
    return found


def refused(answer: httpx.Response, message: str, *, offered: bool) -> None:
    """Assert that an answer is a 401 of this message and nothing else. `offered`: a token or key was."""
    assert answer.status_code == 401
    request_id = answer.headers["X-Request-Id"]
    assert answer.json() == {
        "errors": [{"message": message, "extensions": {"code": "UNAUTHENTICATED", "requestId": request_id}}]
    }
    assert answer.headers["WWW-Authenticate"] == ('Bearer error="invalid_token"' if offered else "Bearer")


class AuditLines(logging.Handler):
    """The lines of refusals, and whether a secret stands in anything that was logged."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    @property
    def reasons(self) -> list[str]:
        return [str(vars(record)["reason"]) for record in self.records if record.getMessage() == "request refused"]

    def mentions(self, secret: str) -> bool:
        return any(secret in f"{record.getMessage()} {vars(record)}" for record in self.records)


@contextmanager
def audit() -> Iterator[AuditLines]:
    """All that is logged until the block ends."""
    handler, root = AuditLines(), logging.getLogger()
    former = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield handler
    finally:
        root.setLevel(former)
        root.removeHandler(handler)
