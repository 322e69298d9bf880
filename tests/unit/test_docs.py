"""The pages against the code: every setting, code, endpoint, metric, variable and command is there, and no other."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from graphql import parse, validate
from prometheus_client.metrics import MetricWrapperBase
from typer.main import get_command

from api import __main__ as command_line
from api import serving, telemetry
from api.app import STOP_TIMEOUT
from api.errors import Misconfigured, UpstreamFailed, UserErrorCode
from api.schema import schema, schema_text
from api.settings import Settings
from api.transport.graphql import GRAPHIQL_ASSETS
from api.upstreams.camunda.process_variables import CHANGE_VARIABLES, VARIABLES
from doctor import settings_page
from graphql_server.refusals import OVERLOADED
from plandiff.summary import AREAS

ROOT = Path(__file__).parent.parent.parent
DOCS = ROOT / "docs"
DECISIONS = DOCS / "decisions"
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted(DOCS.rglob("*.md")),
    ROOT / "tests" / "README.md",
]
OTHER_WORDS = {"PROMETHEUS_MULTIPROC_DIR"}
PARTS = ("## Context", "## Choice", "## Measured", "## Cost")


def page(name: str) -> str:
    return (DOCS / name).read_text("utf-8")


def column(text: str, head: str) -> list[str]:
    """The first cells of the table whose first cell has this head."""
    section = text.partition(f"| {head} |")[2].partition("\n\n")[0]
    return re.findall(r"^\| (.+?) \|", section.partition("\n")[2].partition("\n")[2], re.MULTILINE)


def anchors(text: str) -> set[str]:
    """What GitHub makes of the headings."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(file: Path) -> list[str]:
    """Links of a page that name no file, or no heading of it."""
    links = re.findall(r"\]\(([^)\s]+)\)", file.read_text("utf-8"))
    return [link for link in links if not link.startswith(("https://", "http://")) and not _is_there(file, link)]


def _is_there(file: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = (file.parent / path).resolve() if path else file
    return target.exists() and (not anchor or anchor in anchors(target.read_text("utf-8")))


def unknown_targets(text: str) -> set[str]:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    blocks = "".join(re.findall(r"```sh\n.*?```", text, re.DOTALL))
    named = re.findall(r"`make ([a-z-]+)", text) + re.findall(r"^make ([a-z-]+)", blocks, re.MULTILINE)
    return set(named) - targets


def unknown_commands(text: str) -> set[str]:
    """Commands and options after `plan-api` that the command line does not have."""
    commands = _commands()
    named = re.findall(r"(?:`|^)plan-api ([a-z]+)((?: --?[a-z-]+| [a-zA-Z]+)*)", text, re.MULTILINE)
    return {
        f"{name}{rest}"
        for name, rest in named
        if name not in commands or not set(re.findall(r"--[a-z-]+", rest)) <= commands[name]
    }


def _commands() -> dict[str, set[str]]:
    group = get_command(command_line.app)
    assert isinstance(group, typer.core.TyperGroup)
    return {
        name: {each for option in command.params for each in option.opts} for name, command in group.commands.items()
    }


def names(file: Path) -> str:
    return str(file.relative_to(ROOT))


def all_kinds(root: type[UpstreamFailed]) -> list[type[UpstreamFailed]]:
    """The class and everything below it."""
    return [root, *(kind for child in root.__subclasses__() for kind in all_kinds(child))]


def test_the_settings_page_is_what_the_code_says() -> None:
    assert page("settings.md") == settings_page.page(), "run `plan-api settings > docs/settings.md`"


def test_every_setting_is_in_a_group() -> None:
    assert re.findall(r"^\| `(\w+)` \|", settings_page.page(), re.MULTILINE) == [
        name.upper() for name in Settings.model_fields
    ]


def test_every_user_error_code_has_its_row() -> None:
    rows = column(page("errors.md"), "`userErrors` code")
    assert [row.strip("`") for row in rows] == [code.value for code in UserErrorCode]


def test_every_failure_code_has_its_row() -> None:
    named = set(re.findall(r"`([A-Z_]+)`", " ".join(column(page("errors.md"), "`errors` code"))))
    ours = {kind.code for kind in all_kinds(UpstreamFailed)} | {Misconfigured.code}
    assert named == ours | _codes_of_refusals()


def _codes_of_refusals() -> set[str]:
    """The codes that transport, schema and the GraphQL server give of their own."""
    folders = (ROOT / "api" / "transport", ROOT / "api" / "schema", ROOT / "graphql_server")
    files = [file for folder in folders for file in folder.rglob("*.py")]
    words = {word for file in files for word in re.findall(r'"([A-Z]+(?:_[A-Z]+)+)"', file.read_text("utf-8"))}
    settings = {name.upper() for name in Settings.model_fields}
    return (words | {"UNAUTHENTICATED", OVERLOADED}) - _values_of_enums() - settings - OTHER_WORDS


def _values_of_enums() -> set[str]:
    return {name for kind in schema._schema.type_map.values() for name in getattr(kind, "values", {})}


def test_every_process_variable_is_explained() -> None:
    named = re.findall(r"`(\w+)`", " ".join(column(page("process.md"), "process variable")))
    assert set(VARIABLES) <= set(named)
    assert [name.strip("`") for name in column(page("process.md"), "variable of a change")] == list(CHANGE_VARIABLES)


def test_every_area_of_changes_is_explained() -> None:
    assert [row.strip("`") for row in column(page("process.md"), "area")] == list(AREAS)


def _metrics() -> Iterator[tuple[str, set[str]]]:
    """Every metric by the name Prometheus has for it, and its labels."""
    for metric in vars(telemetry).values():
        if isinstance(metric, MetricWrapperBase):
            name = f"{metric._name}_total" if metric._type == "counter" else metric._name
            yield name, set(metric._labelnames)


def test_every_metric_has_its_row_with_its_labels_and_what_to_do() -> None:
    section = page("operations.md").partition("| metric | labels |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| `(\w+)` \| ([^|]*)\| .+ \| (.+) \|$", section, re.MULTILINE)
    assert {name: set(re.findall(r"`(\w+)`", labels)) for name, labels, _ in rows} == dict(_metrics())
    assert [name for name, _, advice in rows if " means " not in advice] == []


def test_every_metric_that_is_named_is_there() -> None:
    ours = {name for name, _ in _metrics()}
    named = {word for file in PAGES for word in re.findall(r"`(plan_api_\w+)", file.read_text("utf-8"))}
    assert {name for name in named if not any(each.startswith(name) for each in ours)} == set()


def test_every_topic_message_and_error_of_the_model_is_explained() -> None:
    model = (ROOT / "bpmn" / "benefit-approval.bpmn").read_text("utf-8")
    names = re.findall(r'camunda:topic="([\w-]+)"|<bpmn:message [^>]*name="([\w-]+)"|errorCode="([\w-]+)"', model)
    rows = {row.strip("`") for row in column(page("process.md"), "name")}
    assert rows == {"".join(found) for found in names} | {"benefit-approval"}


PICTURES = sorted((ROOT / "bpmn").rglob("*.svg"))


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.name)
def test_a_picture_of_a_model_shows_all_of_it(picture: Path) -> None:
    drawn = set(re.findall(r'bpmnElement="([\w-]+)"', picture.with_suffix(".bpmn").read_text("utf-8")))
    shown = set(re.findall(r'data-element-id="([\w-]+)"', picture.read_text("utf-8")))
    assert {each for each in shown if not each.endswith("_label")} == drawn - {
        "benefit-approval",
        "benefit-notification",
    }


