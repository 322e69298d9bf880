"""The permissions that are asked for are those of docs/process.md."""

import re
from pathlib import Path

from api.upstreams.camunda.authorizations import DEPLOY, MIGRATE, NEEDS

PAGE = Path(__file__).parent.parent.parent / "docs" / "process.md"


def test_the_page_has_every_permission() -> None:
    rows = re.findall(
        r"^\| (`[A-Z_]+`.*?) \| (ProcessDefinition|ProcessInstance|Deployment|Batch) ",
        PAGE.read_text("utf-8"),
        re.MULTILINE,
    )
    told = {(name, kind) for names, kind in rows for name in re.findall(r"`([A-Z_]+)`(?! on)", names)}
    told |= {found for names, _ in rows for found in re.findall(r"`([A-Z_]+)` on (\w+)", names)}
    needed = {each for need in (*NEEDS, DEPLOY, MIGRATE) for alternative in need.alternatives for each in alternative}
    assert needed == told
