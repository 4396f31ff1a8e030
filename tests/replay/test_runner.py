"""A dead letter is replayed at most once, byte for byte, and what came of it is never guessed."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from confluent_kafka import KafkaError

from producer_agent.dead_letters.consumer import REPLAY_HEADER
from producer_agent.dead_letters.original import NoOriginal, original_of
from producer_agent.kafka.embedded import ALL_BROKERS, EmbeddedCluster
from producer_agent.replay import runner as module
from producer_agent.replay.runner import Original, Outcome, Refused, ReplayRunner
from producer_agent.store import dead_letters, replays
from producer_agent.store.reader import Reader
from producer_agent.store.replay_letters import LetterToReplay
from producer_agent.store.writer import Writer
from tests.dead_letters.records import read
from tests.kafka.mock_clients import watermarks
from tests.recording import letter, register_cluster, rows

Seed = Callable[..., list[int]]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DELIVERY_TIMEOUT_MS", 1_500)


@pytest.fixture
def cluster(own_cluster: EmbeddedCluster) -> EmbeddedCluster:
    own_cluster.create_topic("orders", partitions=1)
    return own_cluster


@pytest.fixture
def seed(writer: Writer, reader: Reader) -> Seed:
    """Stores bare envelopes as dead letters; returns their row ids."""
    cluster = register_cluster(writer)

    def stored(*values: bytes | None) -> list[int]:
        before = rows(reader, "SELECT count(*) FROM dead_letters")[0]
        letters = [letter(before + at, value=value) for at, value in enumerate(values)]
        writer.call(partial(dead_letters.insert, cluster=cluster, letters=letters))
        return rows(reader, "SELECT id FROM dead_letters ORDER BY id")[before:]

    return stored


@pytest.fixture
def make(cluster: EmbeddedCluster, writer: Writer) -> Callable[..., ReplayRunner]:
    def made(original: Callable[[LetterToReplay], Original] | None = None) -> ReplayRunner:
        return ReplayRunner(
            cluster.client_defaults, writer, original or decode_with(writer), REPLAY_HEADER
        )

    return made


def decode_with(writer: Writer) -> Callable[[LetterToReplay], Original]:
    def original(of: LetterToReplay) -> Original:
        try:
            found = original_of(of, writer)
        except NoOriginal as error:
            raise Refused(str(error)) from error
        return Original(found.topic, found.key, found.value, found.headers)

    return original


def envelope(value: str = "v", topic: str = "orders") -> bytes:
    return json.dumps({"original_topic": topic, "original_value": value, "error": "e"}).encode()


def states(outcomes: list[Outcome]) -> list[str]:
    return [outcome.state for outcome in outcomes]


def statuses(reader: Reader) -> list[str]:
    return rows(reader, "SELECT status FROM dead_letters ORDER BY id")


@pytest.mark.parametrize("key", [None, b"", b"\xff\0"])
@pytest.mark.parametrize("value", [None, b"", bytes(range(256)) * 300])
def test_key_value_and_headers_land_byte_for_byte_with_the_replays_id(
    cluster: EmbeddedCluster,
    reader: Reader,
    make: Callable[..., ReplayRunner],
    seed: Seed,
    key: bytes | None,
    value: bytes | None,
) -> None:
    headers = (("h", b"\xff"), ("h", None), ("e", b""), (REPLAY_HEADER, b"an earlier replay"))
    runner = make(lambda _letter: Original("orders", key, value, headers))
    (dead_letter,) = seed(envelope())

    (outcome,) = runner.replay([dead_letter], command=5)

    assert outcome == Outcome(dead_letter, "done", None, "orders", 0, 0)
    (message,) = read(cluster, "orders", 1)
    assert (message.key(), message.value()) == (key, value)
    ((replay_id, state, command, offset),) = rows(
        reader, 'SELECT replay_id, state, command, "offset" FROM replays'
    )
    assert message.headers() == [*headers[:3], (REPLAY_HEADER, replay_id.encode())]
    assert (state, command, offset) == ("done", 5, 0)
    assert statuses(reader) == ["replayed"]


def test_two_callers_at_once_send_each_record_once(
    cluster: EmbeddedCluster, make: Callable[..., ReplayRunner], seed: Seed, reader: Reader
) -> None:
    ids = seed(*(envelope(str(n)) for n in range(20)))
    results: list[list[Outcome]] = []

    def press() -> None:
        results.append(make().replay(ids))

    threads = [threading.Thread(target=press) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert watermarks(cluster, "orders") == (0, 20)
    for position in range(20):
        found = sorted(result[position].state for result in results)
        assert found == ["done", "refused", "refused"]
    assert statuses(reader) == ["replayed"] * 20


def test_a_second_press_is_refused_in_words(
    cluster: EmbeddedCluster, make: Callable[..., ReplayRunner], seed: Seed
) -> None:
    ids = seed(envelope())
    assert states(make().replay([ids[0], ids[0]])) == ["done"]
    (again,) = make().replay(ids)
    assert (again.state, again.reason) == ("refused", "It was replayed before.")
    assert watermarks(cluster, "orders") == (0, 1)


def test_what_surely_failed_may_be_tried_again(
    cluster: EmbeddedCluster, make: Callable[..., ReplayRunner], seed: Seed, reader: Reader
) -> None:
    ids = seed(envelope())
    cluster.push_produce_errors([KafkaError.TOPIC_AUTHORIZATION_FAILED])
    (first,) = make().replay(ids)
    assert first.state == "failed"
    assert first.reason is not None
    assert first.reason.startswith("TOPIC_AUTHORIZATION_FAILED")
    assert statuses(reader) == ["replay_failed"]

    assert states(make().replay(ids)) == ["done"]
    assert rows(reader, "SELECT state FROM replays ORDER BY id") == ["failed", "done"]


def test_what_may_have_arrived_is_unknown_and_is_not_sent_again_blindly(
    cluster: EmbeddedCluster, make: Callable[..., ReplayRunner], seed: Seed, reader: Reader
) -> None:
    ids = seed(envelope("first"), envelope())
    assert states(make().replay(ids[:1])) == ["done"]
    cluster.push_produce_errors([KafkaError.NOT_ENOUGH_REPLICAS_AFTER_APPEND] * 500)
    (outcome,) = make().replay(ids[1:])
    cluster.clear_produce_errors()

    assert outcome.state == "unknown"
    assert outcome.reason is not None
    assert "NOT_ENOUGH_REPLICAS_AFTER_APPEND ×" in outcome.reason
    assert statuses(reader) == ["replayed", "replay_unknown"]
    (again,) = make().replay(ids[1:])
    assert again.state == "refused"
    assert again.reason == "An earlier replay of it may have arrived: read its topic back first."


def test_what_never_left_is_failed_and_may_be_tried_again(
    cluster: EmbeddedCluster, make: Callable[..., ReplayRunner], seed: Seed, reader: Reader
) -> None:
    """A press during an outage must not strand the record: nothing was sent."""
    ids = seed(envelope())
    cluster.broker_down(ALL_BROKERS)
    (outcome,) = make().replay(ids)
    cluster.broker_up(ALL_BROKERS)
    assert outcome.state == "failed"
    assert statuses(reader) == ["replay_failed"]
    assert states(make().replay(ids)) == ["done"]


def test_what_was_refused_on_every_attempt_is_failed_and_may_be_tried_again(
    cluster: EmbeddedCluster, make: Callable[..., ReplayRunner], seed: Seed, reader: Reader
) -> None:
    """It timed out, yet each attempt was refused before anything was stored."""
    ids = seed(envelope("first"), envelope())
    assert states(make().replay(ids[:1])) == ["done"]
    cluster.push_produce_errors([KafkaError.NOT_ENOUGH_REPLICAS] * 500)
    (outcome,) = make().replay(ids[1:])
    cluster.clear_produce_errors()
    assert outcome.state == "failed"
    assert outcome.reason is not None
    assert "NOT_ENOUGH_REPLICAS ×" in outcome.reason
    assert states(make().replay(ids[1:])) == ["done"]


def test_an_intent_left_by_a_crash_becomes_unknown_and_nothing_is_sent(
    cluster: EmbeddedCluster,
    writer: Writer,
    make: Callable[..., ReplayRunner],
    seed: Seed,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ids = seed(envelope())
    runner = make()

    class Crash(BaseException):
        """The process ends here."""

    def crash(*_: Any) -> Any:
        raise Crash

    monkeypatch.setattr(runner, "_send", crash)
    with pytest.raises(Crash):
        runner.replay(ids)
    (meanwhile,) = make().replay(ids)
    assert meanwhile.reason == "A replay of it is under way."

    assert writer.call(partial(replays.settle_interrupted, reason="the agent died")) == 1
    (after,) = make().replay(ids)
    assert after.state == "refused"
    assert after.reason is not None
    assert "may have arrived" in after.reason
    assert watermarks(cluster, "orders") == (0, 0)


def test_one_record_that_cannot_be_sent_leaves_no_intent_behind_and_harms_no_other(
    cluster: EmbeddedCluster,
    writer: Writer,
    make: Callable[..., ReplayRunner],
    seed: Seed,
    reader: Reader,
) -> None:
    good, no_topic, broken, odd, late = seed(
        envelope("a"), b"no envelope", envelope("b"), envelope("c"), envelope("d")
    )
    decoded = decode_with(writer)

    def original(of: LetterToReplay) -> Original:
        if of.id == broken:
            raise RuntimeError("a bug in a decoder")
        if of.id == odd:
            return Original("orders", None, b"x", (("\ud800", b""),))
        return decoded(of)

    outcomes = make(original).replay([good, no_topic, broken, odd, 999, late])

    assert states(outcomes) == ["done", "refused", "refused", "failed", "refused", "done"]
    assert outcomes[1].reason == "It does not tell which topic it came from."
    assert "a bug in a decoder" in (outcomes[2].reason or "")
    assert outcomes[4].reason == "There is no dead letter 999."
    assert statuses(reader) == ["replayed", "new", "new", "replay_failed", "replayed"]
    assert rows(reader, "SELECT count(*) FROM replays WHERE state = 'intent'") == [0]
    assert watermarks(cluster, "orders") == (0, 2)


@pytest.mark.parametrize("name", ["\ud800", "half\0cut"])
def test_a_header_name_that_would_crash_or_change_the_record_is_refused(
    cluster: EmbeddedCluster, make: Callable[..., ReplayRunner], seed: Seed, name: str
) -> None:
    """confluent-kafka 2.16 dies of a name with half a surrogate pair, and cuts one at a NUL."""
    body = json.dumps(
        {
            "original_topic": "orders",
            "original_value": "v",
            "error": "e",
            "original_headers": {name: "x"},
        }
    )
    (outcome,) = make().replay(seed(body.encode()))
    assert outcome.state == "failed"
    assert outcome.reason
    assert watermarks(cluster, "orders") == (0, 0)


def test_a_missing_topic_fails_with_its_name(
    cluster: EmbeddedCluster, make: Callable[..., ReplayRunner], seed: Seed
) -> None:
    cluster.set_topic_error("gone", KafkaError.UNKNOWN_TOPIC_OR_PART)
    runner = make()
    runner._config["topic.metadata.propagation.max.ms"] = 200
    (outcome,) = runner.replay(seed(envelope(topic="gone")))
    assert outcome.state == "failed"
    assert outcome.reason is not None
    assert "UNKNOWN_TOPIC" in outcome.reason


def test_a_producer_that_cannot_be_made_fails_all_and_sends_nothing(
    writer: Writer, seed: Seed, reader: Reader
) -> None:
    ids = seed(envelope(), envelope())
    runner = ReplayRunner(
        {"bootstrap.servers": "127.0.0.1:1", "security.protocol": "nonsense"},
        writer,
        decode_with(writer),
        REPLAY_HEADER,
    )
    outcomes = runner.replay(ids)
    assert states(outcomes) == ["failed", "failed"]
    assert "no producer could be made" in (outcomes[0].reason or "")
    assert statuses(reader) == ["replay_failed"] * 2
