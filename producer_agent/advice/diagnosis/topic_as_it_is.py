"""The topic as it is now, without any failure in hand: the worst that is the matter with it."""

from __future__ import annotations

from producer_agent.advice.diagnosis.authorization import not_authorized
from producer_agent.advice.diagnosis.diagnosis import Diagnosis, Option, Safety, State, each_once
from producer_agent.advice.diagnosis.evidence import (
    clock,
    fault_evidence,
    partition_evidence,
    replica_facts,
    topic_state,
)
from producer_agent.advice.diagnosis.kafka_commands import KafkaCommands
from producer_agent.advice.diagnosis.live_facts import LiveFacts
from producer_agent.advice.diagnosis.missing_topic import topic_missing
from producer_agent.advice.diagnosis.reachability import broker_silent, unreachable
from producer_agent.advice.diagnosis.replicas import leaderless, replica_missing, under_min_isr

DENIED = frozenset({"TOPIC_AUTHORIZATION_FAILED", "CLUSTER_AUTHORIZATION_FAILED"})
MISSING = frozenset({"UNKNOWN_TOPIC_OR_PART", "_UNKNOWN_TOPIC", "TOPIC_EXCEPTION"})


def as_it_is(facts: LiveFacts) -> Diagnosis:
    """The topic without any failure in hand: the worst that is the matter with it now."""
    if facts.unreachable is not None:
        return unreachable(facts, None)
    topic = facts.topic_view
    if topic is None:
        return topic_missing(facts, None)
    if topic.error in DENIED:
        return not_authorized(facts, None)
    if topic.error in MISSING:
        return topic_missing(facts, None)
    state = topic_state(facts)
    if state.leaderless or not facts.partitions:
        return leaderless(facts, None)
    silent_leaders = {
        broker.id for broker in facts.brokers if broker.listed and broker.answers is False
    }
    if any(partition.leader in silent_leaders for partition in facts.partitions):
        return broker_silent(facts, None)
    if _may_not_write(facts):
        return not_authorized(facts, None)
    if state.under_min_isr:
        return under_min_isr(facts, None)
    if silent_leaders:
        return broker_silent(facts, None)
    if state.lacking:
        return replica_missing(facts, None)
    return _injected(facts) or _weaker_than_asked(facts) or _healthy(facts)


def _weaker_than_asked(facts: LiveFacts) -> Diagnosis | None:
    """The topic keeps less than a profile that sends to it counts on."""
    findings, options = [], []
    commands = KafkaCommands(facts)
    least = facts.min_insync_replicas
    factor = min((len(partition.replicas) for partition in facts.partitions), default=0)
    for client in facts.clients:
        if client.acks == "all" and least is not None and least < client.min_insync_replicas:
            wanted = min(client.min_insync_replicas, factor)
            findings.append(
                f"Profile {client.profile} counts on min.insync.replicas "
                f"{client.min_insync_replicas}, and the topic has {least}: an acks=all "
                f"acknowledgement means {least} cop{'y' if least == 1 else 'ies'}."
            )
            if wanted > least:
                options.append(
                    Option(
                        f"Raise min.insync.replicas to {wanted}",
                        f"acks=all is refused while fewer than {wanted} replicas are in sync.",
                        Safety.CAREFUL,
                        commands.set_topic("min.insync.replicas", str(wanted)),
                    )
                )
        if factor and factor < client.replication_factor and facts.kind != "embedded":
            findings.append(
                f"Profile {client.profile} asks for replication factor "
                f"{client.replication_factor}, and the topic has {factor}."
            )
    if (
        least is not None
        and least == factor > 1
        and any(client.acks == "all" for client in facts.clients)
    ):
        findings.append(
            f"min.insync.replicas equals the replication factor ({factor}): acks=all fails as "
            "soon as one broker is restarted."
        )
        options.append(
            Option(
                f"Lower min.insync.replicas to {factor - 1}",
                f"An acknowledged record is then on {factor - 1} brokers for sure, not {factor}.",
                Safety.CAREFUL,
                commands.set_topic("min.insync.replicas", str(factor - 1)),
            )
        )
    if not findings:
        return None
    return Diagnosis(
        topic=facts.topic,
        code=None,
        matter="weak-setting",
        state=State.RISK,
        headline=f"{facts.topic} takes records, and does not keep what is counted on: "
        + findings[0],
        at_us=facts.at_us,
        facts=tuple(replica_facts(facts)),
        partitions=partition_evidence(facts),
        findings=tuple(findings),
        options=each_once(options),
    )


def _injected(facts: LiveFacts) -> Diagnosis | None:
    """A fault is in force that the metadata does not show."""
    active = [fault for fault in facts.faults if fault.get("topic") in (None, facts.topic)]
    if not active:
        return None
    words = ", ".join(str(fault["kind"]).replace("_", " ") for fault in active)
    return Diagnosis(
        topic=facts.topic,
        code=None,
        matter="fault-injected",
        state=State.WRONG,
        headline=f"A fault was injected and is in force on {facts.topic}: {words}.",
        at_us=facts.at_us,
        facts=(*fault_evidence(facts), *replica_facts(facts)),
        partitions=partition_evidence(facts),
        findings=(
            "It was put there on the Cluster page or by command; what fails because of it is no "
            "fault of the cluster.",
        ),
        options=tuple(
            Option(
                f"Undo it: {str(fault['kind']).replace('_', ' ')}",
                "Nothing: it puts back what was there.",
                Safety.SAFE,
                undo_fault={key: fault[key] for key in ("kind", "topic", "node") if fault.get(key)},
            )
            for fault in active
        ),
    )


def _healthy(facts: LiveFacts) -> Diagnosis:
    n = len(facts.partitions)
    least = facts.min_insync_replicas
    findings = []
    if facts.failures is not None:
        told = ", ".join(f"{cause} ×{count}" for cause, count in facts.failures.by_cause.items())
        findings.append(
            f"Failed since {clock(facts.failures.since_us)}: {told}. Ask with --code for each."
        )
    not_known = []
    if facts.kind == "embedded":
        not_known.append(
            "The embedded cluster does not replicate: what it says of in-sync replicas is its "
            "configuration."
        )
    elif least is None:
        not_known.append(
            f"min.insync.replicas: {facts.settings_error or 'the cluster does not tell it'}."
        )
    if facts.permissions is None or facts.permissions.allowed is None:
        not_known.append("Whether we may write: the cluster does not tell what we are allowed.")
    return Diagnosis(
        topic=facts.topic,
        code=None,
        matter="healthy",
        state=State.HEALTHY,
        headline=f"{facts.topic} is healthy: "
        + ("its partition has" if n == 1 else f"all {n} partitions have")
        + " a leader that answers and every replica in sync"
        + (f" (min.insync.replicas {least})." if least is not None else "."),
        at_us=facts.at_us,
        facts=tuple(replica_facts(facts)),
        partitions=partition_evidence(facts),
        findings=tuple(findings),
        not_known=tuple(not_known),
    )


def _may_not_write(facts: LiveFacts) -> bool:
    known = facts.permissions
    return known is not None and known.allowed is not None and "WRITE" not in known.allowed
