"""Kafka's jars, fetched once with Maven and kept in the user's cache."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from producer_agent.kafka.lab.errors import LabError
from producer_agent.kafka.lab.file_lock import exclusive
from producer_agent.kafka.lab.node_config import resource

JAVA_NEEDED = 17  # Kafka 4 brokers: https://kafka.apache.org/41/operations/java-version/
_FETCH_TIMEOUT_S = 600.0
_JAVA_MEND = (
    f"install Java {JAVA_NEEDED} or later (Debian, Ubuntu: `apt install openjdk-17-jre-headless`; "
    "macOS: `brew install openjdk@17`) and put it on PATH, or set JAVA_HOME"
)
_MAVEN_MEND = "install Maven (Debian, Ubuntu: `apt install maven`; macOS: `brew install maven`)"
_KEPT_POM = "pom.xml"


def default_cache() -> Path:
    """`$ACKBOARD_CACHE`, or `~/.cache/ackboard`."""
    given = os.environ.get("ACKBOARD_CACHE")
    return Path(given).expanduser() if given else Path.home() / ".cache" / "ackboard"


def kafka_version() -> str:
    """The Kafka version that our pom.xml asks for."""
    found = re.search(r"<kafka\.version>([^<]+)<", resource("pom.xml"))
    if found is None:
        raise LabError("pom.xml of the lab has no <kafka.version>: reinstall ackboard")
    return found[1]


def find_java() -> str:
    """The `java` to run: JAVA_HOME's, else the one on PATH.

    Raises:
        LabError: there is none, or it is too old.
    """
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=str(Path(home) / "bin")) if home else shutil.which("java")
    if java is None:
        where = f"in JAVA_HOME ({home})" if home else "on PATH"
        raise LabError(f"the lab runs Apache Kafka and found no java {where}: {_JAVA_MEND}")
    # Printed on standard error, by every vendor: openjdk version "17.0.15" 2025-04-15
    answer = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
    found = re.search(r'version "(?:1\.)?(\d+)', answer.stderr)
    if answer.returncode != 0 or found is None:
        raise LabError(f"`{java} -version` failed ({answer.stderr.strip()!r}): {_JAVA_MEND}")
    if int(found[1]) < JAVA_NEEDED:
        raise LabError(f"{java} is Java {found[1]}, Kafka needs {JAVA_NEEDED}: {_JAVA_MEND}")
    return java


def ensure_jars(cache: Path | None = None) -> Path:
    """The folder with Kafka's jars, `cache/kafka-VERSION/libs`; fetches them if they are not there.

    The first call takes about half a minute and 54 MB. The folder appears in one step, so it is
    whole whenever it is there; callers at the same time wait for one another.

    Raises:
        LabError: Java 17 or Maven is missing, or the download failed.
    """
    find_java()
    folder = (cache or default_cache()) / f"kafka-{kafka_version()}"
    libs = folder / "libs"
    if _complete(libs):
        return libs
    with exclusive(folder / "fetch.lock", timeout_s=_FETCH_TIMEOUT_S, doing="fetching the jars"):
        if not _complete(libs):  # whoever held the lock before us may have fetched them
            _fetch(libs)
    return libs


def _complete(libs: Path) -> bool:
    # The pom is kept beside the jars it stands for: when ours changes, they are fetched anew.
    try:
        return (libs / _KEPT_POM).read_text(encoding="utf-8") == resource("pom.xml")
    except FileNotFoundError:
        return False


def _fetch(libs: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise LabError(f"the lab fetches Kafka's jars with Maven and found no mvn: {_MAVEN_MEND}")
    with tempfile.TemporaryDirectory(dir=libs.parent, prefix=".fetch-") as scratch:
        pom, fetched = Path(scratch) / "pom.xml", Path(scratch) / "libs"
        pom.write_text(resource("pom.xml"), encoding="utf-8")
        command = [maven, "-q", "-B", "-f", str(pom), "dependency:copy-dependencies"]
        try:
            answer = subprocess.run(
                [*command, f"-DoutputDirectory={fetched}"],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=_FETCH_TIMEOUT_S,
            )
        except subprocess.TimeoutExpired as error:
            raise LabError(
                f"Maven did not fetch Kafka's jars within {_FETCH_TIMEOUT_S:g} s: check the "
                "network (a proxy belongs in ~/.m2/settings.xml) and try again"
            ) from error
        if answer.returncode != 0:
            words = "\n".join((answer.stdout + answer.stderr).strip().splitlines()[:8])
            raise LabError(
                "Maven could not fetch Kafka's jars: check the network (a mirror or proxy belongs "
                f"in ~/.m2/settings.xml) and try again. Maven said:\n{words}"
            )
        pom.rename(fetched / _KEPT_POM)
        if libs.exists():
            libs.rename(Path(scratch) / "old")
        fetched.rename(libs)
