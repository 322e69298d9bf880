"""The example of columnar/README.md prints what stands there, knows nothing of the service, and needs no columns."""

import subprocess
import sys
from pathlib import Path

from columnar.executor import ColumnarExecutor

README = Path(__file__).parents[2] / "columnar" / "README.md"
ONLY_COLUMNAR = """
import sys
others = {"api", "authentication", "fhir_answers", "fhir_client", "graphql_server", "plandiff", "process_models"}
others |= {"resilience", "sandbox", "webhooks"}
assert not others & set(sys.modules), sorted(sys.modules)
"""


def blocks() -> tuple[str, str]:
    """The example, and what it prints."""
    _, example, _, printed, *_ = README.read_text(encoding="utf-8").split("```")
    return example.removeprefix("python\n"), printed.lstrip("\n")


def printed_by(code: str) -> str:
    run = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)  # noqa: S603  # our own page
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_the_example_prints_what_the_page_says_without_the_service() -> None:
    example, expected = blocks()
    assert printed_by(example + ONLY_COLUMNAR) == expected


def test_it_prints_the_same_where_graphql_core_executes_it() -> None:
    example, expected = blocks()
    given = f", execution_context_class={ColumnarExecutor.__name__}"
    assert example.count(given) == 1
    assert printed_by(example.replace(given, "")) == expected
