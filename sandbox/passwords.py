"""The passwords of one sandbox: random, made at its first start, kept in its folder and readable by its owner alone."""

import secrets
from pathlib import Path

import msgspec

from sandbox.server import SandboxError


class Passwords(msgspec.Struct, frozen=True):
    """`postgres` of the database's superuser `postgres`; `engine` of the engine's administrator `demo`."""

    postgres: str
    engine: str


def passwords_of(folder: Path) -> Passwords:
    """The passwords of the sandbox in `folder`; new ones where none has been made.

    Raises SandboxError for a folder whose database was made without passwords.
    """
    file = folder / "passwords.json"
    if file.exists():
        return msgspec.json.decode(file.read_bytes(), type=Passwords)
    if (folder / "postgres" / "data").exists():
        raise SandboxError(
            f"The data in {folder} has no passwords: an earlier version made it. Start once with --fresh."
        )
    made = Passwords(postgres=secrets.token_urlsafe(24), engine=secrets.token_urlsafe(24))
    # under another name first, so that an interrupted start leaves no file without passwords
    unfinished = folder / "passwords.unfinished"
    unfinished.unlink(missing_ok=True)
    unfinished.touch(mode=0o600)
    unfinished.write_bytes(msgspec.json.encode(made))
    unfinished.replace(file)
    return made
