"""``python -m tests.report JUNIT``: fails when a test was skipped, or a kind of test is missing."""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ET

NEEDED = {"tests.integration": "on real Kafka", "tests.browser": "in a browser"}


def problems_of(path: str) -> list[str]:
    """Why the run behind a JUnit report does not count."""
    cases = list(ET.parse(path).getroot().iter("testcase"))
    problems = [
        f"skipped: {case.get('classname')}.{case.get('name')}: {skipped.get('message')}"
        for case in cases
        if (skipped := case.find("skipped")) is not None
    ]
    for package, words in NEEDED.items():
        if not any((case.get("classname") or "").startswith(package) for case in cases):
            problems.append(f"no test ran {words} ({package})")
    return problems


if __name__ == "__main__":
    found = problems_of(sys.argv[1])
    for problem in found:
        print(problem, file=sys.stderr)
    sys.exit(1 if found else 0)
