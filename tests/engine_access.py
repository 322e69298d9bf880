"""The engine's address with user and password in it, as tests pass it on, and the settings that it makes."""

from urllib.parse import unquote, urlsplit, urlunsplit

from api.settings import Settings


def engine_settings(address: str) -> dict[str, str]:
    """The settings for `http://user:password@host:port/path`; of an address without a user the address alone."""
    parts = urlsplit(address)
    found = {"camunda_url": urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))}
    if parts.username and parts.password:
        found |= {"camunda_username": unquote(parts.username), "camunda_password": unquote(parts.password)}
    return found


def engine_environment(settings: Settings) -> dict[str, str]:
    """The environment by which another process asks the same engine."""
    environment = {"CAMUNDA_URL": settings.camunda_url}
    if settings.camunda_username and settings.camunda_password:
        environment["CAMUNDA_USERNAME"] = settings.camunda_username
        environment["CAMUNDA_PASSWORD"] = settings.camunda_password.get_secret_value()
    return environment
