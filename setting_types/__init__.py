"""Types of settings that are read from environment variables, and what is wrong with a setting in one sentence.

Each type takes the text of a variable; lists are separated by commas. Each raises ValueError that says what is needed,
and repeats nothing that may be a secret.
"""

import re
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode


def http_address(value: str) -> str:
    """An http:// or https:// address as it is. Raises ValueError for one that has a user or a password in it."""
    if not value.startswith(("http://", "https://")) or not _has_host_and_port(value):
        raise ValueError("an http:// or https:// address is needed")
    if "@" in urlsplit(value).netloc:
        raise ValueError("an address without user and password is needed; they have settings of their own")
    return value


def _has_host_and_port(url: str) -> bool:
    """An unescaped / in a password ends the host too early, which no later message could say without repeating it."""
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _without_last_slash(value: str) -> str:
    return value.rstrip("/")


def split(value: str) -> list[str]:
    """The entries of a list separated by commas, without blanks around them and without empty ones."""
    return [name.strip() for name in value.split(",") if name.strip()]


def names(value: object) -> object:
    """The entries of a text; anything else as it is."""
    return split(value) if isinstance(value, str) else value


def lowered(values: frozenset[str]) -> frozenset[str]:
    """The same in small letters."""
    return frozenset(value.lower() for value in values)


def _origins(values: frozenset[str]) -> frozenset[str]:
    """As browsers write them: scheme, host, port unless it is the usual one, and nothing after."""
    for value in values:
        if not re.fullmatch(r"https?://[a-z0-9.-]+(:\d{1,5})?", value):
            raise ValueError("an origin is like https://app.example.com, in small letters and without a path")
    return values


def _postgres_url(secret: SecretStr) -> SecretStr:
    if not secret.get_secret_value().startswith(("postgresql://", "postgres://")):
        raise ValueError("an address like postgresql://user:password@host:5432/database is needed")
    return secret


HttpAddress = Annotated[str, AfterValidator(http_address), AfterValidator(_without_last_slash)]
PostgresAddress = Annotated[SecretStr, AfterValidator(_postgres_url)]
Names = Annotated[frozenset[str], NoDecode, BeforeValidator(names)]
Origins = Annotated[Names, AfterValidator(_origins)]
Seconds = Annotated[float, Field(gt=0, le=600)]


def described(settings: type[BaseSettings], name: str) -> str:
    """A setting's description, on one line."""
    return " ".join((settings.model_fields[name].description or "").split())


def what_is_wrong(settings: type[BaseSettings], error: ValidationError) -> str:
    """All problems in one line: each names the variable, what is wrong with it, and what it is for."""
    return "; ".join(_sentence(settings, problem) for problem in error.errors(include_input=False, include_url=False))


def _sentence(settings: type[BaseSettings], problem: Mapping[str, object]) -> str:
    location, message = problem["loc"], str(problem["msg"]).removeprefix("Value error, ")
    if not isinstance(location, tuple) or not location:
        return message
    name = str(location[0])
    meaning = described(settings, name) if name in settings.model_fields else ""
    wrong = "is missing" if problem["type"] == "missing" else f"is wrong ({message})"
    return f"{name.upper()} {wrong}: {meaning}"
