"""The client's own queue was full: it was given more than left it."""

from __future__ import annotations

from producer_agent.advice.diagnosis.client_seen import evidence_of_client
from producer_agent.advice.diagnosis.diagnosis import Diagnosis, Evidence, Option, Safety, State
from producer_agent.advice.diagnosis.evidence import duration, fault_evidence, replica_facts
from producer_agent.advice.diagnosis.live_facts import LiveFacts

NOT_SEEN = (
    "How full the queue was over time, how fast brokers answered and whether they throttled: "
    "librdkafka's statistics of its client, told every 5 s of a run, are not there."
)


def queue_full(facts: LiveFacts, code: str) -> Diagnosis:
    """``_QUEUE_FULL``: counted, never sent, and back-pressure rather than a fault of its own."""
    client = facts.record.client if facts.record is not None else None
    client = client or next(iter(facts.clients), None)
    traffic = facts.traffic
    told = [*fault_evidence(facts)]
    findings = []
    if client is not None:
        told.append(
            Evidence(
                "queue.buffering.max.messages",
                f"{client.queue_max_messages:,}",
                f"profile {client.profile}",
            )
        )
        told.append(Evidence("rate asked", f"{client.rate_per_s:g}/s", f"profile {client.profile}"))
        findings.append(
            f"A queue of {client.queue_max_messages:,} holds "
            f"{duration(client.queue_max_messages / max(client.rate_per_s, 1e-9))} of its rate: "
            "it fills when for that long less is acknowledged than produced."
        )
    state = State.WRONG
    if traffic is not None:
        told += [
            Evidence(
                f"refused, queue full, in {duration(traffic.seconds)}",
                f"{traffic.queue_full:,}",
                "counted by the agent",
                traffic.until_us,
            ),
            Evidence(
                f"acknowledged in {duration(traffic.seconds)}",
                f"{traffic.acknowledged / traffic.seconds:,.0f}/s",
                "counted by the agent",
                traffic.until_us,
            ),
        ]
        if traffic.queue_full == 0:
            state = State.PASSED
        if traffic.late_polls:
            findings.append(
                f"{traffic.late_polls} polls came late in that time: this host's CPU is short, so "
                "reports were not served and their places in the queue not freed."
            )
    seen = None if client is None else facts.seen.get(client.profile)
    if client is not None and seen is not None:
        told += evidence_of_client(seen, client.acks)
    return Diagnosis(
        topic=facts.topic,
        code=code,
        matter="overload",
        state=state,
        headline=(
            "The client's queue was full and is not any more."
            if state is State.PASSED
            else "The client's queue is full: events are produced faster than the cluster "
            "acknowledges them, and produce() refuses the rest."
        ),
        at_us=facts.at_us,
        facts=(*told, *replica_facts(facts)),
        findings=(
            *findings,
            "Nothing that was refused was sent; the caller may try again. Why the cluster is slow "
            "or stands still is the question to ask next: see the facts of the topic.",
        ),
        options=(
            Option("Send slower", "Events wait at their source.", Safety.SAFE),
            Option(
                "Raise queue.buffering.max.messages and queue.buffering.max.kbytes",
                "Memory; and more is lost if the process dies. It buys time, not throughput.",
                Safety.CAREFUL,
            ),
        ),
        not_known=(NOT_SEEN,) if seen is None else (),
    )
