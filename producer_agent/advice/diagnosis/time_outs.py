"""A record that timed out: what it was, its life as evidence, and what to do with it."""

from __future__ import annotations

from producer_agent.advice.diagnosis.client_seen import evidence_of
from producer_agent.advice.diagnosis.diagnosis import Diagnosis, Evidence, Option, Safety, State
from producer_agent.advice.diagnosis.evidence import (
    clock,
    duration,
    fault_evidence,
    partition_evidence,
    replica_facts,
)
from producer_agent.advice.diagnosis.live_facts import LiveFacts, RecordFacts
from producer_agent.advice.diagnosis.time_out_cause import causes_of, judge, waited_s
from producer_agent.advice.diagnosis.verdict import Verdict

_UNSEEN = "Round-trip times, the client's queue over time and throttling by quota: "
NOT_KEPT = _UNSEEN + (
    "of that time none of librdkafka's statistics are kept (of a run they are told every 5 s and "
    "kept for a day; a service of your own records none)."
)
NOT_YET = _UNSEEN + "librdkafka tells its statistics every 5 s. Ask again in a moment."
YET_US = 10_000_000
"""Two intervals: statistics that cover an outcome are recorded by then."""


def timed_out(facts: LiveFacts, code: str) -> Diagnosis:
    """``_MSG_TIMED_OUT`` and its like, of one record where there is one."""
    record = facts.record
    if record is None:
        return Diagnosis(
            topic=facts.topic,
            code=code,
            matter="cannot-be-told",
            state=State.UNKNOWN,
            headline=f"No failed record of {facts.topic} is kept whose attempts could be looked "
            "at: a time-out alone does not tell its cause. The topic is as below.",
            at_us=facts.at_us,
            facts=(*fault_evidence(facts), *replica_facts(facts)),
            partitions=partition_evidence(facts),
            options=(
                Option(
                    "Ask about one record: diagnose TOPIC --letter ID, or --event RUN:SEQUENCE",
                    "Nothing.",
                    Safety.SAFE,
                ),
            ),
        )
    verdict = judge(record)
    return Diagnosis(
        topic=facts.topic,
        code=code,
        matter=verdict.matter,
        state=State.PASSED,
        headline=verdict.sentence,
        at_us=facts.at_us,
        facts=(*fault_evidence(facts), *life(record), *replica_facts(facts)),
        partitions=partition_evidence(facts),
        findings=(*verdict.because, *_stored(record), *_amplification(record)),
        options=_options(verdict, record),
        not_known=_not_known(record, facts.at_us),
    )


def life(record: RecordFacts) -> list[Evidence]:
    """The record's life as evidence: sent, attempts, the cluster's changes, settled."""
    event = record.event
    told = [
        Evidence(
            "record",
            f"run {event.run_uuid}, sequence {event.sequence}"
            + (f", partition {event.partition}" if event.partition is not None else ""),
            f"profile {event.profile}",
        )
    ]
    if event.sent_us is not None:
        told.append(Evidence("produced", clock(event.sent_us), "the run's record", event.sent_us))
        told.append(
            Evidence(
                "reported",
                f"{duration((event.settled_us - event.sent_us) / 1e6)} later, {event.code}",
                "delivery report",
                event.settled_us,
            )
        )
    attempts = event.attempts or {}
    exact = "this record's attempts" if attempts.get("exact") else "attempts on its partition then"
    told += [
        Evidence(
            f"attempts that ended in {cause['cause']}",
            f"{cause['count']}, {clock(cause['first_us'])} to {clock(cause['last_us'])}; "
            f"{'may be' if cause['stored'] == 'maybe' else 'not'} stored",
            f"librdkafka's log: {exact}",
            cause["last_us"],
        )
        for cause in attempts.get("causes", ())
    ]
    if attempts.get("never_sent"):
        told.append(Evidence("attempts", "none was answered", "librdkafka's log", event.settled_us))
    if attempts.get("connection"):
        told.append(
            Evidence("last connection error", str(attempts["connection"]), "librdkafka's log")
        )
    told += [
        Evidence(
            f"partition {event.partition} then",
            f"leader {then.state.leader if then.state.leader is not None else 'none'}, in sync "
            f"{', '.join(map(str, sorted(then.state.isrs))) or 'none'}",
            "history of changes",
            then.at_us,
        )
        for then in record.states[:10]
    ]
    told += [
        Evidence(
            row.kind.replace("_", " ") + (f" {row.broker}" if row.broker is not None else ""),
            clock(row.at_us),
            "history of changes",
            row.at_us,
        )
        for row in record.changes
        if row.broker is not None or row.kind.startswith("cluster")
    ][:10]
    if record.traffic is not None and event.sent_us is not None:
        traffic = record.traffic
        told.append(
            Evidence(
                f"profile {event.profile} in that time",
                f"{traffic.acknowledged:,} acknowledged, {traffic.failed:,} failed, "
                f"{traffic.queue_full:,} refused by a full queue, {traffic.late_polls:,} late "
                "polls",
                "counted by the agent",
                event.settled_us,
            )
        )
    return told + evidence_of(record)


