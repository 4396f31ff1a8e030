"""Too few replicas in sync, no leader, or a replica missing: what the metadata tells."""

from __future__ import annotations

from producer_agent.advice.diagnosis.diagnosis import (
    Diagnosis,
    Evidence,
    Option,
    Safety,
    State,
    StillWorks,
)
from producer_agent.advice.diagnosis.evidence import (
    TopicState,
    bring_back,
    broker_words,
    clock,
    fault_evidence,
    lasting,
    missing_brokers,
    names,
    numbers,
    partition_evidence,
    replica_facts,
    topic_state,
)
from producer_agent.advice.diagnosis.kafka_commands import KafkaCommands
from producer_agent.advice.diagnosis.live_facts import LiveFacts
from producer_agent.kafka.cluster_view import PartitionView


def under_min_isr(facts: LiveFacts, code: str | None) -> Diagnosis:
    """acks=all is refused: fewer replicas in sync than min.insync.replicas."""
    state = topic_state(facts)
    least = facts.min_insync_replicas
    bad = state.under_min_isr
    fewest = min((len(partition.isrs) for partition in bad), default=0)
    missing = missing_brokers(facts)
    factor = max((len(partition.replicas) for partition in facts.partitions), default=0)
    who = (
        f"{names(broker.id for broker in missing)} "
        f"{'are' if len(missing) > 1 else 'is'} not in sync"
        if missing
        else f"the topic has only {factor} replica{'s' if factor != 1 else ''} a partition"
    )
    findings = [f"Broker {broker.id}: {broker_words(facts, broker)}." for broker in missing]
    findings += _shrunk_since(facts, bad)
    if least is not None and factor < least:
        findings.append(
            f"min.insync.replicas ({least}) is above the replication factor ({factor}): acks=all "
            "can never succeed on this topic, whatever brokers are up."
        )
    findings += [
        f"Profile {client.profile} sends with acks=all: it "
        + (
            f"retries for {client.delivery_timeout_ms / 1000:g} s (delivery.timeout.ms), then "
            "reports _MSG_TIMED_OUT."
            if client.retries
            else "does not retry, and reports the broker's refusal at once."
        )
        for client in facts.clients
        if client.acks == "all"
    ]
    return Diagnosis(
        topic=facts.topic,
        code=code,
        matter="under-min-isr",
        state=State.WRONG,
        headline=f"acks=all is refused on {numbers(bad)} of {facts.topic}: {fewest} of {factor} "
        f"replicas in sync, {least} needed. Reason: {who}.",
        at_us=facts.at_us,
        facts=(*fault_evidence(facts), *replica_facts(facts)),
        partitions=partition_evidence(facts),
        findings=tuple(findings),
        still_works=_still_works(bad, state),
        options=tuple(_options(facts, state, bad, factor)),
        not_known=_not_known(facts),
    )


def leaderless(facts: LiveFacts, code: str | None) -> Diagnosis:
    """No broker leads: nothing at all can be written or read there."""
    state = topic_state(facts)
    bad = state.leaderless
    missing = missing_brokers(facts)
    waiting_for = sorted({broker for partition in bad for broker in partition.isrs})
    lost = [f"Broker {broker.id}: {broker_words(facts, broker)}." for broker in missing]
    error = facts.topic_view.error if facts.topic_view is not None else None
    commands = KafkaCommands(facts)
    options = bring_back(facts, missing)
    if waiting_for:
        options.append(
            Option(
                f"Only if {names(waiting_for)} will never come back: elect a leader from outside "
                "the in-sync replicas",
                "Every record that only the lost brokers had is gone for good, also acknowledged "
                "ones, and consumers may see offsets again with other records.",
                Safety.DANGEROUS,
                " && ".join(commands.elect(partition.id, unclean=True) for partition in bad[:5]),
            )
        )
    return Diagnosis(
        topic=facts.topic,
        code=code,
        matter="leaderless",
        state=State.WRONG,
        headline=(
            f"{numbers(bad).capitalize()} of {facts.topic} "
            f"{'has' if len(bad) == 1 else 'have'} no leader: nothing can be written or read there"
            if bad
            else f"{facts.topic} is there, and the cluster tells no partition of it ({error})"
        )
        + (f" until {names(waiting_for)} (the last in sync) is back." if waiting_for else "."),
        at_us=facts.at_us,
        facts=(*fault_evidence(facts), *replica_facts(facts)),
        partitions=partition_evidence(facts),
        findings=(
            *lost,
            "A leader is taken from the in-sync replicas alone (unclean.leader.election.enable is "
            "off unless somebody turned it on), so that no acknowledged record is lost.",
        ),
        still_works=(
            (
                StillWorks(
                    "The other partitions of the topic take records.",
                    "Records with keys of the leaderless ones wait, then fail with _MSG_TIMED_OUT.",
                ),
            )
            if len(bad) < len(facts.partitions)
            else ()
        ),
        options=(*options, _wait("a clean election takes a second or two once one is back")),
        not_known=_not_known(facts),
    )


