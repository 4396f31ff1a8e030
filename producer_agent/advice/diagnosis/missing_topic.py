"""The topic or the partition does not exist: near names, and the command that makes it."""

from __future__ import annotations

from difflib import SequenceMatcher

from producer_agent.advice.diagnosis.diagnosis import (
    Diagnosis,
    Evidence,
    Option,
    Safety,
    State,
)
from producer_agent.advice.diagnosis.evidence import (
    clock,
    fault_evidence,
    partition_evidence,
    replica_facts,
)
from producer_agent.advice.diagnosis.kafka_commands import KafkaCommands
from producer_agent.advice.diagnosis.live_facts import ClientFacts, LiveFacts

NEAR = 0.6
"""Similarity (``difflib``'s ratio) from which a name is called near."""

MOST_NEAR = 5


def topic_missing(facts: LiveFacts, code: str | None) -> Diagnosis:
    """The cluster has no such topic, or none that we may see."""
    near = near_names(facts)
    deleted = next((row for row in facts.changes if row.kind == "topic_deleted"), None)
    auto = _auto_create(facts)
    findings = []
    if deleted is not None and deleted.topic == facts.topic:
        findings.append(f"It was there and was deleted, seen at {clock(deleted.at_us)}.")
    if near:
        findings.append(f"There is {_listed(near)}: the name may be misspelt.")
    if auto is not None:
        findings.append(
            "auto.create.topics.enable is "
            + (
                f"{auto}: the broker makes a topic when a producer asks for it, with the "
                "cluster's own partitions and replication factor."
                if auto == "true"
                else f"{auto}: nobody makes a topic but by command."
            )
        )
    findings.append(
        "A producer waits topic.metadata.propagation.max.ms (30 s by default) for a topic to "
        "appear before it reports UNKNOWN_TOPIC_OR_PART; with a delivery.timeout.ms below that "
        "the report says _MSG_TIMED_OUT instead."
    )
    commands = KafkaCommands(facts)
    partitions, factor, least = _wanted(facts)
    options = list(_undo(facts))
    if near:
        options.append(
            Option(
                f"Correct the name in the producer: {near[0]}",
                "Nothing, if that is the topic meant; look at what it holds first.",
                Safety.SAFE,
                KafkaCommands(facts).list_topics(),
            )
        )
    if facts.kind != "embedded":
        options.append(
            Option(
                "Create the topic",
                "Partitions cannot be taken away later, and adding some moves keys: choose them "
                "for the load to come.",
                Safety.CAREFUL,
                commands.create_topic(partitions, factor, {"min.insync.replicas": str(least)}),
            )
        )
    return Diagnosis(
        topic=facts.topic,
        code=code,
        matter="topic-missing",
        state=State.WRONG,
        headline=f"The cluster has no topic {facts.topic}"
        + (f"; nearest: {near[0]}." if near else ", and none with a name near it."),
        at_us=facts.at_us,
        facts=(
            *fault_evidence(facts),
            Evidence(
                "topics on the cluster",
                str(len(facts.view.topics)) if facts.view is not None else "not known",
                "metadata",
                facts.view_us,
            ),
            *(Evidence("near name", name, "metadata", facts.view_us) for name in near),
            Evidence(
                "auto.create.topics.enable",
                auto or "not known",
                "a broker's settings" if auto else "not told",
                facts.at_us,
            ),
        ),
        findings=tuple(findings),
        options=tuple(options),
        not_known=(
            "Whether it exists and is hidden: without DESCRIBE on it a topic looks missing.",
        )
        if facts.principal != "User:ANONYMOUS" or facts.secured
        else (),
    )


