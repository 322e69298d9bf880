"""fhir_client on a real server: the example of its page does what it says."""

import re
import uuid
from pathlib import Path
from typing import Any

import httpx
import pytest

from fhir_client.server import FhirServer
from resilience.circuit_breaker import CircuitBreaker
from resilience.failures import Stale
from resilience.http.call import Upstream
from resilience.tls import secure_context
from tests.conftest import Systems

PAGE = Path(__file__).parents[2] / "fhir_client" / "README.md"

pytestmark = pytest.mark.anyio


def server(url: str) -> Upstream:
    return Upstream(
        "store",
        url,
        deadline=30,
        tries=1,
        breaker=CircuitBreaker("store", slots=4, failures=8, pause=2),
        auth=None,
        tls=secure_context(None, None, None),
        user_agent="tests",
        observe=lambda _name, _outcome, _seconds: None,
    )


@pytest.fixture
def patient(real_systems: Systems) -> str:
    patient_id = str(uuid.uuid4())
    made = httpx.put(
        f"{real_systems.aidbox_url}/Patient/{patient_id}",
        json={"resourceType": "Patient", "id": patient_id, "active": False},
        timeout=30,
    )
    assert made.status_code == 201
    return patient_id


async def found(systems: Systems, patient_id: str) -> Any:
    async with httpx.AsyncClient(base_url=systems.aidbox_url, timeout=30) as client:
        return (await client.get(f"/Patient/{patient_id}")).json()


async def test_the_example_of_the_page(real_systems: Systems, patient: str) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(code, str(PAGE), "exec"), names)  # noqa: S102  # our own page
    async with server(real_systems.aidbox_url) as upstream:
        assert await names["activate"](upstream, [patient, "nobody"]) == [patient]
    stored = await found(real_systems, patient)
    assert (stored["active"], stored["meta"]["versionId"]) == (True, "2")
    assert (await found(real_systems, "nobody"))["resourceType"] == "OperationOutcome"


async def test_of_two_writes_on_one_version_one_is_stale(real_systems: Systems, patient: str) -> None:
    async with server(real_systems.aidbox_url) as upstream:
        fhir = FhirServer(upstream)
        resource = {"resourceType": "Patient", "id": patient, "active": True}
        first, second = [
            await fhir.write(f"/Patient/{patient}", {**resource, "gender": gender}, {"If-Match": 'W/"1"'})
            for gender in ("female", "male")
        ]
        fhir.demand_written(first)
        with pytest.raises(Stale):
            fhir.demand_written(second)
    assert (await found(real_systems, patient))["gender"] == "female"
