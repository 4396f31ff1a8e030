"""What the client's own statistics say of a time-out: throttled, slow broker, or its own queue.

They come every few seconds, so they speak of all events of the client around the record's life,
not of the record: a rule here asks for a lot of the time allowed, and gives way to what is known
of the record's own attempts.
"""

from __future__ import annotations

from typing import Final

from producer_agent.advice.diagnosis.diagnosis import Evidence
from producer_agent.advice.diagnosis.evidence import clock
from producer_agent.advice.diagnosis.live_facts import RecordFacts
from producer_agent.advice.diagnosis.verdict import Verdict
from producer_agent.store.queries.client_statistics import BrokerSeen, ClientSeen, Stage

THROTTLED_SHARE: Final = 0.25
"""Of the time allowed, held back at once: a quota does so again and again while it is exceeded."""

TAKEN_SHARE: Final = 0.5
"""Of the time allowed, taken by one stage on average: an event that takes twice the average, as
about one of ten does, is too late."""

QUEUE_FULL: Final = 0.9
"""Share of its limit from which a queue is called full: it is looked at every few seconds only."""

AMPLIFIED: Final = 1.5
"""Sent so often on average, events wait for their attempts, and not for the client."""

SLOWER_TIMES: Final = 3.0
"""A round trip that takes so many times what it did before is the broker's matter; one that takes
what it always does is the time-out's."""

CONNECTED: Final = frozenset({"UP", "UPDATE", "REAUTH"})
"""States in which requests are sent (``rd_kafka_broker_state_is_up`` of librdkafka)."""

UNUSED: Final = "INIT"
"""A connection that nothing has needed yet."""

AUTHENTICATING: Final = "AUTH"
"""What the states begin with in which the broker has yet to accept who this is."""


def evidence_of(record: RecordFacts) -> list[Evidence]:
    """The statistics of a record's life as evidence; none where there are none."""
    if record.seen is None:
        return []
    return evidence_of_client(
        record.seen, record.event_acks, leader_seen(record), record.seen_before
    )


def evidence_of_client(
    seen: ClientSeen,
    acks: str | None,
    leader: BrokerSeen | None = None,
    before: ClientSeen | None = None,
) -> list[Evidence]:
    """Statistics as evidence.

    Args:
        leader: The broker that matters; None: every one that was sent to.
        before: Of the minutes before, for comparison.
    """
    source = f"librdkafka's statistics, {clock(seen.since_us)} to {clock(seen.until_us)[11:]}"

    def one(label: str, value: str) -> Evidence:
        return Evidence(label, value, source, seen.until_us)

    waited = stage_words(_together(seen))
    told = [
        one(
            "client's queue",
            f"{seen.queue_fill:.0%} full at most ({seen.queued:,} events)"
            + (f"; an event waited {waited} in it" if waited else "; nothing left it"),
        )
    ]
    for broker in _sent_to(seen) if leader is None else [leader]:
        name = f"broker {broker.broker}"
        told.append(one(f"connection to {name}", _connection(broker)))
        trip = _trip(broker, before) if acks != "0" else "not waited for under acks=0"
        told.append(one(f"round trip to {name}", trip))
        if broker.throttle.total:
            told.append(
                one(f"throttling by {name}", f"up to {span(broker.throttle.p99 * 1000)} at once")
            )
    if not any(broker.throttle.total for broker in seen.brokers):
        told.append(one("throttling by quota", "none"))
    if seen.amplification is not None:
        told.append(
            one(
                "retry amplification",
                f"an event was sent {seen.amplification:.2g} times on average "
                f"({seen.transmitted:,} sent, {seen.produced:,} produced)",
            )
        )
    return told


def by_throttling(record: RecordFacts) -> Verdict | None:
    """A broker held the client back by quota."""
    seen, allowed_us = record.seen, _allowed_us(record)
    if seen is None or allowed_us is None:
        return None
    leader = leader_seen(record)
    asked = _sent_to(seen) if leader is None else [leader]
    most = max(asked, key=lambda one: one.throttle.p99, default=None)
    if most is None or most.throttle.p99 * 1000 < THROTTLED_SHARE * allowed_us:
        return None
    return Verdict(
        "throttled",
        f"Throttled: broker {most.broker} held this client back by quota for up to "
        f"{span(most.throttle.p99 * 1000)} at once, of {span(allowed_us)} allowed.",
        (f"An event waited {stage_words(most.queue) or 'all its time'} in the client meanwhile.",),
    )


def by_round_trip(record: RecordFacts) -> Verdict | None:
    """The leader answered, and took most of the time allowed for it."""
    leader, allowed_us = leader_seen(record), _allowed_us(record)
    if leader is None or allowed_us is None or record.event_acks == "0":
        return None
    took = leader.trip.mean
    if took is None or took < TAKEN_SHARE * allowed_us:
        return None
    usual = _mean_trip_us(record.seen_before, leader.broker)
    if usual is not None and took >= SLOWER_TIMES * usual:
        return Verdict(
            "broker-slow",
            f"A slow broker: the round trip to broker {leader.broker}, which leads its partition, "
            f"took {span(took)} on average, of {span(allowed_us)} allowed; {span(usual)} in the "
            "minutes before.",
            ("With acks=all it is as slow as its slowest follower in sync.",)
            if record.event_acks == "all"
            else (),
        )
    return Verdict(
        "time-out-too-short",
        f"The time-out is too short: delivery.timeout.ms is {allowed_us / 1000:,.0f}, and a round "
        f"trip to broker {leader.broker} takes {span(took)} on average"
        + (", as it did before." if usual is not None else "."),
        ("delivery.timeout.ms has to hold the client's queue and at least two round trips.",),
    )


