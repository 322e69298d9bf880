"""`python -m api` in a process of its own, with an environment of its own."""

import os
import subprocess
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from psycopg import sql

from api.settings import Settings
from tests.engine_access import engine_environment
from tests.serving import Drafts

ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True)
class Ran:
    """What a command came to."""

    code: int
    lines: list[str]
    errors: str


def run(settings: Settings, *words: str, **environment: str) -> Ran:
    """Run a command on the systems of these settings; `environment` changes single settings, by their names."""
    known = {
        "RETOOL_DATABASE_URL": settings.retool_database_url.get_secret_value(),
        **engine_environment(settings),
        "AIDBOX_URL": settings.aidbox_url,
    }
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LD_LIBRARY_PATH")}
    done = subprocess.run(  # noqa: S603  # our own interpreter
        [sys.executable, "-m", "api", *words],
        cwd=ROOT,
        env={**kept, **known, **environment},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    return Ran(done.returncode, done.stdout.splitlines(), done.stderr)


def as_user(settings: Settings, user: str) -> str:
    """The drafts database's URL for somebody else; `user`: a name, or name:password."""
    url = urlsplit(settings.retool_database_url.get_secret_value())
    return url._replace(netloc=f"{user}@{url.netloc.rpartition('@')[2]}").geturl()


def new_name(word: str = "drafts") -> str:
    """A table or role nobody had before."""
    return f"{word}_{uuid.uuid4().hex[:12]}"


def drop_table(drafts: Drafts, name: str) -> None:
    """The table, gone, if it is there."""
    drafts.connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(*name.split("."))))
