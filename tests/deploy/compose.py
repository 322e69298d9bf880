"""compose.yaml as the tests read it: line by line, since nothing else in the project needs a YAML parser.

Used by conftest.py and test_compose.py. `docker compose config` is the judge of its form, and needs no engine.
"""

import re

from tests.deploy.dockerfile import ROOT

TEXT = (ROOT / "compose.yaml").read_text("utf-8")
CODE = "\n".join(line for line in TEXT.splitlines() if not line.lstrip().startswith("#"))
EXAMPLE = dict(
    line.split("=", 1)
    for line in (ROOT / "deploy" / "example.env").read_text("utf-8").splitlines()
    if line and not line.startswith("#")
)


def variables() -> set[tuple[str, str]]:
    """Every variable of the environment that is read, with its default."""
    return set(re.findall(r"\$\{(\w+):-([^}]*)\}", CODE))


def api_environment() -> dict[str, str]:
    """What our own containers get, with the defaults."""
    block = CODE.partition("environment: &settings\n")[2].partition("  depends_on:")[0]
    lines = (line.strip().split(": ", 1) for line in block.splitlines())
    return {name: re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value).strip('"') for name, value in lines}
