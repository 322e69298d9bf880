"""The permissions that are asked for are those of the README."""

import re
from pathlib import Path

from api.upstreams.authorizations import DEPLOY, NEEDS

README = Path(__file__).parent.parent.parent / "README.md"


def test_the_readme_has_every_permission() -> None:
    rows = re.findall(
        r"^\| (`[A-Z_]+`.*?) \| (ProcessDefinition|ProcessInstance|Deployment) ",
        README.read_text("utf-8"),
        re.MULTILINE,
    )
    told = {(name, kind) for names, kind in rows for name in re.findall(r"`([A-Z_]+)`(?! on)", names)}
    told |= {found for names, _ in rows for found in re.findall(r"`([A-Z_]+)` on (\w+)", names)}
    needed = {each for need in (*NEEDS, DEPLOY) for alternative in need.alternatives for each in alternative}
    assert needed == told