def replica_missing(facts: LiveFacts, code: str | None) -> Diagnosis:
    """It works, with less to spare than the topic was made for."""
    state = topic_state(facts)
    bad = state.lacking
    missing = missing_brokers(facts)
    least = facts.min_insync_replicas
    spare = min((len(partition.isrs) - (least or 1) for partition in facts.partitions), default=0)
    return Diagnosis(
        topic=facts.topic,
        code=code,
        matter="replica-missing",
        state=State.RISK,
        headline=f"{facts.topic} takes records with a replica missing on {numbers(bad)} "
        f"({names(broker.id for broker in missing)}): "
        + (
            "acks=all fails as soon as one more broker is lost."
            if spare <= 0
            else f"{spare} more may be lost before acks=all fails."
        ),
        at_us=facts.at_us,
        facts=(*fault_evidence(facts), *replica_facts(facts)),
        partitions=partition_evidence(facts),
        findings=tuple(f"Broker {broker.id}: {broker_words(facts, broker)}." for broker in missing),
        still_works=(StillWorks("Every acks level.", "Fewer copies of each record than asked."),),
        options=(*bring_back(facts, missing), _wait("a replica that lags catches up by itself")),
        not_known=_not_known(facts),
    )


def replicas_recovered(facts: LiveFacts, code: str) -> Diagnosis:
    """It was refused for want of replicas, and there are enough now."""
    shrank = [row for row in facts.changes if row.kind in ("isr_shrank", "broker_left")]
    grew = [row for row in facts.changes if row.kind in ("isr_grew", "broker_joined")]
    findings = [
        f"{'The in-sync replicas' if row.kind.startswith('isr') else f'Broker {row.broker}'} "
        f"{words} at {clock(row.at_us)}."
        for rows, words in ((shrank, "last fell away"), (grew, "last came back"))
        for row in rows[:1]
    ]
    return Diagnosis(
        topic=facts.topic,
        code=code,
        matter="under-min-isr",
        state=State.PASSED,
        headline=f"It is over: every partition of {facts.topic} has a leader and at least "
        f"{facts.min_insync_replicas or 'the needed number of'} replicas in sync now. "
        "What failed meanwhile can be replayed.",
        at_us=facts.at_us,
        facts=(*fault_evidence(facts), *replica_facts(facts)),
        partitions=partition_evidence(facts),
        findings=tuple(findings),
        not_known=(
            *_not_known(facts),
            *(
                ()
                if findings
                else ("The history of changes does not hold what was missing at the time.",)
            ),
        ),
    )


def _still_works(bad: tuple[PartitionView, ...], state: TopicState) -> tuple[StillWorks, ...]:
    leads = sorted({partition.leader for partition in bad if partition.leader is not None})
    if not leads:
        return ()
    works = [
        StillWorks(
            "acks=1 works: the leaders are there and take records.",
            f"Each record is then on {names(leads)} alone until the others are back: if "
            f"{'that broker is' if len(leads) == 1 else 'one of those is'} lost, so is what was "
            "acknowledged meanwhile.",
        ),
        StillWorks("Reading works.", "Nothing: what was acknowledged is there."),
    ]
    if state.leaderless:
        works.append(
            StillWorks("Not on every partition.", f"{numbers(state.leaderless)} has no leader.")
        )
    return tuple(works)


