"""Which of the causes a time-out was, decided by what was seen in the record's life.

The decision goes from what proves most to what proves least. What a broker itself answered to the
record's attempts is proof. A partition that had no leader, or whose leader left, while the record
waited explains why nobody answered, and so does a broker that held the client back. Where none of
this is there, the attempts that got no answer speak of a broker or network, what the client's
statistics say of a slow broker or of its own queue, a record that was never sent of the client,
and a time-out shorter than what an acknowledgement takes of the setting. Where nothing is left it
is said that it cannot be told.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from producer_agent.advice.diagnosis import client_seen
from producer_agent.advice.diagnosis.evidence import clock
from producer_agent.advice.diagnosis.live_facts import RecordFacts
from producer_agent.advice.diagnosis.verdict import Verdict

_REPLICAS = frozenset({"NOT_ENOUGH_REPLICAS", "NOT_ENOUGH_REPLICAS_AFTER_APPEND"})
_LEADERS = frozenset({"NOT_LEADER_FOR_PARTITION", "LEADER_NOT_AVAILABLE", "FENCED_LEADER_EPOCH"})
_NETWORK = frozenset({"_TRANSPORT", "_ALL_BROKERS_DOWN", "NETWORK_EXCEPTION"})
_SILENCE = frozenset({"_TIMED_OUT", "REQUEST_TIMED_OUT", "_TIMED_OUT_QUEUE"})
_SHORT = 3.0
"""A time-out below so many request time-outs leaves no room to try again."""


def judge(record: RecordFacts) -> Verdict:
    """Decide what the time-out was."""
    causes = causes_of(record)
    for decide in (_by_answers, _by_leader, _by_silence, _by_statistics, _by_queue, _by_setting):
        verdict = decide(record, causes)
        if verdict is not None:
            return verdict
    return Verdict(
        "cannot-be-told",
        "What it was cannot be told from what was recorded: no attempt is known, and nothing "
        "happened on the cluster in its life that would explain it.",
        (),
    )


_Causes = Mapping[str, Mapping[str, Any]]


def causes_of(record: RecordFacts) -> _Causes:
    """Its attempts summed by what they ended in."""
    return {cause["cause"]: cause for cause in (record.event.attempts or {}).get("causes", ())}


def _by_answers(record: RecordFacts, causes: _Causes) -> Verdict | None:
    """What brokers answered to its attempts is proof."""
    refused = {name: cause for name, cause in causes.items() if name in _REPLICAS}
    if refused:
        n = sum(cause["count"] for cause in refused.values())
        return Verdict(
            "under-min-isr",
            f"Missing replicas: the leader refused it {n} time{'s' if n != 1 else ''} with "
            f"{' and '.join(refused)} until its time ran out.",
            tuple(_isr_words(record)),
        )
    other = {
        name: cause
        for name, cause in causes.items()
        if not name.startswith("_") and name not in _LEADERS | _SILENCE | _NETWORK
    }
    if other:
        name = max(other, key=lambda each: int(other[each]["count"]))
        return Verdict(
            "other",
            f"The broker refused it with {name}, {other[name]['count']} times, until its time ran "
            "out.",
            (),
        )
    return None


def _by_leader(record: RecordFacts, causes: _Causes) -> Verdict | None:
    """Its partition had no leader, or its leader left, while it waited."""
    event = record.event
    without = [then for then in record.states if then.state.leader is None]
    if without:
        return Verdict(
            "leaderless",
            f"No leader: partition {event.partition} of {event.topic} had none from "
            f"{clock(without[0].at_us)} on, while the record waited.",
            (),
        )
    unreachable = [row for row in record.changes if row.kind == "cluster_unreachable"]
    if unreachable:
        return Verdict(
            "unreachable",
            f"The cluster could not be reached, seen at {clock(unreachable[0].at_us)}, while the "
            "record waited.",
            (str(unreachable[0].detail.get("error", "")),),
        )
    led = {then.state.leader for then in record.states}
    left = [row for row in record.changes if row.kind == "broker_left" and row.broker in led]
    if left:
        moved = [then for then in record.states if then.at_us > (event.sent_us or 0)]
        return Verdict(
            "broker-silent",
            f"A broker: {left[0].broker}, which led its partition, was lost (seen at "
            f"{clock(left[0].at_us)}) while the record waited.",
            (
                (
                    f"Partition {event.partition} was led by broker {moved[-1].state.leader} from "
                    f"{clock(moved[-1].at_us)} on: "
                    + (
                        "too late for this record."
                        if (event.settled_us - moved[-1].at_us) < 2_000_000
                        else "the rest of its time should have been enough to try there, unless "
                        "its batch was still waiting for the lost broker's answer "
                        "(request.timeout.ms)."
                    ),
                )
                if moved
                else ()
            ),
        )
    if causes and set(causes) <= _LEADERS:
        return Verdict(
            "leaderless",
            "An election: every answer was that the broker asked does not lead the partition.",
            (),
        )
    return None


def _by_silence(record: RecordFacts, causes: _Causes) -> Verdict | None:
    """Requests were sent and got no answer."""
    throttled = client_seen.by_throttling(record)
    if throttled is not None:
        return throttled
    event = record.event
    broke = sorted(_NETWORK & causes.keys())
    silent = sorted(_SILENCE & causes.keys())
    if broke:
        return Verdict(
            "network",
            f"The connection: {sum(causes[name]['count'] for name in broke)} attempts ended in "
            f"{' and '.join(broke)}"
            + (
                ", and no broker left the cluster in that time: the network, or a listener."
                if record.watched
                else "."
            ),
            (),
        )
    if silent:
        return Verdict(
            "broker-silent",
            f"The broker: {sum(causes[name]['count'] for name in silent)} requests got no answer "
            f"in time ({', '.join(silent)})"
            + (
                f" from the leader of partition {event.partition}, which the cluster counted as "
                "alive: it hung, was overloaded, or waited for replicas."
                if record.watched
                else "."
            ),
            _others_went_on(record),
        )
    connection = (event.attempts or {}).get("connection")
    if connection:
        return Verdict(
            "network",
            "It was never sent: the client had no connection to the broker that leads its "
            f"partition ({connection}).",
            (),
        )
    return None


def _by_statistics(record: RecordFacts, causes: _Causes) -> Verdict | None:
    """Nothing is known of attempts: what the client saw of its brokers and its queue meanwhile."""
    if causes:
        return None
    return client_seen.by_round_trip(record) or client_seen.by_client_queue(record)


def _by_queue(record: RecordFacts, causes: _Causes) -> Verdict | None:
    """It never got out of the client, or nothing of it was ever answered."""
    event = record.event
    if causes or not (event.attempts or {}).get("never_sent"):
        return None
    client, traffic = record.client, record.traffic
    if traffic is not None and (traffic.queue_full or traffic.late_polls):
        return Verdict(
            "overload",
            "The client was overloaded: the record was never answered for, while "
            f"{traffic.queue_full:,} others were refused by the full queue and "
            f"{traffic.late_polls:,} polls came late.",
            (),
        )
    if event.partition is None:
        return Verdict(
            "topic-missing",
            f"The client never learnt the partitions of {event.topic} in that time: the topic "
            "did not exist, was hidden, or no broker told its metadata.",
            (
                "topic.metadata.propagation.max.ms is longer than delivery.timeout.ms, so the "
                "time-out hides UNKNOWN_TOPIC_OR_PART.",
            ),
        )
    if client is not None and client.delivery_timeout_ms < client.request_timeout_ms:
        told = "No other attempt could have followed: request.timeout.ms " + (
            f"({client.request_timeout_ms / 1000:g} s) is longer than delivery.timeout.ms."
        )
    else:
        told = "No attempt of it failed before, so there was one at most, and it got no answer."
    connection = client_seen.connection_words(record)
    if connection is not None:
        matter, said = connection
        return Verdict(matter, said, (told, *_others_went_on(record)))
    if traffic is not None and traffic.acknowledged and waited_s(record) < 1.0:
        return None
    if traffic is not None and traffic.acknowledged == 0:
        return Verdict(
            "broker-silent",
            "The broker or the network: nothing of this profile was acknowledged while the record "
            "waited, and no broker answered its requests.",
            (told,),
        )
    return Verdict(
        "broker-silent",
        f"The broker that leads partition {event.partition} did not answer for it, while others "
        "went on" + (": it hung, or the way to it did." if record.watched else "."),
        (told, *_others_went_on(record)),
    )


def _by_setting(record: RecordFacts, causes: _Causes) -> Verdict | None:
    """The time allowed is less than an acknowledgement takes."""
    client = record.client
    if client is None or client.delivery_timeout_ms <= 0:
        return None
    short = waited_s(record) < 1.0 or client.delivery_timeout_ms <= client.linger_ms * _SHORT
    if not short or causes:
        return None
    return Verdict(
        "time-out-too-short",
        f"The time-out is too short: delivery.timeout.ms is {client.delivery_timeout_ms:,}"
        + (f", of which linger.ms takes {client.linger_ms:g}" if client.linger_ms else "")
        + "; nothing was the matter on the cluster in that time.",
        (
            "delivery.timeout.ms has to hold linger.ms, the client's queue, the network, the "
            "replicas, and at least one attempt more.",
        ),
    )


def waited_s(record: RecordFacts) -> float:
    """Seconds from produce() to the report."""
    event = record.event
    return (event.settled_us - (event.sent_us or event.settled_us)) / 1e6


def _isr_words(record: RecordFacts) -> list[str]:
    event = record.event
    return [
        f"Partition {event.partition} had {len(then.state.isrs)} of {len(then.state.replicas)} "
        f"replicas in sync ({', '.join(map(str, sorted(then.state.isrs)))}) as of "
        f"{clock(then.at_us)}."
        for then in record.states
        if len(then.state.isrs) < len(then.state.replicas)
    ][:3] + [
        f"Broker {row.broker} left at {clock(row.at_us)}."
        for row in record.changes
        if row.kind == "broker_left"
    ][:3]


def _others_went_on(record: RecordFacts) -> tuple[str, ...]:
    traffic = record.traffic
    if traffic is None or not traffic.acknowledged:
        return ()
    return (
        f"{traffic.acknowledged:,} other events of the profile were acknowledged in that time, so "
        "neither the client nor the whole cluster stood still.",
    )
