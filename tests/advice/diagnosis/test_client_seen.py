"""A time-out told by its client's statistics: one row a case, and where they give way."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from producer_agent.advice.diagnosis.client_seen import QUEUE_FULL, TAKEN_SHARE, span
from producer_agent.advice.diagnosis.diagnose import diagnose
from producer_agent.advice.diagnosis.diagnosis import Diagnosis
from producer_agent.advice.diagnosis.recorded_facts import record_facts
from producer_agent.advice.diagnosis.time_outs import YET_US
from producer_agent.store import client_statistics
from producer_agent.store.queries import failed_events
from producer_agent.store.reader import Reader
from producer_agent.store.writer import Writer
from tests.advice.diagnosis.builders import (
    ALL,
    ago,
    broker_seen,
    cause,
    client,
    live,
    record,
    seen_by_client,
    stage,
)
from tests.client_samples import broker, sample, spread
from tests.recording import begin_run, failure
from tests.recording import record as record_outcomes

ALLOWED_US = 30_000_000
SLOW = broker_seen(1, trip=stage(5, 20_000_000))
CASES: list[tuple[str, Any, str, str]] = [
    (
        "throttled",
        record(
            cause("_TIMED_OUT", 2, "maybe"),
            seen=seen_by_client(broker_seen(1, throttle=stage(10, 12_000))),
        ),
        "throttled",
        "Throttled: broker 1 held this client back by quota for up to 12 s at once, of 30 s",
    ),
    (
        "throttled too little to matter",
        record(seen=seen_by_client(broker_seen(1, throttle=stage(10, 5_000)))),
        "broker-silent",
        "The broker that leads partition 0 did not answer for it",
    ),
    (
        "slower than before",
        record(seen=seen_by_client(SLOW), seen_before=seen_by_client(broker_seen(1))),
        "broker-slow",
        "A slow broker: the round trip to broker 1, which leads its partition, took 20 s on "
        "average, of 30 s allowed; 10 ms in the minutes before.",
    ),
    (
        "as slow as before",
        record(seen=seen_by_client(SLOW), seen_before=seen_by_client(SLOW)),
        "time-out-too-short",
        "delivery.timeout.ms is 30,000, and a round trip to broker 1 takes 20 s on average, as it "
        "did before.",
    ),
    (
        "slow, and before is not known",
        record(seen=seen_by_client(SLOW)),
        "time-out-too-short",
        "a round trip to broker 1 takes 20 s on average.",
    ),
    (
        "another broker was slow",
        record(seen=seen_by_client(broker_seen(1), replace(SLOW, broker=2))),
        "broker-silent",
        "The broker that leads partition 0 did not answer",
    ),
    (
        "waited in the client",
        record(seen=seen_by_client(broker_seen(1, queue=stage(1_000, 16_000_000)), fill=0.6)),
        "overload",
        "The client was overloaded: an event waited 16 s on average in its queue, of 30 s "
        "allowed, while broker 1 answered in 10 ms.",
    ),
    (
        "queue full",
        record(seen=seen_by_client(broker_seen(1), fill=0.97)),
        "overload",
        "The client was overloaded: an event waited 6 ms on average",
    ),
    (
        "waited for its attempts",
        record(
            seen=seen_by_client(
                broker_seen(1, queue=stage(1_000, 16_000_000)), fill=0.97, transmitted=3_000
            )
        ),
        "broker-silent",
        "The broker that leads partition 0 did not answer",
    ),
    (
        "queue full, and no broker answers",
        record(
            traffic=(0, 900, 0, 0),
            seen=seen_by_client(broker_seen(1, trip=stage(0, 0), unanswered=5), fill=0.97),
        ),
        "broker-silent",
        "The connection to broker 1 stood, 5 requests waited for an answer, and none came.",
    ),
    (
        "no connection",
        record(
            seen=seen_by_client(broker_seen(1, trip=stage(0, 0), states=("DOWN", "TRY_CONNECT")))
        ),
        "network",
        "There was no connection to broker 1 (librdkafka: TRY_CONNECT).",
    ),
    (
        "not authenticated",
        record(seen=seen_by_client(broker_seen(1, trip=stage(0, 0), states=("AUTH_REQ",)))),
        "not-authorized",
        "Broker 1 had not accepted this client's credentials (AUTH_REQ).",
    ),
    (
        "a connection that nothing needed tells nothing",
        record(seen=seen_by_client(broker_seen(1, trip=stage(0, 0), states=("INIT",)))),
        "broker-silent",
        "The broker that leads partition 0 did not answer",
    ),
    (
        "under acks=0 the queue alone counts",
        record(
            of=client(acks="0"),
            seen=seen_by_client(
                broker_seen(1, queue=stage(9, 16_000_000), trip=stage(2, 25_000_000))
            ),
        ),
        "broker-silent",
        "The broker that leads partition 0",
    ),
    (
        "its own attempts prove more",
        record(
            cause("NOT_ENOUGH_REPLICAS", 3),
            states=((3000, (1, (1,))),),
            seen=seen_by_client(SLOW, fill=0.99),
        ),
        "under-min-isr",
        "Missing replicas",
    ),
    (
        "a lost leader explains more",
        record(
            states=((3000, (1, ALL)), (25, (None, (1,)))),
            seen=seen_by_client(broker_seen(1), fill=0.99),
        ),
        "leaderless",
        "No leader",
    ),
]


@pytest.mark.parametrize(
    ("of", "matter", "words"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_statistics_decide_where_attempts_do_not(of: Any, matter: str, words: str) -> None:
    found = diagnose(live(record=of), "_MSG_TIMED_OUT")
    assert (found.matter, words in found.headline) == (matter, True), found.headline
    assert not any("Round-trip times" in told for told in found.not_known)
    assert Diagnosis.from_json(found.to_json()) == found


@pytest.mark.parametrize("over", [False, True])
def test_a_share_of_the_time_allowed_is_what_decides(over: bool) -> None:
    waited = int(ALLOWED_US * TAKEN_SHARE) + (1 if over else -1)
    by_time = record(seen=seen_by_client(broker_seen(1, queue=stage(10, waited))))
    by_fill = record(seen=seen_by_client(broker_seen(1), fill=QUEUE_FULL - 0.01 * (not over)))
    for of in (by_time, by_fill):
        assert (diagnose(live(record=of), "_MSG_TIMED_OUT").matter == "overload") is over


def evidence(found: Diagnosis) -> dict[str, str]:
    return {fact.label: fact.value for fact in found.facts}


def test_the_statistics_are_shown_as_evidence_with_their_time() -> None:
    of = record(
        cause("_TIMED_OUT", 2, "maybe"),
        seen=seen_by_client(
            broker_seen(
                1, states=("UP", "DOWN", "UP"), disconnects=1, timeouts=2, unanswered=4,
                throttle=stage(10, 40),
            ),
            broker_seen(2),
            fill=0.31,
            transmitted=2_500,
        ),
        seen_before=seen_by_client(broker_seen(1, trip=stage(9, 2_500))),
    )  # fmt: skip
    found = diagnose(live(record=of), "_MSG_TIMED_OUT")
    told = evidence(found)
    assert told["client's queue"].startswith("31% full at most (900 events); an event waited 6 ms")
    assert told["connection to broker 1"] == (
        "UP, then DOWN; 1 disconnects; 2 requests timed out; up to 4 unanswered"
    )
    assert told["round trip to broker 1"] == (
        "10 ms on average (p99 10 ms); 2.5 ms in the minutes before"
    )
    assert told["throttling by broker 1"] == "up to 40 ms at once"
    assert told["retry amplification"].startswith("an event was sent 2.5 times on average")
    assert "round trip to broker 2" not in told, "another does not lead the partition"
    [queue] = [fact for fact in found.facts if fact.label == "client's queue"]
    assert queue.source == "librdkafka's statistics, 2025-11-24 15:59:28 UTC to 16:00:00 UTC"


def test_under_acks_0_no_round_trip_is_told() -> None:
    of = record(of=client(acks="0"), seen=seen_by_client(broker_seen(1)))
    told = evidence(diagnose(live(record=of), "_MSG_TIMED_OUT"))
    assert told["round trip to broker 1"] == "not waited for under acks=0"


@pytest.mark.parametrize(
    ("since_us", "words"), [(YET_US - 1, "Ask again in a moment"), (YET_US, "kept for a day")]
)
def test_statistics_that_are_not_there_are_said_to_be_on_their_way_or_not_kept(
    since_us: int, words: str
) -> None:
    of = record()
    found = diagnose(live(record=of, at_us=of.event.settled_us + since_us), "_MSG_TIMED_OUT")
    [said] = [told for told in found.not_known if told.startswith("Round-trip times")]
    assert words in said


def test_a_full_queue_is_shown_with_what_brokers_did_meanwhile() -> None:
    lately = {"critical": seen_by_client(broker_seen(1), broker_seen(2), fill=1.0)}
    found = diagnose(live(seen=lately), "_QUEUE_FULL")
    told = evidence(found)
    assert told["client's queue"].startswith("100% full at most")
    assert {"round trip to broker 1", "round trip to broker 2", "throttling by quota"} <= set(told)
    assert found.not_known == ()
    assert "statistics" in diagnose(live(), "_QUEUE_FULL").not_known[0]


def test_a_records_statistics_are_those_of_its_life_and_those_before_are_apart(
    writer: Writer, reader: Reader
) -> None:
    run = begin_run(writer)
    sent_us, settled_us = ago(31), ago(1)
    record_outcomes(writer, run, failed=[failure(0, sent_us=sent_us, settled_us=settled_us)])
    for seconds, trip_us, fill in (
        (700, 77, 99), (60, 1_000, 3), (34, 1_000, 5), (29, 9_000, 40), (4, 9_000, 70), (-1, 9, 80),
        (-9, 1, 100),
    ):  # fmt: skip
        told = sample(
            ago(seconds),
            broker(1, trip=spread(10, trip_us), queue=spread(10, 5), state="UP"),
            queued=fill,
            produced=10,
            transmitted=20,
        )
        writer.call(partial(client_statistics.record, run=run.id, series=run.series, sample=told))
    found = reader(
        lambda db: record_facts(
            db,
            failed_events.last_failed_event(db, "orders", 0),  # type: ignore[arg-type]
        )
    )
    assert found.seen is not None
    assert found.seen_before is not None
    assert found.seen.samples == 3, "of 29, 4 and -1 s ago: that one began before the outcome"
    assert (found.seen.queue_fill, found.seen.queued) == (0.8, 80)
    assert found.seen.amplification == 2.0
    assert found.seen_before.samples == 2
    before = found.seen_before.broker(1)
    assert before is not None
    assert before.trip.mean == 1_000.0


@pytest.mark.parametrize(
    ("us", "words"),
    [(850.2, "850 µs"), (12_000, "12 ms"), (999_400, "999 ms"), (1_600_000, "1.6 s"),
     (9_940_000, "9.9 s"), (40_000_000, "40 s")],
)  # fmt: skip
def test_durations_are_told_in_two_or_three_digits(us: float, words: str) -> None:
    assert span(us) == words
