"""The GraphiQL page: one HTML document that loads files of this service only, and the operations it opens with."""

import html
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from string import Template

from graphql import OperationDefinitionNode, VariableDefinitionNode, parse
from starlette.responses import HTMLResponse, Response

from graphql_server.graphiql.files import HERE, manifest

# Inline styles are allowed: the editor writes its theme and the positions of its lines as it runs.
_POLICY = (
    "default-src 'none'; script-src 'nonce-{nonce}'; worker-src 'self'; style-src 'self' 'unsafe-inline'; "
    "font-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True)
class Tab:
    """One tab the page opens with: an operation, and as JSON text its variables and the headers to send."""

    query: str
    variables: str = ""
    headers: str = ""


def page(*, title: str, endpoint: str, assets: str, note: str = "", tabs: Sequence[Tab] = ()) -> Response:
    """The page. It sends queries to `endpoint` and loads its files from `assets` (the path of `assets_route`).

    `note` is one sentence under the answers; text between backticks is set as code.
    """
    nonce = secrets.token_urlsafe(16)
    entries = {entry: f"{assets}/{name}" for entry, name in manifest()["entries"].items()}
    document = Template((HERE / "page.html").read_text("utf-8")).substitute(
        title=html.escape(title),
        nonce=nonce,
        script=html.escape(entries["page"]),
        style=html.escape(entries["style"]),
        configuration=_configuration(endpoint, note, tabs, entries),
    )
    return HTMLResponse(document, headers=_headers(nonce))


def tabs_of(text: str, values: Mapping[str, object] | None = None) -> list[Tab]:
    """A tab for each operation of a document, with the comments before it.

    Variables without default come from `values`, else are "".
    """
    tabs, begin = [], 0
    for definition in parse(text).definitions:
        if isinstance(definition, OperationDefinitionNode) and definition.loc:
            query = text[begin : definition.loc.end].strip()
            tabs.append(Tab(query, _variables(definition.variable_definitions or (), values or {})))
            begin = definition.loc.end
    return tabs


def _configuration(endpoint: str, note: str, tabs: Sequence[Tab], entries: Mapping[str, str]) -> str:
    workers = {label: entries[label] for label in ("editor", "graphql", "json")}
    configuration = {"endpoint": endpoint, "note": note, "tabs": [asdict(tab) for tab in tabs], "workers": workers}
    # Nothing in it may close the script element it stands in.
    return json.dumps(configuration, ensure_ascii=False).replace("<", "\\u003c")


def _headers(nonce: str) -> dict[str, str]:
    return {
        "Cache-Control": "no-store",
        "Content-Security-Policy": _POLICY.format(nonce=nonce),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "Vary": "Accept",
        "X-Content-Type-Options": "nosniff",
    }


def _variables(definitions: Sequence[VariableDefinitionNode], values: Mapping[str, object]) -> str:
    names = [definition.variable.name.value for definition in definitions if definition.default_value is None]
    return json.dumps({name: values.get(name, "") for name in names}, indent=2) if names else ""
