"""Rules every element of the schema keeps: described, in our codes, mutations of one form."""

from enum import Enum

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLNonNull,
    GraphQLObjectType,
    build_schema,
    specified_scalar_types,
)

from api.coordination.rules.approval_state import State
from api.errors import UserErrorCode as OurCode
from api.schema import schema, schema_text
from api.schema.approval_status import ApprovalState, Verdict
from api.schema.changes import ConflictSide, FieldChangeKind
from api.schema.user_error import UserErrorCode
from api.upstreams.camunda.process_variables import Verdict as OurVerdict
from plandiff.changes import Kind
from plandiff.merge import Side

ENUMS_OF_LAYERS_BELOW: dict[str, tuple[type[Enum], type[Enum]]] = {
    "UserErrorCode": (UserErrorCode, OurCode),
    "ApprovalState": (ApprovalState, State),
    "Verdict": (Verdict, OurVerdict),
    "FieldChangeKind": (FieldChangeKind, Kind),
    "ConflictSide": (ConflictSide, Side),
}
ENUMS_OF_THE_SCHEMA = (
    "AuditEventKind",
    "ChangeBase",
    "DraftSortKey",
    "DraftStatus",
    "ProblemSeverity",
    "ProblemSource",
    "TaskSortKey",
)
FEDERATION = {
    "_Any",
    "_Entity",
    "_Service",
    "_FieldSet",
    "_entities",
    "_service",
    "link__Import",
    "link__Purpose",
}
TYPES = {
    name: kind
    for name, kind in schema._schema.type_map.items()
    if not name.startswith("__") and name not in FEDERATION and name not in specified_scalar_types
}


def test_everything_has_a_description() -> None:
    bare = [name for name, kind in TYPES.items() if not kind.description]
    for name, kind in TYPES.items():
        if isinstance(kind, GraphQLObjectType | GraphQLInputObjectType):
            fields = {key: field for key, field in kind.fields.items() if key not in FEDERATION}
            bare += [f"{name}.{key}" for key, field in fields.items() if not field.description]
        if isinstance(kind, GraphQLObjectType):
            fields_with_arguments = [field for field in kind.fields.items() if field[0] not in FEDERATION]
            bare += [
                f"{name}.{key}({argument})"
                for key, field in fields_with_arguments
                for argument, definition in field.args.items()
                if not definition.description
            ]
        if isinstance(kind, GraphQLEnumType):
            bare += [f"{name}.{key}" for key, value in kind.values.items() if not value.description]
    assert bare == []


def test_mutations_take_one_input_and_answer_a_nullable_payload_with_user_errors() -> None:
    mutation = schema._schema.mutation_type
    assert mutation is not None
    for name, field in mutation.fields.items():
        assert list(field.args) == ["input"], name
        assert isinstance(field.args["input"].type, GraphQLNonNull), name
        assert isinstance(field.type, GraphQLObjectType), f"{name} must be nullable"
        assert str(field.type.fields["userErrors"].type) == "[UserError!]!", name


@pytest.mark.parametrize("name", ENUMS_OF_LAYERS_BELOW)
def test_an_enum_has_the_members_of_the_one_of_the_layer_below(name: str) -> None:
    described, below = ENUMS_OF_LAYERS_BELOW[name]
    assert sorted(member.name for member in described) == sorted(member.name for member in below)
    kind = TYPES[name]
    assert isinstance(kind, GraphQLEnumType)
    assert sorted(kind.values) == sorted(member.name for member in below)


def test_every_enum_is_known_to_be_one_of_a_layer_below_or_of_the_schema_alone() -> None:
    enums = {name for name, kind in TYPES.items() if isinstance(kind, GraphQLEnumType)}
    assert enums == {*ENUMS_OF_LAYERS_BELOW, *ENUMS_OF_THE_SCHEMA}


def test_its_text_stands_on_its_own() -> None:
    built = build_schema(schema_text())
    # strawberry's name for it, which composers refuse, stands in no text
    assert set(schema._schema.type_map) - {"_FieldSet"} <= set(built.type_map)
