"""Every field of what is read says what it reads, so that lists stay lean; of what does not, everything is read."""

import pytest
from graphql import GraphQLObjectType, OperationDefinitionNode, parse

from api.requirements import EVERYTHING, Requirements
from api.schema import schema
from columnar.document_walk import Variables, fragments_of
from graphql_server.documents.field_requirements import DEFINITION, KEY, operation_requirements, requirements_of

GRAPH = schema._schema
READ = ("Query", "Task", "TaskPage", "Draft", "DraftPage", "PlanVersion", "ApprovalStatus")
FEDERATION = ("_entities", "_service")


def fields_of(name: str) -> dict[str, object]:
    kind = GRAPH.type_map[name]
    assert isinstance(kind, GraphQLObjectType)
    return {f"{name}.{key}": field for key, field in kind.fields.items() if key not in FEDERATION}


@pytest.mark.parametrize("name", READ)
def test_every_field_with_a_resolver_says_what_it_reads(name: str) -> None:
    silent = [key for key, field in fields_of(name).items() if requirements_of(field) is None]  # type: ignore[arg-type]  # fields they are
    assert silent == []


def test_every_field_of_an_approval_says_it() -> None:
    """What they are filled with is asked for by what is said here."""
    silent = [
        key
        for key, field in fields_of("ApprovalStatus").items()
        if KEY not in field.extensions[DEFINITION].metadata  # type: ignore[attr-defined]  # as above
    ]
    assert silent == []


def required_by(query: str, **given: object) -> Requirements:
    document = parse(query)
    operation = next(each for each in document.definitions if isinstance(each, OperationDefinitionNode))
    return Requirements(operation_requirements(GRAPH, operation, fragments_of(document), Variables(operation, given)))


@pytest.mark.parametrize(
    "query",
    [
        'mutation { claimTask(input: {taskId: "1"}) { task { id } } }',
        "{ _entities(representations: []) { ... on Draft { name } } }",
        'mutation { a: withdrawSubmission(input: {draftId: "1"}) { draft { name } } }',
    ],
)
def test_of_what_says_nothing_everything_is_read(query: str) -> None:
    assert required_by(query) == EVERYTHING


def test_an_operation_that_reads_nothing() -> None:
    assert required_by("{ viewer { id } __typename __schema { types { name fields { name } } } }") == Requirements({})


def test_parts_are_told_apart_by_what_finds_them() -> None:
    found = required_by(
        """{ pendingTasks { items { draft { planData } basePlan { name } currentPlan { resource history { name } } } }
          drafts { items { revision } } plan(id: "1") { draft { name } } }"""
    )
    assert {loader: sorted(parts) for loader, parts in (found.parts or {}).items()} == {
        "process_variables": ["aidboxPlanId", "baseVersion", "draftId"],
        "drafts": ["plan", "revision"],
        "draft_page": ["revision"],
        "drafts_by_plan": [],
        "plans": ["resource"],
        "plan_versions": [],
        "plan_histories": [],
        "plans_at": [],
    }
