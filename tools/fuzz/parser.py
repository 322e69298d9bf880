"""Coverage-guided fuzzing of what reads a request before anything is executed: `make fuzz-parser`.

Whatever bytes come, they are a request, or they are refused by one of the two errors that become an answer. Everything
else, and everything that takes seconds, is a finding: libFuzzer writes the input to a file and ends with 77.
"""

import sys
from contextlib import suppress

import atheris
import msgspec

with atheris.instrument_imports(include=["api", "graphql", "graphql_server", "strawberry"]):
    from graphql import GraphQLError

    from api import settings as configuration
    from api.schema import documents, schema
    from api.transport.trusted_operations import open_operations
    from graphql_server.documents.document_limits import DocumentLimits, first_excess
    from graphql_server.http.negotiation import chosen_media_type, is_json, wants_html
    from graphql_server.http.parameters import parameters_in
    from graphql_server.refusals import HttpRefusal

SETTINGS = configuration.read(
    _env_file=None,
    retool_database_url="postgresql://nobody@127.0.0.1:1/none",
    camunda_url="http://127.0.0.1:1/engine-rest",
    aidbox_url="http://127.0.0.1:1/fhir",
    auth="headers",
)
OPERATIONS = open_operations(SETTINGS)
LIMITS = msgspec.convert(SETTINGS, DocumentLimits, from_attributes=True)


def read(data: bytes) -> None:
    """One input: the first byte says what the rest is taken for."""
    kind, rest = data[:1], data[1:]
    with suppress(HttpRefusal, GraphQLError):
        if kind == b"\x02":
            text = rest.decode("latin-1")
            chosen_media_type(text), is_json(text), wants_html(text)
        elif kind == b"\x01":
            look_through(rest.decode("utf-8", "replace"), None, {})
        else:
            asked = parameters_in(rest)
            text = OPERATIONS.text(asked.query, asked.document_id, asked.extensions or {})
            look_through(text, asked.operation_name, asked.variables or {})


def look_through(text: str, operation_name: str | None, variables: dict[str, object]) -> None:
    """What the extension Preparation does before it lets a document be executed."""
    found = documents.of(text, LIMITS)
    if first_excess(found.size, LIMITS) is None and not found.mistakes(schema._schema):  # noqa: SLF001  # as there
        found.cost(schema._schema, operation_name, variables)  # noqa: SLF001  # as above


if __name__ == "__main__":
    atheris.Setup(sys.argv, read)
    atheris.Fuzz()
