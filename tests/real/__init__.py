"""Plans as people publish them (samples/README.md has sources and licences), compared, merged, published."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

Plan = dict[str, Any]

SAMPLES = Path(__file__).parent / "samples"
TIERS = "formulary-PayerInsurancePlanA3004t"
CAREFIRST = "carefirst-PayerPlan-10207VA0380001"
INDIA = "in-nrces-example-01"
NAMES = sorted(path.stem for path in SAMPLES.glob("*.json"))


def sample(name: str) -> Plan:
    """A sample, digits kept."""
    plan: Plan = json.loads((SAMPLES / f"{name}.json").read_text(), parse_float=Decimal)
    return plan
