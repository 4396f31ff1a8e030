"""The lab with stand-ins for Java and Maven: fetching the jars, and starts that fail."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from producer_agent.kafka.lab import Lab, LabError, default_cache, ensure_jars
from producer_agent.kafka.lab.jars import kafka_version
from producer_agent.kafka.lab.node_config import free_ports
from producer_agent.kafka.lab.processes import identify
from producer_agent.kafka.lab.state import LabState, Node, save

Tool = Callable[[str, str], Path]


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tool:
    """Puts a shell script on a PATH that has nothing else of Java's."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sh", "sleep", "mkdir", "touch", "dirname", "sed", "cat"):
        (folder / name).symlink_to(_which(name))
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("JAVA_HOME", raising=False)

    def make(name: str, script: str) -> Path:
        path = folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    return make


def _which(name: str) -> str:
    for folder in ("/bin", "/usr/bin"):
        if (found := Path(folder) / name).exists():
            return str(found)
    raise FileNotFoundError(name)


JAVA_17 = """echo 'openjdk version "17.0.15" 2025-04-15' >&2"""

# Stands in for Kafka: formats as the real one does, then does as it is told.
KAFKA = """
case "$*" in
*-version*) echo 'openjdk version "17.0.15" 2025-04-15' >&2 ;;
*StorageTool*)
    for last; do :; done
    data=$(sed -n 's/^log.dirs=//p' "$last")
    mkdir -p "$data" && touch "$data/meta.properties" ;;
*kafka.Kafka*) {node} ;;
esac
"""


# ---------------------------------------------------------------- Java, Maven, jars


def test_the_cache_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACKBOARD_CACHE", "/somewhere/else")
    assert default_cache() == Path("/somewhere/else")
    monkeypatch.delenv("ACKBOARD_CACHE")
    assert default_cache() == Path.home() / ".cache" / "ackboard"


def test_without_java_the_error_names_what_to_install(tmp_path: Path, tool: Tool) -> None:
    with pytest.raises(LabError, match=r"no java on PATH: install Java 17 .*openjdk-17"):
        ensure_jars(tmp_path)
    with pytest.raises(LabError, match="no java on PATH"):
        Lab(tmp_path / "home", jars=tmp_path).up()


