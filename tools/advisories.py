"""Whether anything that a lock file pins has a known vulnerability. `make lint` runs it: `advisories.py LOCK …`.

pip-audit asks the package index's advisories, else OSV's. Where neither answers nothing is compared, which is said and
is no failure: whoever works without a network is not kept from working. A vulnerability always is one.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

SERVICES = ("pypi", "osv")
TIMEOUT = 120  # seconds, for all packages of a lock file
Report = Mapping[str, Any]


def main(locks: list[str]) -> int:
    """The exit code: 1 when there is a vulnerability in one of the files."""
    return max(_told(lock, _report(lock)) for lock in locks)


def vulnerabilities(report: Report) -> Iterator[str]:
    """A line for each."""
    for package in report["dependencies"]:
        for found in package.get("vulns", ()):
            mended = ", ".join(found["fix_versions"]) or "none yet"
            yield f"{package['name']} {package['version']}: {found['id']}; mended in: {mended}"


def compared(report: Report) -> int:
    """How many packages the service knew something of, if only that there is nothing."""
    return sum("skip_reason" not in package for package in report["dependencies"])


def _report(lock: str) -> Report:
    """Of the first service that answers for any package; one without packages when none does."""
    for service in SERVICES:
        report = _asked(lock, service)
        if compared(report):
            return report
    return {"dependencies": []}


def _asked(lock: str, service: str) -> Report:
    command = [sys.executable, "-m", "pip_audit", "--requirement", lock, "--require-hashes", "--disable-pip"]
    options = ["--vulnerability-service", service, "--format", "json", "--progress-spinner", "off", "--timeout", "5"]
    try:
        done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=TIMEOUT, check=False)  # noqa: S603  # words of our own
        report: Report = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError):
        return {"dependencies": []}
    return report


def _told(lock: str, report: Report) -> int:
    found, known = list(vulnerabilities(report)), compared(report)
    if not known:
        _say(f"{lock}: no service of advisories can be asked from here, so nothing was compared")
    else:
        _say(f"{lock}: {known} packages compared with known vulnerabilities, {len(found)} found")
    for line in found:
        _say(f"  {line}")
    return 1 if found else 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
