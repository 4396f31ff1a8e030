"""The log of attempts tells what happened behind a time-out; each line is provoked from librdkafka
itself, so that a newer one that words them otherwise is noticed here."""

from __future__ import annotations

import logging
import re
import time
from typing import Any

import pytest
from confluent_kafka import KafkaError, Message, Producer

from producer_agent.delivery.errors import Stored
from producer_agent.kafka.attempts import KEPT_PER_PARTITION, TOLD_EACH, AttemptLog, AttemptSummary
from producer_agent.kafka.embedded import ALL_BROKERS, EmbeddedCluster
from producer_agent.store.clock import now_us

NOT_ENOUGH = KafkaError.NOT_ENOUGH_REPLICAS
AFTER_APPEND = KafkaError.NOT_ENOUGH_REPLICAS_AFTER_APPEND


class Probe:
    """A producer whose failures are looked up in its log of attempts as they are reported."""

    def __init__(self, cluster: EmbeddedCluster, **settings: Any) -> None:
        self.lines: list[tuple[str, str]] = []
        self.codes: list[int] = []
        self.found: list[AttemptSummary] = []
        self.attempts = AttemptLog("probe")
        self._producer = Producer(
            {
                **cluster.client_defaults,
                "debug": "msg",
                "linger.ms": 0,
                **{name.replace("_", "."): value for name, value in settings.items()},
            },
            logger=self,
        )

    def log(self, level: int, form: str, facility: str, client: str, text: str) -> None:
        self.lines.append((facility, text))
        self.attempts.log(level, form, facility, client, text)

    def send(self, n: int = 1) -> None:
        for _ in range(n):
            sent_us = now_us()

            def report(error: KafkaError | None, message: Message, sent_us: int = sent_us) -> None:
                self.codes.append(error.code() if error else 0)
                if error is not None:
                    self.found.append(
                        self.attempts.behind(
                            "orders",
                            message.partition(),
                            sent_us,
                            now_us(),
                            timed_out=error.code() == KafkaError._MSG_TIMED_OUT,
                        )
                    )

            self._producer.produce("orders", b"x", on_delivery=report)

    def settle(self) -> list[AttemptSummary]:
        assert self._producer.flush(15) == 0
        return self.found

    def texts(self, facility: str) -> list[str]:
        return [text for name, text in self.lines if name == facility]


@pytest.fixture
def cluster(own_cluster: EmbeddedCluster) -> EmbeddedCluster:
    own_cluster.create_topic("orders", partitions=1)
    return own_cluster


@pytest.mark.parametrize("idempotence", [True, False])
def test_a_time_out_behind_missing_replicas_names_them_and_is_not_stored(
    cluster: EmbeddedCluster, idempotence: bool
) -> None:
    cluster.push_produce_errors([NOT_ENOUGH] * 500)
    probe = Probe(cluster, delivery_timeout_ms=800, enable_idempotence=idempotence)
    probe.send(3)

    found = probe.settle()

    assert probe.codes == [KafkaError._MSG_TIMED_OUT] * 3
    for summary in found:
        assert summary.headline is not None
        assert re.fullmatch(r"NOT_ENOUGH_REPLICAS ×\d+", summary.headline)
        assert summary.causes[0].count >= 2
        assert summary.stored is Stored.NO
        assert not summary.never_sent
        assert summary.exact is idempotence


def test_one_attempt_after_the_append_among_many_before_it_leaves_the_doubt(
    cluster: EmbeddedCluster,
) -> None:
    cluster.push_produce_errors([AFTER_APPEND] + [NOT_ENOUGH] * 500)
    probe = Probe(cluster, delivery_timeout_ms=800, enable_idempotence=True)
    probe.send()

    (summary,) = probe.settle()

    assert summary.headline is not None
    assert "NOT_ENOUGH_REPLICAS ×" in summary.headline
    assert {cause.cause for cause in summary.causes} == {
        "NOT_ENOUGH_REPLICAS",
        "NOT_ENOUGH_REPLICAS_AFTER_APPEND",
    }
    assert summary.stored is Stored.MAYBE
    body = summary.to_json()
    assert sum(cause["count"] for cause in body["causes"]) >= 2
    assert body["exact"] is True


def test_a_request_that_got_no_answer_may_be_stored(cluster: EmbeddedCluster) -> None:
    probe = Probe(cluster, delivery_timeout_ms=1500, request_timeout_ms=400, socket_timeout_ms=400)
    probe.send()
    probe.settle()
    cluster.set_broker_rtt(ALL_BROKERS, 10_000)
    probe.send(2)

    found = probe.settle()

    assert probe.codes == [0, KafkaError._MSG_TIMED_OUT, KafkaError._MSG_TIMED_OUT]
    assert any("Timed out ProduceRequest in flight" in text for text in probe.texts("REQTMOUT"))
    for summary in found:
        assert summary.stored is Stored.MAYBE
        assert summary.headline is not None
        assert summary.headline.startswith("_TIMED_OUT ×")