def partition_missing(facts: LiveFacts, code: str) -> Diagnosis:
    """The topic has fewer partitions than the producer asked for."""
    have = len(facts.partitions)
    asked = facts.record.event.partition if facts.record is not None else None
    commands = KafkaCommands(facts)
    wanted = max(asked + 1 if asked is not None else have + 1, have + 1)
    return Diagnosis(
        topic=facts.topic,
        code=code,
        matter="topic-missing",
        state=State.WRONG,
        headline=f"{facts.topic} has partitions 0 to {have - 1}"
        + (
            f", and partition {asked} was asked for."
            if asked is not None
            else ", not the one that was asked for."
        ),
        at_us=facts.at_us,
        facts=(*fault_evidence(facts), *replica_facts(facts)),
        partitions=partition_evidence(facts),
        findings=("The partition was chosen by the caller or its partitioner, not by librdkafka.",),
        options=(
            Option(
                "Correct the partition that the producer names, or let the partitioner choose",
                "Nothing.",
                Safety.SAFE,
                commands.describe_topic(),
            ),
            Option(
                f"Add partitions, up to {wanted}",
                "Keys move to other partitions, so their order is broken once; it cannot be "
                "undone.",
                Safety.CAREFUL,
                commands.add_partitions(wanted),
            ),
        ),
    )


def topic_is_there(facts: LiveFacts, code: str) -> Diagnosis:
    """It was reported missing, and is there now."""
    created = next((row for row in facts.changes if row.kind == "topic_created"), None)
    told = created is not None and created.topic == facts.topic
    return Diagnosis(
        topic=facts.topic,
        code=code,
        matter="topic-missing",
        state=State.PASSED,
        headline=f"{facts.topic} exists now, with {len(facts.partitions)} partitions"
        + (f"; it was made at {clock(created.at_us)}." if told and created is not None else "."),
        at_us=facts.at_us,
        facts=(*fault_evidence(facts), *replica_facts(facts)),
        partitions=partition_evidence(facts),
        findings=(
            "A running producer learns of it when it refreshes its metadata "
            "(topic.metadata.refresh.interval.ms, 5 minutes by default) or at its next attempt.",
        ),
        options=_undo(facts),
        not_known=()
        if told
        else ("Why it was missing: the history of changes does not hold its making.",),
    )


def near_names(facts: LiveFacts) -> list[str]:
    """Names of topics that are like the one asked for, the likest first."""
    if facts.view is None:
        return []
    wanted = facts.topic.lower()
    # quick_ratio is an upper bound: it spares ten thousand names the full comparison.
    scored = []
    for topic in facts.view.topics:
        if topic.internal or topic.name == facts.topic or topic.error is not None:
            continue
        matcher = SequenceMatcher(None, wanted, topic.name.lower())
        if matcher.real_quick_ratio() >= NEAR and matcher.quick_ratio() >= NEAR:
            scored.append((matcher.ratio(), topic.name))
    return [name for ratio, name in sorted(scored, reverse=True) if ratio >= NEAR][:MOST_NEAR]


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _auto_create(facts: LiveFacts) -> str | None:
    for broker in facts.brokers:
        setting = (broker.settings or {}).get("auto.create.topics.enable")
        if setting is not None:
            return setting.value
    return None


def _wanted(facts: LiveFacts) -> tuple[int, int, int]:
    """Partitions, replication factor, min.insync.replicas: what a profile asks, or usual ones."""
    client: ClientFacts | None = facts.clients[0] if facts.clients else None
    alive = len(facts.view.brokers) if facts.view is not None else 3
    factor = min(client.replication_factor if client is not None else 3, max(alive, 1))
    least = min(client.min_insync_replicas if client is not None else 2, factor)
    return (client.partitions if client is not None else 6), factor, least


def _undo(facts: LiveFacts) -> tuple[Option, ...]:
    return tuple(
        Option(
            "Undo the injected fault",
            "Nothing: it puts back what was there.",
            Safety.SAFE,
            undo_fault={"kind": fault["kind"], "topic": fault["topic"]},
        )
        for fault in facts.faults
        if fault.get("topic") == facts.topic
    )
