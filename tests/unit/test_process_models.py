"""Models in BPMN: the package's own example runs."""

import re
from pathlib import Path


def test_the_example_of_the_package() -> None:
    page = Path(__file__).parents[2] / "process_models" / "README.md"
    (code,) = re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    exec(compile(code, str(page), "exec"), {})  # noqa: S102  # our own page
