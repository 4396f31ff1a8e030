"""The lab without Kafka: what nodes are told, process identity, lab.json."""

from __future__ import annotations

import base64
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from producer_agent.kafka.lab import Lab, LabError
from producer_agent.kafka.lab.file_lock import exclusive
from producer_agent.kafka.lab.node_config import free_ports, is_free, new_cluster_id, render
from producer_agent.kafka.lab.processes import (
    ProcessId,
    _look_ps,
    identify,
    send,
    spawn,
    state_of,
    wait_for,
)
from producer_agent.kafka.lab.state import LabState, Node, load, save

STATE = LabState(
    cluster_id="LQvEwkPwSLa93wcIoFdOow",
    secret="s3cret",
    nodes=tuple(Node(n, 21000 + n, 22000 + n, 23000 + n) for n in (1, 2, 3)),
)


def properties_of(number: int) -> dict[str, str]:
    text = render(STATE, STATE.node(number), data=Path("/lab/data") / str(number))
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[ProcessId]:
    """A process that waits to be signalled."""
    process = spawn(["sleep", "60"], log=tmp_path / "sleep.log", cwd=tmp_path)
    yield process
    send(process, signal.SIGKILL)
    assert wait_for([process], lambda state: state == "stopped", timeout_s=5)


# ---------------------------------------------------------------- configuration


def test_the_three_nodes_agree_on_voters_and_differ_in_ports_and_data() -> None:
    nodes = [properties_of(number) for number in (1, 2, 3)]

    assert {n["controller.quorum.voters"] for n in nodes} == {
        "1@127.0.0.1:23001,2@127.0.0.1:23002,3@127.0.0.1:23003"
    }
    for key in ("node.id", "log.dirs", "listeners", "advertised.listeners"):
        assert len({n[key] for n in nodes}) == 3, key
    assert nodes[1]["listeners"] == (
        "PLAINTEXT://127.0.0.1:21002,INTERNAL://127.0.0.1:22002,CONTROLLER://127.0.0.1:23002"
    )


def test_every_listener_is_on_loopback() -> None:
    properties = properties_of(1)
    for listener in (properties["listeners"] + "," + properties["advertised.listeners"]).split(","):
        assert listener.partition("://")[2].startswith("127.0.0.1:")


def test_the_nodes_know_each_other_by_a_principal_that_no_acl_can_stop() -> None:
    properties = properties_of(3)

    assert "CONTROLLER:SASL_PLAINTEXT" in properties["listener.security.protocol.map"]
    assert "INTERNAL:SASL_PLAINTEXT" in properties["listener.security.protocol.map"]
    user = properties["super.users"].removeprefix("User:")
    for listener in ("controller", "internal"):
        jaas = properties[f"listener.name.{listener}.plain.sasl.jaas.config"]
        assert f'username="{user}" password="s3cret" user_{user}="s3cret";' in jaas


def test_a_topic_with_the_lab_defaults_keeps_the_promise_of_acks_all() -> None:
    properties = properties_of(1)

    assert properties["auto.create.topics.enable"] == "false"
    assert properties["unclean.leader.election.enable"] == "false"
    assert properties["min.insync.replicas"] == "2"
    for topic in ("default", "offsets.topic", "transaction.state.log"):
        assert properties[f"{topic}.replication.factor"] == "3", topic
    # A crash drill pauses the followers for 2.3 s: they must not be fenced for it.
    assert 2_300 < int(properties["broker.session.timeout.ms"]) < 9_000


def test_a_home_beyond_latin_1_is_written_as_java_reads_it() -> None:
    text = render(STATE, STATE.node(1), data=Path("/home/zoë/лаб\\1"))

    assert text.isascii()
    assert "log.dirs=/home/zo\\u00eb/\\u043b\\u0430\\u0431\\\\1\n" in text


def test_a_home_that_kafka_would_split_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="take a path without a comma"):
        Lab(tmp_path / "a,b")


def test_a_cluster_id_is_sixteen_bytes_in_kafkas_base64() -> None:
    for cluster_id in (new_cluster_id() for _ in range(500)):
        assert len(base64.urlsafe_b64decode(cluster_id + "==")) == 16
        assert not cluster_id.startswith("-")


def test_free_ports_are_different_free_and_outside_the_ephemeral_range() -> None:
    ports = free_ports(9)

    assert len(set(ports)) == 9
    assert all(20_000 <= port < 32_768 and is_free(port) for port in ports)


def test_a_port_with_a_listener_is_not_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert not is_free(server.getsockname()[1])


# ---------------------------------------------------------------- processes


def test_a_process_is_seen_running_paused_running_and_stopped(sleeper: ProcessId) -> None:
    assert state_of(sleeper) == "running"
    for number, wanted in (
        (signal.SIGSTOP, "paused"),
        (signal.SIGCONT, "running"),
        (signal.SIGKILL, "stopped"),
    ):
        assert send(sleeper, number)
        assert wait_for([sleeper], lambda state, w=wanted: state == w, timeout_s=5), wanted  # type: ignore[misc]


