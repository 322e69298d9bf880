"""No query costs more requests for fifty tasks than for five: selections are drawn from the schema."""

from collections.abc import Iterator

import pytest
from graphql import GraphQLField, GraphQLObjectType, get_named_type, is_leaf_type, is_non_null_type
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.schema import schema
from api.settings import Settings
from tests.calls.inboxes import Inbox, Inboxes
from tests.calls.recording import Recording
from tests.calls.test_counts import drafts as drafts_of
from tests.calls.test_counts import named, tasks
from tests.conftest import Systems
from tests.serving import REVIEWER, Api, Drafts

OF_A_FEW = ("problems",)  # asked of the store one by one, and for a few drafts of a request only
DEEPEST = 4  # objects in one another, below the items
ROOTS = {"Task": (tasks,), "Draft": (drafts_of, named)}


def types(name: str) -> GraphQLObjectType:
    kind = schema._schema.type_map[name]
    assert isinstance(kind, GraphQLObjectType)
    return kind


def is_free(field: GraphQLField) -> bool:
    """Whether it can be selected without an argument."""
    return not any(is_non_null_type(each.type) and not each.default_value for each in field.args.values())


@st.composite
def selections(draw: st.DrawFn, kind: GraphQLObjectType, depth: int = DEEPEST) -> str:
    """A selection on a type; objects further down are fewer."""
    fields = {name: field for name, field in kind.fields.items() if is_free(field) and name not in OF_A_FEW}
    leaves = [name for name, field in fields.items() if is_leaf_type(get_named_type(field.type))]
    inner = [name for name in fields if name not in leaves] if depth else []
    chosen = draw(st.lists(st.sampled_from(leaves), min_size=1, max_size=3, unique=True))
    for name in draw(st.lists(st.sampled_from(inner), max_size=2, unique=True)) if inner else ():
        below = get_named_type(fields[name].type)
        assert isinstance(below, GraphQLObjectType)
        chosen.append(f"{name} {draw(selections(below, depth - 1))}")
    return f"{{ {' '.join(chosen)} }}"


@st.composite
def queries(draw: st.DrawFn) -> str:
    """A list of tasks or drafts with whatever hangs on them."""
    name = draw(st.sampled_from(sorted(ROOTS)))
    root = draw(st.sampled_from(ROOTS[name]))
    return root(f"items {draw(selections(types(name)))}")


@pytest.fixture(scope="module")
def recorded(patient: Settings) -> Iterator[tuple[Recording, Api]]:
    """An API that keeps nothing from one request to the next."""
    recording = Recording()
    with recording.before(
        patient.model_copy(update={"kept_versions_bytes": 0, "max_depth": 30, "max_cost": 10**12})
    ) as api:
        api.ask('{ draft(id: "none") { id } }', REVIEWER)
        yield recording, api


@pytest.fixture(scope="module")
def short_and_long(systems: Systems, drafts: Drafts) -> tuple[Inbox, Inbox]:
    """Each with plans of its own, or the drafts of one would edit the plans of the other."""
    short, long = (Inboxes(drafts, systems.camunda_url, systems.aidbox_url).of(length) for length in (5, 50))
    return short, long


def requests(recorded: tuple[Recording, Api], query: str, inbox: Inbox) -> dict[str, int]:
    recording, api = recorded
    someone = inbox.author if "$author" in query else inbox.reviewer
    recording.calls.clear()
    (page,) = api.ask(query, someone, author=inbox.author.id, ids=inbox.draft_ids).values()
    assert len(page["items"]) == len(inbox.draft_ids)
    return recording.counts()


@pytest.mark.slow
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(query=queries())
def test_fifty_cost_what_five_cost(
    recorded: tuple[Recording, Api], short_and_long: tuple[Inbox, Inbox], query: str
) -> None:
    short, long = (requests(recorded, query, inbox) for inbox in short_and_long)
    assert long == short