def _options(
    facts: LiveFacts, state: TopicState, bad: tuple[PartitionView, ...], factor: int
) -> list[Option]:
    commands = KafkaCommands(facts)
    least = facts.min_insync_replicas or 1
    options = bring_back(facts, missing_brokers(facts))
    if facts.kind == "embedded":
        return options
    options.append(
        _wait(
            "records wait in the producer until delivery.timeout.ms runs out, then go to the "
            "dead-letter queue, from where they can be replayed"
        )
    )
    alive = {broker.id for broker in facts.brokers if broker.listed and broker.answers is not False}
    alive |= {broker.id for broker in facts.view.brokers} if facts.view is not None else set()
    silent = {broker.id for broker in facts.brokers if broker.answers is False}
    moved = {}
    for partition in bad:
        kept = [broker for broker in partition.replicas if broker in alive - silent]
        free = sorted(alive - silent - set(partition.replicas))
        if free and len(kept) < len(partition.replicas):
            moved[partition.id] = (kept + free)[: len(partition.replicas)]
    if moved:
        options.append(
            Option(
                "Give the missing replicas to brokers that are up",
                "Copies the partitions over the network, which loads the brokers; takes as long "
                "as they are large. The missing brokers' copies are deleted when they return.",
                Safety.CAREFUL,
                commands.reassign(moved),
            )
        )
    fewest = min((len(partition.isrs) for partition in bad), default=1)
    if 1 <= fewest < least:
        options.append(
            Option(
                f"Lower min.insync.replicas to {fewest}",
                f"acks=all is then acknowledged with {fewest} cop"
                f"{'y' if fewest == 1 else 'ies'}: if the broker that has it is lost, so are "
                f"records that were acknowledged. Set it back to {least} as soon as the brokers "
                f"are back: {commands.set_topic('min.insync.replicas', str(least))}",
                Safety.DANGEROUS,
                commands.set_topic("min.insync.replicas", str(fewest)),
            )
        )
    if least > factor > 0:
        options.insert(
            0,
            Option(
                f"Set min.insync.replicas to {max(factor - 1, 1)}, below the replication factor",
                "Nothing is lost by it that the topic could have kept; more replicas would be "
                "better (kafka-reassign-partitions.sh).",
                Safety.SAFE,
                commands.set_topic("min.insync.replicas", str(max(factor - 1, 1))),
            ),
        )
    return options


def _wait(why: str) -> Option:
    return Option("Wait", f"Nothing is put at risk: {why}.", Safety.SAFE)


def _shrunk_since(facts: LiveFacts, bad: tuple[PartitionView, ...]) -> list[str]:
    ids = {partition.id for partition in bad}
    for row in facts.changes:
        moves = row.detail.get("moves", {}) if row.topic == facts.topic else {}
        if row.kind == "isr_shrank" and any(ids & set(listed) for listed in moves.values()):
            return [
                f"The in-sync replicas last shrank at {clock(row.at_us)}, "
                f"{lasting(facts, row.at_us)} now."
            ]
    return []


def _not_known(facts: LiveFacts) -> tuple[str, ...]:
    told = []
    if facts.min_insync_replicas is None and facts.kind != "embedded":
        told.append(
            "min.insync.replicas was not told"
            + (f" ({facts.settings_error})" if facts.settings_error else "")
            + ", so whether acks=all is accepted can only be seen by sending."
        )
    if facts.watched_since_us is None:
        told.append("No agent has watched this cluster, so there is no history of changes.")
    return tuple(told)


def age_of_metadata(facts: LiveFacts) -> list[Evidence]:
    """That the metadata is an old one, where no broker answers now."""
    if facts.unreachable is None or facts.view_us is None:
        return []
    return [Evidence("last metadata", clock(facts.view_us), "an earlier look", facts.view_us)]