def test_a_java_home_without_java_is_named(
    tmp_path: Path, tool: Tool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(LabError, match=rf"no java in JAVA_HOME \({tmp_path}\)"):
        ensure_jars(tmp_path)


@pytest.mark.parametrize(("version", "major"), [("11.0.2", "11"), ("1.8.0_412", "8")])
def test_an_old_java_is_refused(tmp_path: Path, tool: Tool, version: str, major: str) -> None:
    tool("java", f"""echo 'openjdk version "{version}" 2019-01-15' >&2""")
    with pytest.raises(LabError, match=f"is Java {major}, Kafka needs 17: install"):
        ensure_jars(tmp_path)


def test_without_maven_the_error_names_what_to_install(tmp_path: Path, tool: Tool) -> None:
    tool("java", JAVA_17)
    with pytest.raises(LabError, match="found no mvn: install Maven"):
        ensure_jars(tmp_path)


def test_a_failed_download_leaves_nothing_and_repeats_mavens_words(
    tmp_path: Path, tool: Tool
) -> None:
    tool("java", JAVA_17)
    tool("mvn", "echo '[ERROR] Unknown host repo.example'; exit 1")
    with pytest.raises(LabError, match=r"check the network(.|\n)*Unknown host repo.example"):
        ensure_jars(tmp_path / "cache")
    left = {path.name for path in (tmp_path / "cache").rglob("*")}
    assert left == {f"kafka-{kafka_version()}", "fetch.lock"}


def counting_maven(tmp_path: Path, tool: Tool) -> Callable[[], int]:
    """A Maven that fetches one jar, slowly; returns how often it was called."""
    calls = tmp_path / "calls"
    tool("java", JAVA_17)
    tool(
        "mvn",
        f"echo x >> {calls}; sleep 0.2\n"
        'for a; do case "$a" in -DoutputDirectory=*) out=${a#*=};; esac; done\n'
        'mkdir -p "$out"; touch "$out/kafka.jar"',
    )
    return lambda: len(calls.read_text().splitlines())


def test_jars_are_fetched_once_and_then_only_when_our_pom_changes(
    tmp_path: Path, tool: Tool
) -> None:
    calls = counting_maven(tmp_path, tool)

    libs = ensure_jars(tmp_path / "cache")
    assert libs == tmp_path / "cache" / f"kafka-{kafka_version()}" / "libs"
    assert (libs / "kafka.jar").exists()
    assert ensure_jars(tmp_path / "cache") == libs
    assert calls() == 1

    (libs / "pom.xml").write_text("<project/>")
    (libs / "stale.jar").touch()
    ensure_jars(tmp_path / "cache")
    assert calls() == 2
    assert {path.name for path in libs.iterdir()} == {"kafka.jar", "pom.xml"}


def test_two_callers_at_the_same_time_fetch_once(tmp_path: Path, tool: Tool) -> None:
    calls = counting_maven(tmp_path, tool)
    found: list[Path] = []
    callers = [
        threading.Thread(target=lambda: found.append(ensure_jars(tmp_path / "cache")))
        for _ in range(4)
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()

    assert len(found) == 4
    assert calls() == 1


# ---------------------------------------------------------------- starts that fail


def assert_no_node_runs(lab: Lab) -> None:
    assert [node.state for node in lab.status().nodes] == ["stopped"] * 3
    raw = json.loads((lab.home / "lab.json").read_text())
    for node in raw["nodes"]:
        if node["process"] is not None:
            assert identify(node["process"]["pid"]) is None


def test_a_node_that_dies_at_its_start_is_reported_with_its_last_words(
    tmp_path: Path, tool: Tool
) -> None:
    dying = """
    for last; do :; done
    case "$last" in *2.properties) echo 'FATAL disk on fire'; exit 1 ;; *) exec sleep 60 ;; esac
    """
    tool("java", KAFKA.format(node=dying))
    lab = Lab(tmp_path / "home", jars=tmp_path)
    for _ in range(2):  # the second time, only the words of the second start
        with pytest.raises(LabError) as caught:
            lab.up()
        assert str(caught.value).count("FATAL disk on fire") == 1
        assert str(caught.value).startswith(f"node 2 died at its start; see {lab.home}")
    assert_no_node_runs(lab)


def test_nodes_that_never_register_are_stopped_again(tmp_path: Path, tool: Tool) -> None:
    tool("java", KAFKA.format(node="exec sleep 60"))
    lab = Lab(tmp_path / "home", jars=tmp_path)
    began = time.monotonic()
    with pytest.raises(LabError, match=r"not registered within 0.3 s: node 1 \(log: .*node-1.log"):
        lab.up(timeout_s=0.3)
    assert time.monotonic() - began < 10
    assert_no_node_runs(lab)


def test_a_storage_that_cannot_be_formatted_is_reported_with_kafkas_words(
    tmp_path: Path, tool: Tool
) -> None:
    tool("java", KAFKA.replace("mkdir -p", "echo 'Bad cluster id'; exit 3; mkdir").format(node=":"))
    with pytest.raises(LabError, match=r"storage of node 1 could not .*\n?.*Bad cluster id"):
        Lab(tmp_path / "home", jars=tmp_path).up()


def test_a_taken_port_is_named_and_the_nodes_before_it_are_stopped_again(
    tmp_path: Path, tool: Tool
) -> None:
    tool("java", KAFKA.format(node="exec sleep 60"))
    home = tmp_path / "home"
    home.mkdir()
    ports = iter(free_ports(9))
    nodes = tuple(Node(n, next(ports), next(ports), next(ports)) for n in (1, 2, 3))
    taken = nodes[1].internal_port
    save(home / "lab.json", LabState("LQvEwkPwSLa93wcIoFdOow", "s3cret", nodes))
    with (
        socket.create_server(("127.0.0.1", taken)),
        pytest.raises(LabError, match=f"port {taken} of node 2 is taken: stop what listens"),
    ):
        Lab(home, jars=tmp_path).up()
    assert_no_node_runs(Lab(home))