def test_every_command_has_its_row() -> None:
    named = re.findall(r"`plan-api ([a-z]+)", " ".join(column(page("operations.md"), "command")))
    assert set(named) == set(_commands())


def test_the_kubernetes_sketch_names_settings_that_are_there() -> None:
    sketch = page("operations.md").partition("```yaml\n")[2].partition("```")[0]
    named = re.findall(r"name: ([A-Z_]+)", sketch)
    assert named
    assert {name.lower() for name in named} <= set(Settings.model_fields)
    grace = int(re.findall(r"terminationGracePeriodSeconds: (\d+)", sketch)[0])
    assert grace >= serving.GRACEFUL_SHUTDOWN + STOP_TIMEOUT


def test_every_target_is_explained_to_contributors() -> None:
    targets = set(re.findall(r"^([a-z-]+):.* ## ", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    guide = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    assert targets - set(re.findall(r"make ([a-z-]+)", guide)) - {"help"} == set()


def test_every_run_of_the_continuous_integration_has_its_row() -> None:
    runs = (ROOT / ".ci" / "run").read_text("utf-8").replace("\\\n", " ")
    tests = re.findall(r"^(?:TZ=\S+ )?make test(.*)$", runs, re.MULTILINE)
    rows = column(page("compatibility.md"), "`.ci/run`")
    assert len(rows) == len(tests)
    for row, run in zip(rows, tests, strict=True):
        folders = set(re.findall(r"tests/(\w+)", run))
        assert set(re.findall(r"`(\w+)`", row)) == folders
        assert set(re.findall(r"--store ([\w-]+)|(Asia/\w+)", run)) <= set(
            re.findall(r"`(aidbox[\w-]+)`|(Asia/\w+)", _row(page("compatibility.md"), row))
        )


def _row(text: str, first: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(f"| {first} |"))


def test_every_endpoint_has_its_row() -> None:
    routes = re.findall(r'Route\("(/[^"]*)"', (ROOT / "api" / "app.py").read_text("utf-8"))
    rows = [re.sub(r"^[A-Z]+ ", "", row.strip("`")) for row in column(page("clients.md"), "address")]
    assert len(routes) > 4
    assert set(rows) == {path.replace(":path", "") for path in routes} | {f"{GRAPHIQL_ASSETS}/…"}


@pytest.mark.parametrize("file", PAGES, ids=names)
def test_every_link_leads_somewhere(file: Path) -> None:
    assert broken_links(file) == []


@pytest.mark.parametrize("file", PAGES, ids=names)
def test_every_command_is_there(file: Path) -> None:
    text = file.read_text("utf-8")
    assert unknown_targets(text) == set()
    assert unknown_commands(text) == set()


@pytest.mark.parametrize("file", PAGES, ids=names)
def test_every_query_fits_the_schema(file: Path) -> None:
    for query in re.findall(r"```graphql\n(.*?)```", file.read_text("utf-8"), re.DOTALL):
        assert validate(schema._schema, parse(query)) == []


@pytest.mark.parametrize("file", PAGES, ids=names)
def test_every_setting_that_is_named_is_there(file: Path) -> None:
    assigned = set(re.findall(r"`([A-Z][A-Z_]+)=", file.read_text("utf-8")))
    ours = {name.upper() for name in Settings.model_fields}
    assert {name for name in assigned - ours if not name.startswith("BOX_")} <= _MAKE | OTHER_WORDS


_MAKE = {"ARGS", "ENGINE", "TESTS", "WORKERS", "EXAMPLES", "SEED", "SECONDS"}


@pytest.mark.parametrize("file", PAGES, ids=names)
def test_every_path_that_is_named_is_there(file: Path) -> None:
    text = file.read_text("utf-8")
    paths = re.findall(
        r"(?:`|^)((?:api|authentication|columnar|doctor|fhir_answers|fhir_client|graphql_server|migration|notifications|plandiff|process_models|resilience|sandbox|setting_types|tests|bpmn|tools|deploy|docs|webhooks)/[\w./-]*)"
        r"(?:::(\w+))?",
        text,
        re.MULTILINE,
    )
    assert [path for path, _ in paths if not (ROOT / path).exists()] == []
    assert [f"{path}::{name}" for path, name in paths if name and not _has_test(path, name)] == []


def _has_test(path: str, name: str) -> bool:
    return re.search(rf"^(?:async )?def {name}\(", (ROOT / path).read_text("utf-8"), re.MULTILINE) is not None


def test_every_test_behind_a_promise_is_there() -> None:
    named = re.findall(r"\[`(test_\w+)`\]\(\.\./(tests/[\w/]+\.py)\)", page("reliability.md"))
    assert len(named) > 40
    assert [name for name, file in named if not _has_test(file, name)] == []


def test_the_layout_names_every_package_and_every_folder_of_the_service() -> None:
    layout = page("architecture.md").partition("```\n")[2].partition("```")[0]
    named = set(re.findall(r"^(?:api/)?(\w+)/ ", layout, re.MULTILINE))
    folders = {file.parent.name for file in [*ROOT.glob("*/__init__.py"), *ROOT.glob("api/*/__init__.py")]}
    assert named - {"bpmn"} == folders - {"api", "tests"}
    assert _indented(layout) == {
        file.parent.name for name in ("coordination", "upstreams") for file in ROOT.glob(f"api/{name}/*/__init__.py")
    }


def _indented(layout: str) -> set[str]:
    return set(re.findall(r"^  (\w+)/ ", layout, re.MULTILINE))


def test_the_index_names_every_page() -> None:
    named = re.findall(r"\]\(([^)#]+)\)", page("README.md"))
    pages = {file.name for file in DOCS.glob("*.md")} - {"README.md"}
    assert pages <= set(named)


def test_every_page_says_whom_it_is_for() -> None:
    told = {file.name: file.read_text("utf-8").splitlines()[2] for file in DOCS.glob("*.md")}
    without = {name for name, line in told.items() if not line.startswith(("*For ", "For "))}
    assert without == {"README.md"}


def test_every_decision_has_its_parts_and_is_in_the_index() -> None:
    files = sorted(DECISIONS.glob("[0-9]*.md"))
    index = re.findall(r"^\| (\d+) \| \[(.+)\]\((.+)\) \|$", (DECISIONS / "README.md").read_text("utf-8"), re.MULTILINE)
    assert [name for _, _, name in index] == [file.name for file in files]
    for file, (number, title, _) in zip(files, index, strict=True):
        text = file.read_text("utf-8")
        assert text.startswith(f"# {number}. {title}\n")
        assert file.name.startswith(f"{int(number):03}-")
        assert re.findall(r"^## .+$", text, re.MULTILINE) == list(PARTS)


def test_every_folder_of_tests_is_explained() -> None:
    text = (ROOT / "tests" / "README.md").read_text("utf-8")
    folders = {file.parent.relative_to(ROOT / "tests").parts[0] for file in (ROOT / "tests").glob("*/**/*.py")}
    assert [row.strip("`") for row in column(text, "folder")] == sorted(folders)


def test_every_option_of_the_tests_is_explained() -> None:
    options = re.findall(r'addoption\(\s*"(--[a-z-]+)"', (ROOT / "tests" / "conftest.py").read_text("utf-8"))
    rows = column((ROOT / "tests" / "README.md").read_text("utf-8"), "option")
    assert len(options) > 5
    assert set(re.findall(r"--[a-z-]+", " ".join(rows))) == set(options)


def test_the_committed_schema_is_the_servers() -> None:
    assert (ROOT / "schema.graphql").read_text("utf-8") == schema_text(), "run `make schema`"
