"""deploy/aidbox-access.json: the client and policies that Aidbox is given, against the requests the doctor tries."""

import json
import re
from typing import Any

import pytest

from tests.deploy.dockerfile import ROOT

ENTRIES = json.loads((ROOT / "deploy" / "aidbox-access.json").read_text("utf-8"))["entry"]
(CLIENT,) = [entry["resource"] for entry in ENTRIES if entry["resource"]["resourceType"] == "Client"]
POLICIES = [entry["resource"] for entry in ENTRIES if entry["resource"]["resourceType"] == "AccessPolicy"]

PLAN, RECORD = "/fhir/InsurancePlan", "/fhir/Provenance"


def is_allowed(method: str, uri: str, operation: str, kind: str) -> bool:
    """Whether a policy matches, as the documents describe the engine: each key must fit, `#` begins a pattern."""
    return any(_fits(policy["matcho"], method, uri, operation, kind) for policy in POLICIES)


def _fits(rule: dict[str, Any], method: str, uri: str, operation: str, kind: str) -> bool:
    wanted = rule.get("operation", {}).get("id", operation)
    operations = wanted["$one-of"] if isinstance(wanted, dict) else [wanted]
    return (
        operation in operations
        and rule.get("request-method", method) == method
        and rule.get("params", {}).get("resource/type", kind) == kind
        and ("uri" not in rule or re.search(rule["uri"].removeprefix("#"), uri) is not None)
    )


@pytest.mark.parametrize(
    ("method", "uri", "operation"),
    [
        ("get", f"{PLAN}/a-plan", "FhirRead"),
        ("post", f"{PLAN}/_search", "FhirSearch"),
        ("post", f"{PLAN}/_search", "an operation no document names"),
        ("get", PLAN, "FhirSearch"),
        ("post", "/fhir", "FhirTransaction"),
        ("get", f"{PLAN}/a-plan/_history", "an operation no document names"),
        ("get", f"{PLAN}/a-plan/_history/17", "an operation no document names"),
        ("put", f"{PLAN}/a-plan", "FhirUpdate"),
        ("post", PLAN, "FhirCreate"),
    ],
)
def test_what_the_service_needs_is_allowed(method: str, uri: str, operation: str) -> None:
    assert is_allowed(method, uri, operation, "InsurancePlan")


@pytest.mark.parametrize(
    ("method", "uri", "operation"),
    [
        ("get", f"{RECORD}/a-record", "FhirRead"),
        ("post", f"{RECORD}/_search", "FhirSearch"),
        ("post", f"{RECORD}/_search", "an operation no document names"),
        ("get", RECORD, "FhirSearch"),
        ("put", f"{RECORD}/a-record", "FhirUpdate"),
    ],
)
def test_provenance_is_allowed(method: str, uri: str, operation: str) -> None:
    assert is_allowed(method, uri, operation, "Provenance")


@pytest.mark.parametrize(
    ("method", "uri", "operation", "kind"),
    [
        ("get", "/fhir/Patient/a-patient", "FhirRead", "Patient"),
        ("get", "/fhir/Patient/a-patient/_history", "of a history", "Patient"),
        ("post", "/fhir/Patient/_search", "FhirSearch", "Patient"),
        ("put", "/fhir/Organization/acme", "FhirUpdate", "Organization"),
        ("post", "/fhir/Organization", "FhirCreate", "Organization"),
        ("delete", f"{PLAN}/a-plan", "FhirDelete", "InsurancePlan"),
        ("delete", f"{RECORD}/a-record", "FhirDelete", "Provenance"),
        ("get", f"{RECORD}/a-record/_history", "of a history", "Provenance"),
        ("delete", f"{PLAN}/a-plan/_history", "of a history", "InsurancePlan"),
        ("get", f"{PLAN}/a-plan/_history/17/more", "of a version", "InsurancePlan"),
        ("put", "/AccessPolicy/plan-api-plans", "Update", "AccessPolicy"),
    ],
)
def test_and_nothing_else(method: str, uri: str, operation: str, kind: str) -> None:
    assert not is_allowed(method, uri, operation, kind)


def test_policies_are_of_this_client_alone() -> None:
    assert CLIENT["grant_types"] == ["basic", "client_credentials"]
    assert [policy["link"] for policy in POLICIES] == [[{"resourceType": "Client", "id": CLIENT["id"]}]] * len(POLICIES)
    assert [entry["request"] for entry in ENTRIES] == [
        {"method": "PUT", "url": f"/{each['resource']['resourceType']}/{each['resource']['id']}"} for each in ENTRIES
    ]
