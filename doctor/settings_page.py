"""docs/settings.md, made of the settings themselves; `plan-api settings` prints it, and a test compares."""

from collections.abc import Sequence

from api.settings import Settings
from setting_types import described

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
    "webhook_urls": "Webhooks",
    "worker": "Worker",
    "log_level": "Log",
}
PAGE_HEAD = """# Settings

*For operators.* All settings come from environment variables or a `.env` file and are read once, at the start. A wrong
or missing one stops the start with one line that names it. This page is generated:
`plan-api settings > docs/settings.md`.
"""


def page() -> str:
    """docs/settings.md: a table for each group of settings, in the order of the class."""
    names = list(Settings.model_fields)
    starts = [names.index(first) for first in GROUPS]
    blocks = [names[start:end] for start, end in zip(starts, [*starts[1:], len(names)], strict=True)]
    parts = [f"## {title}\n\n{_table(block)}" for title, block in zip(GROUPS.values(), blocks, strict=True)]
    return "\n".join([PAGE_HEAD, *parts])


def _table(names: Sequence[str]) -> str:
    rows = [f"| `{name.upper()}` | {_default(name)} | {described(Settings, name)} |" for name in names]
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
