"""``doctor``: is everything here that Ackboard needs?"""

from __future__ import annotations

import os
import platform
import shutil
import socket
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

import typer
from confluent_kafka import libversion
from packaging.requirements import Requirement

import producer_agent
from producer_agent.cli.options import DbOption, JsonOption, settings_for
from producer_agent.cli.output import print_json, print_table, say
from producer_agent.kafka.admin import ClusterUnreachable
from producer_agent.kafka.cluster import Cluster
from producer_agent.kafka.embedded import EmbeddedClusterUnavailable, probe_symbols
from producer_agent.kafka.lab.errors import LabError
from producer_agent.kafka.lab.jars import find_java
from producer_agent.settings import Settings
from producer_agent.store.database import StoreError
from producer_agent.store.queries.integrity import damage
from producer_agent.store.reader import Reader

PYTHON_NEEDED = (3, 11)
DASHBOARD_PORT = 8501
"""Streamlit's own."""

LITTLE_ROOM_BYTES = 2_000_000_000
"""Twice what a week of the shipped profiles and their dead letters takes."""

NO_ROOM_BYTES = 200_000_000

_CHROMIUMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")

State = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at."""

    name: str
    state: State
    """``fail``: Ackboard cannot work. ``warn``: something of it cannot."""
    found: str
    mend: str | None = None
    """What to do about it; None if it is ok."""


def doctor(as_json: JsonOption = False, db: DbOption = None) -> None:
    """Check what Ackboard needs on this machine, and tell how to mend what is missing.

    Nothing is made or changed: no database, no topic.

    Exit codes: 0 it can work (there may be warnings: optional tools, little room); 1 it cannot;
    2 bad usage.
    """
    settings = settings_for(db)
    checks = [check for look in _LOOKS for check in look(settings)]
    works = not any(check.state == "fail" for check in checks)
    if as_json:
        print_json({"works": works, "checks": [asdict(check) for check in checks]})
    else:
        print_table(
            ["", "what", "found"], [[check.state, check.name, check.found] for check in checks]
        )
        for check in checks:
            if check.mend is not None:
                say(f"{check.state}: {check.name}: {check.mend}")
    if not works:
        raise typer.Exit(1)


def _python(_settings: Settings) -> Iterator[Check]:
    found = f"{platform.python_version()} at {sys.executable}"
    if sys.version_info[:2] >= PYTHON_NEEDED:
        yield Check("Python", "ok", found)
    else:
        wanted = ".".join(map(str, PYTHON_NEEDED))
        yield Check(
            "Python", "fail", found, f"Install Python {wanted} or later and make the venv anew."
        )


def _packages(_settings: Settings) -> Iterator[Check]:
    needed = [
        requirement for requirement in map(Requirement, _requirements()) if _applies(requirement)
    ]
    wrong = 0
    for requirement in needed:
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            version = None
        if version is None or not requirement.specifier.contains(version, prereleases=True):
            wrong += 1
            yield Check(
                f"package {requirement.name}",
                "fail",
                version or "not installed",
                f'Run `pip install "{requirement}"` in this environment.',
            )
    if needed and not wrong:
        yield Check("packages", "ok", f"all {len(needed)} at the versions needed")
    elif not needed:
        yield Check(
            "packages",
            "warn",
            "what is needed is not written down here",
            "Install Ackboard as a package (`pip install -e .`), or run it from its checkout.",
        )


def _requirements() -> list[str]:
    """Our own requirements: from pyproject.toml of a checkout, else as installed."""
    pyproject = Path(producer_agent.__file__).parents[1] / "pyproject.toml"
    if pyproject.exists():
        project = tomllib.loads(pyproject.read_text(encoding="utf-8")).get("project", {})
        if project.get("name") == "ackboard":
            return list(project.get("dependencies", []))
    try:
        return metadata.requires("ackboard") or []
    except metadata.PackageNotFoundError:
        return []


def _applies(requirement: Requirement) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": ""})


def _librdkafka(settings: Settings) -> Iterator[Check]:
    name, version = "librdkafka", libversion()[0]
    try:
        missing = probe_symbols()
    except EmbeddedClusterUnavailable as error:
        missing, version = ["all of them"], str(error)
    if not missing:
        yield Check(name, "ok", f"{version}, can run the embedded cluster")
        return
    yield Check(
        name,
        "fail" if settings.is_embedded else "warn",
        f"{version}, without the embedded cluster ({', '.join(missing[:3])})",
        "Install confluent-kafka from its wheel (`pip install --force-reinstall --only-binary "
        ":all: confluent-kafka`), or set KAFKA_BOOTSTRAP_SERVERS to a real cluster.",
    )


def _database(settings: Settings) -> Iterator[Check]:
    name, path = "database", settings.db
    if not path.exists():
        folder = _nearest(path.parent)
        if folder.is_dir() and os.access(folder, os.W_OK | os.X_OK):
            yield Check(name, "ok", f"{path} is not there yet and can be made")
        else:
            yield Check(
                name,
                "fail",
                f"{path} is not there, and {folder} cannot be written",
                "Set ACKBOARD_DB, or give --db, to a place you can write.",
            )
        return
    try:
        wrong = Reader(path)(damage)
    except StoreError as error:
        yield Check(name, "fail", f"{path} cannot be used", str(error))
        return
    if wrong is not None:
        yield Check(
            name,
            "fail",
            f"{path} is damaged: {wrong}",
            f'Stop the agent and recover it: `sqlite3 {path} ".recover" | sqlite3 recovered.db`.',
        )
    elif not os.access(path, os.W_OK) or not os.access(path.parent, os.W_OK | os.X_OK):
        yield Check(
            name,
            "fail",
            f"{path} can be read and not written",
            "Give yourself write permission for the file and its folder (SQLite keeps files beside "
            "it), or set ACKBOARD_DB to a place you can write.",
        )
    else:
        yield Check(name, "ok", f"{path}, {path.stat().st_size / 1e6:,.1f} MB, intact")


def _cluster(settings: Settings) -> Iterator[Check]:
    name = "cluster"
    try:
        cluster = Cluster(settings)
        try:
            view = cluster.view(timeout_s=5.0)
        finally:
            cluster.close()
    except (ClusterUnreachable, EmbeddedClusterUnavailable) as error:
        yield Check(
            name,
            "fail",
            settings.bootstrap_servers or "the embedded cluster cannot be made",
            str(error),
        )
        return
    brokers = f"{len(view.brokers)} broker{'' if len(view.brokers) == 1 else 's'}"
    if settings.is_embedded:
        yield Check(
            name, "ok", f"embedded, {brokers} in memory (KAFKA_BOOTSTRAP_SERVERS is not set)"
        )
    else:
        yield Check(
            name, "ok", f"{settings.cluster_kind} at {cluster.bootstrap_servers}, {brokers}"
        )


def _room(settings: Settings) -> Iterator[Check]:
    folder = _nearest(settings.db.parent)
    free = shutil.disk_usage(folder).free
    found = f"{free / 1e9:,.1f} GB free at {folder}"
    if free >= LITTLE_ROOM_BYTES:
        yield Check("disk", "ok", found)
        return
    yield Check(
        "disk",
        "warn" if free >= NO_ROOM_BYTES else "fail",
        found,
        f"Free {LITTLE_ROOM_BYTES / 1e9:g} GB, or set ACKBOARD_DB to another disk: what is "
        "recorded in a week of the shipped profiles takes up to 1 GB.",
    )


def _port(_settings: Settings) -> Iterator[Check]:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", DASHBOARD_PORT))
        except OSError as error:
            yield Check(
                f"port {DASHBOARD_PORT}",
                "warn",
                f"in use ({error.strerror})",
                "If that is not the dashboard itself, end what has it, or start the dashboard "
                "with `--server.port` and another.",
            )
            return
    yield Check(f"port {DASHBOARD_PORT}", "ok", "free for the dashboard")


def _java(_settings: Settings) -> Iterator[Check]:
    try:
        yield Check("Java", "ok", find_java())
    except LabError as error:
        yield Check("Java", "warn", "not usable", f"{error}. Only `lab` needs it.")


def _tool(name: str, programs: tuple[str, ...], needed_for: str, mend: str) -> Check:
    for program in programs:
        path = shutil.which(program)
        if path is not None:
            return Check(name, "ok", path)
    return Check(name, "warn", "not found", f"{mend} Only {needed_for} needs it.")


def _maven(_settings: Settings) -> Iterator[Check]:
    yield _tool(
        "Maven",
        ("mvn",),
        "`lab up`, once, to fetch Kafka,",
        "Install Maven (Debian, Ubuntu: `apt install maven`; macOS: `brew install maven`).",
    )


def _chromium(_settings: Settings) -> Iterator[Check]:
    yield _tool(
        "Chromium",
        _CHROMIUMS,
        "developing Ackboard (browser tests, screenshots)",
        "Install Chromium (Debian: `apt install chromium`; macOS: `brew install chromium`).",
    )


def _nearest(folder: Path) -> Path:
    """The folder, or the nearest one above that is there."""
    folder = folder.absolute()
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder


_LOOKS: tuple[Callable[[Settings], Iterator[Check]], ...] = (
    _python,
    _packages,
    _librdkafka,
    _database,
    _cluster,
    _room,
    _port,
    _java,
    _maven,
    _chromium,
)