@pytest.mark.parametrize("warm", [True, False], ids=["partition known", "partition never known"])
def test_while_the_brokers_are_down_nothing_was_sent_and_the_connection_says_why(
    cluster: EmbeddedCluster, warm: bool
) -> None:
    probe = Probe(cluster, delivery_timeout_ms=700)
    if warm:
        probe.send()
        probe.settle()
    cluster.broker_down(ALL_BROKERS)
    probe.send(3)

    found = probe.settle()

    assert probe.codes[-3:] == [KafkaError._MSG_TIMED_OUT] * 3
    for summary in found:
        assert summary.never_sent
        assert summary.stored is Stored.NO
        assert summary.headline is None
        assert summary.connection is not None
        assert "Connection refused" in summary.connection or "Disconnected" in summary.connection


def test_the_lines_of_the_installed_librdkafka_are_all_understood(
    cluster: EmbeddedCluster, caplog: pytest.LogCaptureFixture
) -> None:
    cluster.push_produce_errors([NOT_ENOUGH, AFTER_APPEND, KafkaError.INVALID_RECORD])
    probe = Probe(cluster, enable_idempotence=True)
    with caplog.at_level(logging.WARNING, "producer_agent.librdkafka"):
        probe.send()
        probe.settle()
        cluster.push_produce_errors([NOT_ENOUGH] * 500)
        timed_out = Probe(cluster, delivery_timeout_ms=600)
        timed_out.send()
        timed_out.settle()

    refused = [text for text in probe.texts("MSGSET") if "encountered error" in text]
    assert [text[text.index("(actions") :] for text in refused] == [
        "(actions Retry,MsgNotPersisted)",
        "(actions Retry,MsgPossiblyPersisted)",
        "(actions Permanent,MsgNotPersisted)",
    ]
    assert any("timed out 1+0 message(s) (MsgId 1..1)" in t for t in timed_out.texts("TIMEOUT"))
    assert "was not understood" not in caplog.text


