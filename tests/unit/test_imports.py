"""What a service loads when it starts; which package may import which is in pyproject.toml, for `make lint`."""

import subprocess
import sys

LOADED = """
import sys
import api.__main__, api.app
print(*sorted({name.partition(".")[0] for name in sys.modules} & {"api", "doctor", "migration", "sandbox"}))
"""


def test_a_service_loads_neither_doctor_migration_nor_sandbox() -> None:
    ran = subprocess.run([sys.executable, "-c", LOADED], check=True, capture_output=True, text=True)  # noqa: S603  # our own interpreter
    assert ran.stdout.split() == ["api"]