def test_a_process_with_a_recycled_pid_is_neither_seen_nor_signalled(sleeper: ProcessId) -> None:
    before_us = ProcessId(sleeper.pid, "another-boot:123")

    assert state_of(before_us) == "stopped"
    assert not send(before_us, signal.SIGKILL)
    assert state_of(sleeper) == "running"


def test_a_killed_child_does_not_stay_as_a_zombie(sleeper: ProcessId) -> None:
    send(sleeper, signal.SIGKILL)
    assert wait_for([sleeper], lambda state: state == "stopped", timeout_s=5)

    assert identify(sleeper.pid) is None
    with pytest.raises(ProcessLookupError):
        os.kill(sleeper.pid, 0)


def test_a_spawned_process_is_in_a_session_of_its_own(sleeper: ProcessId) -> None:
    assert os.getsid(sleeper.pid) == sleeper.pid != os.getsid(0)


@pytest.mark.skipif(not Path("/bin/ps").exists(), reason="needs ps")
def test_ps_identifies_a_process_as_steadily_as_proc_does(sleeper: ProcessId) -> None:
    first, second = _look_ps(sleeper.pid), _look_ps(sleeper.pid)

    assert first is not None
    assert first == second
    assert first[0] == "S"
    assert _look_ps(2**22 + 1) is None  # above the highest pid there can be


# ---------------------------------------------------------------- lab.json


def test_the_state_comes_back_as_it_was_saved_and_is_for_our_eyes_only(tmp_path: Path) -> None:
    state = STATE.with_process(2, ProcessId(4711, "boot:99"))
    save(tmp_path / "lab.json", state)

    assert load(tmp_path / "lab.json") == state
    assert stat.S_IMODE((tmp_path / "lab.json").stat().st_mode) == 0o600


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"nodes": [{"id": "x"}]}'])
def test_a_broken_lab_json_is_refused_with_the_mend(tmp_path: Path, text: str) -> None:
    (tmp_path / "lab.json").write_text(text)
    with pytest.raises(LabError, match=r"cannot be understood.*remove .* to start anew"):
        Lab(tmp_path).status()


def test_an_unknown_node_is_refused_by_naming_those_there_are(tmp_path: Path) -> None:
    save(tmp_path / "lab.json", STATE)
    lab = Lab(tmp_path)
    for act in (lab.kill, lab.stop, lab.start, lab.pause, lab.resume):
        with pytest.raises(LabError, match="no node 4; the nodes are 1, 2 and 3"):
            act(4)


def test_a_home_without_a_lab_has_no_nodes_and_says_how_to_get_some(tmp_path: Path) -> None:
    home = tmp_path / "none"
    lab = Lab(home)

    assert lab.status().nodes == ()
    lab.down()
    assert not home.exists()
    with pytest.raises(LabError, match="make one with `lab up`"):
        _ = lab.bootstrap_servers
    with pytest.raises(LabError, match="make one with `lab up`"):
        lab.restore()


def test_the_lab_leaves_a_stranger_with_a_recycled_pid_alone(
    tmp_path: Path, sleeper: ProcessId
) -> None:
    save(tmp_path / "lab.json", STATE.with_process(1, ProcessId(sleeper.pid, "last-boot:1")))
    lab = Lab(tmp_path)

    assert lab.status().nodes[0].state == "stopped"
    assert lab.status().nodes[0].pid is None
    lab.kill(1)
    lab.down()
    with pytest.raises(LabError, match="node 1 is stopped: start it first"):
        lab.pause(1)
    assert state_of(sleeper) == "running"


def test_another_holder_of_the_lock_is_waited_for_and_then_named(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with exclusive(lock, timeout_s=1, doing="holding"):
            entered.set()
            leave.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    assert entered.wait(5)
    with (
        pytest.raises(LabError, match=f"gave up killing .*{lock}"),
        exclusive(lock, timeout_s=0.1, doing="killing"),
    ):
        pass
    threading.Timer(0.1, leave.set).start()
    with exclusive(lock, timeout_s=5, doing="killing"):
        assert leave.is_set()
    holder.join()


def test_another_process_sees_the_same_lab(tmp_path: Path, sleeper: ProcessId) -> None:
    save(tmp_path / "lab.json", STATE.with_process(2, sleeper))
    script = (
        "from pathlib import Path; from producer_agent.kafka.lab import Lab; "
        f"lab = Lab(Path({str(tmp_path)!r})); lab.pause(2); print(lab.status().nodes[1].state)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )

    assert answer.stdout == "paused\n"
    node = Lab(tmp_path).status().nodes[1]
    assert (node.pid, node.state) == (sleeper.pid, "paused")
    Lab(tmp_path).resume(2)
    assert state_of(sleeper) == "running"
