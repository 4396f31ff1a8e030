"""What the tests need beyond Python: ``python -m tests.setup`` gets it, or says who must.

Chromium comes from the system's packages (apt, as root or by passwordless sudo), Apache Kafka's
jars from Maven. What cannot be had is said, and its tests are skipped, or fail where
``ACKBOARD_TEST_EVERYTHING`` is set.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from producer_agent.kafka.lab import LabError, ensure_jars
from tests.chromium import chromium_path


def install_chromium() -> str | None:
    """Make sure of Chromium; returns why it cannot be had, or None."""
    if chromium_path() is not None:
        return None
    apt = shutil.which("apt-get")
    if apt is None:
        return "no Chromium, and no apt-get to install it: install Chromium and set CHROMIUM"
    prefix: list[str] = []
    if os.geteuid() != 0:
        sudo = shutil.which("sudo")
        if sudo is None or subprocess.run([sudo, "-n", "true"], check=False).returncode != 0:
            return "no Chromium: run `sudo apt-get install chromium`"
        prefix = [sudo, "-n"]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update"], ["install", "-y", "--no-install-recommends", "chromium"]):
        print(f"apt-get {' '.join(arguments)}", flush=True)
        ran = subprocess.run(
            [*prefix, apt, "-qq", *arguments], env=environment, check=False, capture_output=True
        )
        if ran.returncode != 0:
            return f"apt-get {arguments[0]} failed: {ran.stderr.decode(errors='replace')[-400:]}"
    return None if chromium_path() is not None else "apt-get installed no Chromium"


def main() -> None:
    problems = []
    chromium = install_chromium()
    if chromium is not None:
        problems.append(f"Browser tests cannot run: {chromium}")
    try:
        ensure_jars()
    except LabError as error:
        problems.append(f"Tests on real Kafka cannot run: {error}")
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems and os.environ.get("ACKBOARD_TEST_EVERYTHING"):
        sys.exit(1)


if __name__ == "__main__":
    main()