@pytest.mark.parametrize(
    ("facility", "text"),
    [
        ("MSGSET", "orders [0]: the batch encountered error: in new words"),
        ("TIMEOUT", "orders [0]: 3 messages were late"),
    ],
)
def test_a_line_that_is_not_understood_leaves_the_cause_not_known(
    facility: str, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    attempts = AttemptLog("probe")
    attempts.log(10, "", facility, "", text)

    summary = attempts.behind("orders", 0, 0, now_us(), timed_out=True)

    assert "was not understood" in caplog.text
    assert summary == AttemptSummary((), False, None, False)
    assert summary.stored is None
    assert summary.headline is None


def _refused(attempts: AttemptLog, actions: str, n: int = 1, msgid: int = 1) -> None:
    attempts.log(
        10,
        "",
        "MSGSET",
        "",
        f"[thrd:b]: b/1: orders [0]: MessageSet with {n} message(s) (MsgId {msgid}, BaseSeq 0) "
        f"encountered error: Broker: Not enough in-sync replicas (actions {actions})",
    )


def _timed_out(attempts: AttemptLog, sent: int, queued: int, first: int, last: int) -> None:
    attempts.log(
        10,
        "",
        "TIMEOUT",
        "",
        f"[thrd:b]: b/1: orders [0]: timed out {sent}+{queued} message(s) "
        f"(MsgId {first}..{last}): message.timeout.ms exceeded",
    )


def test_an_attempt_that_was_forgotten_keeps_its_doubt() -> None:
    """A partition that is retried thousands of times must not end as "not stored" only because
    the attempt that may have stored it was the oldest."""
    attempts = AttemptLog("probe")
    sent_us = now_us()
    _refused(attempts, "Retry,MsgPossiblyPersisted")
    for _ in range(KEPT_PER_PARTITION):
        _refused(attempts, "Retry,MsgNotPersisted")
    _timed_out(attempts, 1, 0, 1, 1)

    summary = attempts.behind("orders", 0, sent_us, now_us(), timed_out=True)

    assert summary.causes[0].count == KEPT_PER_PARTITION
    assert summary.stored is Stored.MAYBE
    later = attempts.behind("orders", 0, now_us() + 1, now_us() + 2, timed_out=False)
    assert later.stored is None, "what was sent later has nothing to do with it"


def test_a_record_learns_of_its_own_attempts_and_not_of_its_neighbours() -> None:
    attempts = AttemptLog("probe")
    sent_us = now_us()
    _refused(attempts, "Retry,MsgPossiblyPersisted", n=2, msgid=1)
    _refused(attempts, "Retry,MsgNotPersisted", n=1, msgid=3)
    _timed_out(attempts, 3, 1, 1, 4)

    stored = [
        attempts.behind("orders", 0, sent_us, now_us(), timed_out=True).stored for _ in range(4)
    ]

    assert stored == [Stored.MAYBE, Stored.MAYBE, Stored.NO, Stored.NO]


def test_a_gap_in_the_numbers_leaves_open_which_record_is_which() -> None:
    """Messages 3 and 4 are in flight: the line counts 3 of the 5 numbers it spans."""
    attempts = AttemptLog("probe")
    sent_us = now_us()
    _refused(attempts, "Retry,MsgPossiblyPersisted", n=1, msgid=5)
    _timed_out(attempts, 3, 0, 1, 5)
    for _ in range(3):
        summary = attempts.behind("orders", 0, sent_us, now_us(), timed_out=True)
        assert not summary.exact
        assert summary.stored is Stored.MAYBE
    _timed_out(attempts, 1, 0, 6, 6)

    after = attempts.behind("orders", 0, sent_us, now_us(), timed_out=True)
    assert after.never_sent, "the next line's numbers are not those of the gap"


def test_an_error_of_another_kind_takes_no_timed_out_number() -> None:
    attempts = AttemptLog("probe")
    sent_us = now_us()
    _timed_out(attempts, 1, 0, 9, 9)

    attempts.behind("orders", 0, sent_us, now_us(), timed_out=False)

    assert attempts.behind("orders", 0, sent_us, now_us(), timed_out=True).never_sent


@pytest.mark.parametrize("numbered", [True, False])
def test_thousands_that_time_out_together_are_examined_in_no_time(numbered: bool) -> None:
    """The poll thread does this, and every acknowledgement waits for it meanwhile."""
    attempts = AttemptLog("probe")
    sent_us = now_us()
    for turn in range(KEPT_PER_PARTITION):
        _refused(attempts, "Retry,MsgNotPersisted", 100, 1 + turn % 50 * 100 if numbered else 0)
    _timed_out(attempts, 5_000, 0, 1, 5_000)

    began_s = time.monotonic()
    found = [attempts.behind("orders", 0, sent_us, now_us(), timed_out=True) for _ in range(5_000)]

    assert time.monotonic() - began_s < 2.5
    assert {summary.exact for summary in found} == {numbered}
    counts = {summary.causes[0].count for summary in found}
    assert counts == ({81, 82} if numbered else {KEPT_PER_PARTITION})


def test_a_record_sent_between_two_attempts_has_the_later_one_only() -> None:
    attempts = AttemptLog("probe")
    first_us = now_us()
    _refused(attempts, "Retry,MsgPossiblyPersisted", msgid=0)
    time.sleep(0.002)
    second_us = now_us()
    _refused(attempts, "Retry,MsgNotPersisted", msgid=0)

    def stored(sent_us: int) -> Stored | None:
        return attempts.behind("orders", 0, sent_us, now_us(), timed_out=False).stored

    assert [stored(us) for us in (first_us, second_us, first_us, second_us)] == [
        Stored.MAYBE,
        Stored.NO,
        Stored.MAYBE,
        Stored.NO,
    ]
    _refused(attempts, "Retry,MsgPossiblyPersisted", msgid=0)
    assert stored(second_us) is Stored.MAYBE


def test_attempts_are_told_one_by_one_the_first_and_the_last_of_many() -> None:
    log_of_attempts = AttemptLog("many")
    for number in range(100):
        actions = "Retry,MsgPossiblyPersisted" if number == 99 else "Retry,MsgNotPersisted"
        log_of_attempts.log(
            7, "", "MSGSET", "",
            "orders [0]: MessageSet with 1 message(s) (MsgId 1, BaseSeq 0) encountered error: "
            f"Broker: Not enough in-sync replicas (actions {actions})",
        )  # fmt: skip
    summary = log_of_attempts.behind("orders", 0, 0, now_us(), timed_out=False)
    assert (len(summary.each), summary.left_out) == (TOLD_EACH, 100 - TOLD_EACH)
    body = summary.to_json()
    [cause] = body["causes"]
    assert (cause["count"], cause["first_us"]) == (100, body["from_us"])
    times = [after_us for after_us, _, _ in body["each"]]
    assert times == sorted(times)
    assert body["from_us"] + times[-1] == cause["last_us"]
    assert [number for _, number, _ in body["each"]] == [0] * TOLD_EACH
    assert [maybe for _, _, maybe in body["each"]] == [0] * (TOLD_EACH - 1) + [1]
    assert body["left_out"] == 100 - TOLD_EACH


def test_without_an_attempt_there_is_none_to_tell() -> None:
    body = AttemptLog("none").behind("orders", 0, 0, now_us(), timed_out=False).to_json()
    assert "each" not in body
