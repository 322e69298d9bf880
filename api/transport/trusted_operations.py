"""The trusted operations of PERSISTED_OPERATIONS, checked against the schema at the start."""

from api.errors import Misconfigured
from api.schema import mistakes_in
from api.settings import Settings
from graphql_server.http.persisted_queries import Operations, read_operations


def open_operations(settings: Settings) -> Operations:
    """The operations of these settings. Raises Misconfigured, which names the first one that is not valid."""
    where = settings.persisted_operations
    try:
        trusted = read_operations(where) if where else {}
    except (OSError, ValueError) as error:
        raise Misconfigured(f"PERSISTED_OPERATIONS cannot be read: {error}") from error
    for name, text in trusted.items():
        if wrong := mistakes_in(text):
            raise Misconfigured(f"PERSISTED_OPERATIONS: {name} does not fit the schema: {wrong}")
    return Operations(trusted, only=settings.persisted_only, cache_bytes=settings.registered_queries_bytes)