def by_client_queue(record: RecordFacts) -> Verdict | None:
    """Brokers answered soon, and events waited in the client."""
    seen, allowed_us = record.seen, _allowed_us(record)
    if seen is None or allowed_us is None or (seen.amplification or 0) >= AMPLIFIED:
        return None
    leader = leader_seen(record)
    queue = leader.queue if leader is not None else _together(seen)
    waited, took = queue.mean, None if leader is None else leader.trip.mean
    if waited is None or (record.event_acks != "0" and took is None):
        return None  # nothing left the queue, or nothing was answered: not the client's doing
    if took is not None and took >= TAKEN_SHARE * allowed_us:
        return None
    full = seen.queue_fill >= QUEUE_FULL
    if waited < TAKEN_SHARE * allowed_us and not full:
        return None
    answered = (
        f", while broker {leader.broker} answered in {span(took)}"
        if leader is not None and took is not None
        else ""
    )
    return Verdict(
        "overload",
        f"The client was overloaded: an event waited {span(waited)} on average in its queue, of "
        f"{span(allowed_us)} allowed{answered}.",
        (f"The queue was {seen.queue_fill:.0%} full.",)
        + (() if record.late_polls == 0 else (f"{record.late_polls:,} polls came late.",)),
    )


def connection_words(record: RecordFacts) -> tuple[str, str] | None:
    """What the connection to the leader tells where nothing was answered: matter and sentence."""
    leader = leader_seen(record)
    if leader is None or leader.trip.n:
        return None
    used = [state for state in leader.states if state != UNUSED]
    if not used:
        return None
    if any(state in CONNECTED for state in used):
        if not leader.unanswered:
            return None
        return (
            "broker-silent",
            f"The connection to broker {leader.broker} stood, {leader.unanswered} requests waited "
            "for an answer, and none came.",
        )
    if used[-1].startswith(AUTHENTICATING):
        return (
            "not-authorized",
            f"Broker {leader.broker} had not accepted this client's credentials ({used[-1]}).",
        )
    return (
        "network",
        f"There was no connection to broker {leader.broker} (librdkafka: {used[-1]}).",
    )


def leader_seen(record: RecordFacts) -> BrokerSeen | None:
    """The broker that led the record's partition last in its life, as its client saw it."""
    if record.seen is None:
        return None
    led = [then.state.leader for then in record.states if then.state.leader is not None]
    return record.seen.broker(led[-1]) if led else None


def stage_words(stage: Stage) -> str | None:
    """``12 ms on average (p99 80 ms)``; None where nothing was measured."""
    if stage.mean is None:
        return None
    return f"{span(stage.mean)} on average (p99 {span(stage.p99)})"


def span(us: float) -> str:
    """``850 µs``, ``12 ms``, ``1.6 s``, ``40 s``."""
    if us < 1_000:
        return f"{us:.0f} µs"
    if us < 999_500:
        return f"{us / 1e3:.3g} ms"
    return f"{us / 1e6:.2g} s" if us < 9.95e6 else f"{us / 1e6:.0f} s"


def _allowed_us(record: RecordFacts) -> float | None:
    client = record.client
    if client is None or client.delivery_timeout_ms <= 0:
        return None
    return client.delivery_timeout_ms * 1000.0


def _mean_trip_us(seen: ClientSeen | None, broker: int) -> float | None:
    found = None if seen is None else seen.broker(broker)
    return None if found is None else found.trip.mean


def _sent_to(seen: ClientSeen) -> list[BrokerSeen]:
    return [broker for broker in seen.brokers if broker.queue.n or broker.unanswered]


def _together(seen: ClientSeen) -> Stage:
    stages = [broker.queue for broker in seen.brokers]
    return Stage(
        sum(stage.n for stage in stages),
        sum(stage.total for stage in stages),
        max((stage.p99 for stage in stages), default=0),
    )


def _connection(broker: BrokerSeen) -> str:
    words = ", then ".join(dict.fromkeys(broker.states))
    for n, what in (
        (broker.disconnects, "disconnects"),
        (broker.timeouts, "requests timed out"),
        (broker.errors, "errors in sending or receiving"),
    ):
        words += f"; {n:,} {what}" if n else ""
    return words + (f"; up to {broker.unanswered} unanswered" if broker.unanswered else "")


def _trip(broker: BrokerSeen, before: ClientSeen | None) -> str:
    took = stage_words(broker.trip)
    if took is None:
        return "not known: nothing was answered"
    usual = _mean_trip_us(before, broker.broker)
    return took + (f"; {span(usual)} in the minutes before" if usual is not None else "")