def _stored(record: RecordFacts) -> list[str]:
    return {
        "maybe": [
            "It may be on the topic all the same: read it back (by its identity header) before it "
            "is sent again."
        ],
        "no": ["It is not on the topic: it can be sent again."],
        "yes": ["It is on the topic."],
    }.get(record.event.stored, [])


def _amplification(record: RecordFacts) -> list[str]:
    attempts = sum(int(cause["count"]) for cause in causes_of(record).values())
    if attempts < 2:
        return []
    of = "the record" if (record.event.attempts or {}).get("exact") else "its partition"
    return [f"Retry amplification: {attempts} failed requests for {of} in {_waited(record)}."]


def _waited(record: RecordFacts) -> str:
    return duration(waited_s(record))


_OUTAGES = ("under-min-isr", "leaderless", "broker-silent", "broker-slow", "unreachable")


def _options(verdict: Verdict, record: RecordFacts) -> tuple[Option, ...]:
    client = record.client
    options = []
    if record.event.stored == "no":
        options.append(
            Option("Replay it once the cause is gone", "Nothing: it is not stored.", Safety.SAFE)
        )
    elif record.event.stored == "maybe":
        options.append(
            Option(
                "Read the topic back for it, then replay what is not there",
                "A replay without looking can store it twice; consumers that recognise duplicates "
                "do not mind.",
                Safety.CAREFUL,
            )
        )
    outage = verdict.matter in _OUTAGES
    if client is not None and (outage or verdict.matter == "time-out-too-short"):
        wanted = max(client.delivery_timeout_ms * 2, 30_000 if not outage else 120_000)
        options.append(
            Option(
                f"Raise delivery.timeout.ms of profile {client.profile} from "
                f"{client.delivery_timeout_ms:,} to {wanted:,}",
                "Events wait longer in memory (the queue must hold them) and their outcome is "
                "known later; an election or a restart then passes unnoticed.",
                Safety.CAREFUL,
            )
        )
    if verdict.matter == "throttled":
        options.append(
            Option(
                "Send slower, or raise the quota of this client's user or client id "
                "(producer_byte_rate, request_percentage)",
                "A quota protects the brokers: more of theirs goes to this client.",
                Safety.CAREFUL,
            )
        )
    if verdict.matter == "overload":
        options.append(
            Option(
                "Send slower, or give the client's host more CPU",
                "Events wait at their source.",
                Safety.SAFE,
            )
        )
    return tuple(options)


def _not_known(record: RecordFacts, at_us: int) -> tuple[str, ...]:
    told = []
    if record.seen is None:
        told.append(NOT_YET if at_us - record.event.settled_us < YET_US else NOT_KEPT)
    if not record.watched:
        told.append(
            "What happened on the cluster in the record's life: it was not watched all that time."
        )
    attempts = record.event.attempts
    if attempts is None:
        told.append("Its attempts: none were recorded (librdkafka's debug=msg was not read).")
    elif not attempts.get("exact") and attempts.get("causes"):
        told.append(
            "Which attempts were this very record's: without idempotence librdkafka numbers none, "
            "so those of its partition while it waited are shown."
        )
    if record.size is None:
        told.append("The record's size: it is no longer kept.")
    return tuple(told)
