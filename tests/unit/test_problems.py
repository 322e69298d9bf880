"""What is wrong with a plan by its document alone, by a table of mistakes."""

import json
from copy import deepcopy
from typing import Any

import pytest

from plandiff import plan_document
from plandiff.problems import MOST_PROBLEMS, Problem, label_of, limited, problems
from tests.serving import GOLD

MOST = 1_000_000


def edited(path: str, value: Any) -> str:
    """The sample with a value at a place, `coverage.0.type`; None takes it away."""
    plan = deepcopy(json.loads(GOLD))
    *way, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    place: Any = plan
    for step in way:
        place = place.setdefault(step, {}) if isinstance(place, dict) else place[step]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return json.dumps(plan)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "The plan is not readable JSON."),
        ("[]", "The plan must be a FHIR InsurancePlan: an object with resourceType InsurancePlan."),
        ('{"resourceType": "Patient"}', "The plan must be a FHIR InsurancePlan"),
        (json.dumps({"resourceType": "InsurancePlan", "name": "x" * MOST}), "The plan has"),
    ],
)
def test_what_is_no_plan_has_one_problem(text: str, message: str) -> None:
    (problem,) = problems(text, max_bytes=MOST)
    assert (problem.is_error, problem.path, problem.label) == (True, None, "Plan")
    assert problem.message.startswith(message)


def test_samples_have_none() -> None:
    assert problems(GOLD, max_bytes=MOST) == []


IN_A_BUNDLE = "A urn:uuid reference has a meaning within a Bundle only; name the resource, as Organization/id."
EMPTY_COST: list[dict[str, Any]] = [{"specificCost": [{"benefit": [{"cost": [{}]}]}]}]


def required(*places: str) -> list[tuple[str, str]]:
    return [(place, f"{place.rpartition('.')[2]} is required here (FHIR R4).") for place in places]


def coded(place: str, codes: str) -> list[tuple[str, str]]:
    return [(place, f"{place.rpartition('.')[2]} must be one of {codes} (FHIR R4).")]


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("status", "live", None),
        ("coverage.0.type", None, required("coverage[0].type")),
        ("coverage.0.benefit", [], required("coverage[0].benefit")),
        ("coverage.0.benefit.0.type", None, required("coverage[0].benefit[0].type")),
        ("text", {"status": "generated"}, required("text.div")),
        (
            "text",
            {"status": "made", "div": "<div/>"},
            coded("text.status", "generated, extensions, additional, empty"),
        ),
        (
            "identifier",
            [{"use": "main", "value": "1"}],
            coded("identifier[0].use", "usual, official, temp, secondary, old"),
        ),
        (
            "contact",
            [{"telecom": [{"system": "mobile"}]}],
            coded("contact[0].telecom[0].system", "phone, fax, email, pager, url, sms, other"),
        ),
        ("ownedBy", {"reference": "#none"}, [("ownedBy.reference", "The plan contains no resource with the id none.")]),
        ("ownedBy", {"reference": "urn:uuid:1"}, [("ownedBy.reference", IN_A_BUNDLE)]),
        (
            "contained",
            [{"resourceType": "Organization", "id": "a"}] * 2,
            [("contained", "Two contained resources have the id a.")],
        ),
        ("ownedBy", {"reference": "Organization/elsewhere"}, []),
        (
            "plan",
            EMPTY_COST,
            required(
                "plan[0].specificCost[0].category",
                "plan[0].specificCost[0].benefit[0].type",
                "plan[0].specificCost[0].benefit[0].cost[0].type",
            ),
        ),
    ],
)
def test_mistakes(path: str, value: Any, expected: list[tuple[str, str]] | None) -> None:
    told = problems(edited(path, value), max_bytes=MOST)
    if expected is None:  # its sentence is that of the rule
        expected = list(plan_document.broken_rules(json.loads(edited(path, value))))
        assert [place for place, _ in expected] == [path]
    assert told == [Problem(is_error=True, path=place, message=message) for place, message in expected]


def test_a_plan_without_a_name() -> None:
    plan = {"resourceType": "InsurancePlan", "status": "active"}
    (problem,) = problems(json.dumps(plan), max_bytes=MOST)
    assert (problem.path, problem.label, "ipn-1" in problem.message) == ("name", "Name", True)


def test_a_contained_resource_that_is_there() -> None:
    plan = json.loads(edited("ownedBy", {"reference": "#owner"}))
    plan["contained"] = [{"resourceType": "Organization", "id": "owner"}]
    assert problems(json.dumps(plan), max_bytes=MOST) == []


def test_every_one_of_many_contained_resources_counts() -> None:
    plan = json.loads(edited("ownedBy", {"reference": "#10001"}))
    plan["contained"] = [{"resourceType": "Organization", "id": f"{number}"} for number in (*range(10_002), 10_001)]
    assert problems(json.dumps(plan), max_bytes=MOST) == [
        Problem(is_error=True, path="contained", message="Two contained resources have the id 10001.")
    ]


def test_labels() -> None:
    assert label_of("coverage[0].benefit[1].type") == "Coverage 1 › benefit 2 › type"


@pytest.mark.parametrize(
    ("path", "pointer"),
    [
        (None, None),
        ("status", "/status"),
        ("coverage[0].benefit[11].type", "/coverage/0/benefit/11/type"),
        ("coverage.0.type", "/coverage/0/type"),
        ("extension('http://example.org/a').value", None),
        ("plan.where(type='Gold')", None),
    ],
)
def test_pointers(path: str | None, pointer: str | None) -> None:
    assert Problem(is_error=True, path=path, message="Wrong").pointer == pointer


def test_a_long_list_is_cut_errors_first() -> None:
    cut = limited([Problem(is_error=number == 40, path=None, message=f"{number}") for number in range(50)])
    assert (len(cut), cut[0].message) == (MOST_PROBLEMS + 1, "40")
    assert cut[-1] == Problem(is_error=False, path=None, message="25 more problems.")
