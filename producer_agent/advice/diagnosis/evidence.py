"""What several rules read out of the live facts: partitions judged, brokers missing, in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from producer_agent.advice.diagnosis.diagnosis import (
    LISTED_PARTITIONS,
    Evidence,
    Option,
    PartitionEvidence,
    Safety,
)
from producer_agent.advice.diagnosis.kafka_commands import KafkaCommands
from producer_agent.advice.diagnosis.live_facts import BrokerFacts, LiveFacts
from producer_agent.kafka.cluster_view import PartitionView

_RANKS = ("no leader", "under min ISR", "replica missing", "in sync")


@dataclass(frozen=True, slots=True)
class TopicState:
    """The topic's partitions, judged."""

    leaderless: tuple[PartitionView, ...]
    under_min_isr: tuple[PartitionView, ...]
    """That have a leader, and fewer replicas in sync than min.insync.replicas."""
    lacking: tuple[PartitionView, ...]
    """That miss a replica, and have enough all the same."""
    missing: tuple[int, ...]
    """Brokers that hold a replica of one of these and are not in sync with it."""


def topic_state(facts: LiveFacts) -> TopicState:
    """Judge the partitions by leader, in-sync replicas and min.insync.replicas."""
    by_rank: dict[int, list[PartitionView]] = {rank: [] for rank in range(4)}
    for partition in facts.partitions:
        by_rank[_rank(partition, facts.min_insync_replicas)].append(partition)
    return TopicState(
        tuple(by_rank[0]),
        tuple(by_rank[1]),
        tuple(by_rank[2]),
        tuple(
            sorted(
                {
                    broker
                    for rank in (0, 1, 2)
                    for partition in by_rank[rank]
                    for broker in set(partition.replicas) - set(partition.isrs)
                }
                | {
                    broker.id
                    for broker in facts.brokers
                    if not broker.listed
                    and any(broker.id in partition.replicas for partition in facts.partitions)
                }
            )
        ),
    )


def partition_evidence(facts: LiveFacts) -> tuple[PartitionEvidence, ...]:
    """The partitions, the worst first, as many as are listed."""
    ranked = sorted(
        (
            (_rank(partition, facts.min_insync_replicas), partition)
            for partition in facts.partitions
        ),
        key=lambda pair: (pair[0], pair[1].id),
    )
    return tuple(
        PartitionEvidence(
            partition.id, partition.leader, partition.replicas, partition.isrs, _RANKS[rank]
        )
        for rank, partition in ranked[:LISTED_PARTITIONS]
    )


def replica_facts(facts: LiveFacts) -> list[Evidence]:
    """Replication factor, min.insync.replicas, and each broker that is missing with its story."""
    found = []
    if facts.partitions:
        factors = sorted({len(partition.replicas) for partition in facts.partitions})
        found.append(
            Evidence(
                "replication factor",
                " to ".join(str(factor) for factor in dict.fromkeys((factors[0], factors[-1]))),
                "metadata",
                facts.view_us,
            )
        )
    found.append(setting_fact(facts, "min.insync.replicas"))
    found += [broker_fact(facts, broker) for broker in missing_brokers(facts)]
    return found


def setting_fact(facts: LiveFacts, name: str) -> Evidence:
    """A setting of the topic with where it was set, or that it is not known."""
    setting = (facts.settings or {}).get(name)
    if setting is None:
        why = facts.settings_error or "the cluster does not tell it"
        return Evidence(name, "not known", why)
    return Evidence(name, setting.value, setting.source, facts.at_us)


def missing_brokers(facts: LiveFacts) -> list[BrokerFacts]:
    """Brokers that hold replicas of the topic and are not in sync, not listed or silent."""
    wanted = set(topic_state(facts).missing) | {
        broker.id for broker in facts.brokers if broker.answers is False
    }
    return [
        facts.broker(number) or BrokerFacts(number, None, listed=False, answers=None)
        for number in sorted(wanted)
    ]


def broker_fact(facts: LiveFacts, broker: BrokerFacts) -> Evidence:
    """What is the matter with one broker, and since when."""
    return Evidence(
        f"broker {broker.id}" + (f" ({broker.address})" if broker.address else ""),
        broker_words(facts, broker),
        "asked just now and the history of changes",
        facts.at_us,
    )


def broker_words(facts: LiveFacts, broker: BrokerFacts) -> str:
    """``missing since 13:22:05 UTC, for 40 s; its port refuses connections``."""
    if broker.listed and broker.answers:
        return "alive and answers, and is not in sync (it catches up, or cannot keep up)"
    if broker.listed and broker.answers is False:
        return (
            "counted as alive by the cluster, yet did not answer just now"
            + (f" ({broker.error})" if broker.error else "")
            + ": it hangs, or has just died and the controller has not noticed yet"
        )
    if broker.listed:
        return "counted as alive by the cluster, and not in sync"
    if broker.left is not None:
        words = f"missing since {clock(broker.left.at_us)}, {lasting(facts, broker.left.at_us)}"
        if broker.left.after_us is not None:
            gap_s = (broker.left.at_us - broker.left.after_us) / 1e6
            words += f" (seen to within {gap_s:.1f} s)" if gap_s >= 0.5 else ""
    elif broker.last_seen_us is not None:
        words = f"missing since just now: at {clock(broker.last_seen_us)} it was still there"
    elif facts.watched_since_us is not None:
        words = (
            f"missing already when watching began at {clock(facts.watched_since_us)}; "
            "since when is not known"
        )
    else:
        words = "missing; since when is not known, as no agent has watched the cluster"
    if broker.port is not None:
        words += f"; its port {broker.port}" + {
            "refuses connections": ": no process listens there",
            "accepts connections": ": its process is there and hangs, starts, or is fenced",
        }.get(broker.port, ": its host or the network is gone")
    return words


def bring_back(facts: LiveFacts, brokers: Iterable[BrokerFacts]) -> list[Option]:
    """One option a broker that is missing: what brings it back."""
    commands = KafkaCommands(facts)
    options = []
    for broker in brokers:
        if broker.listed and broker.answers:
            continue
        undo = next(
            (
                fault
                for fault in facts.faults
                if fault.get("node") == broker.id and fault["kind"].startswith("node_")
            ),
            None,
        )
        hangs = broker.listed or broker.port == "accepts connections"
        options.append(
            Option(
                title=f"{'Let broker' if hangs else 'Start broker'} {broker.id} "
                f"{'go on, or restart it' if hangs else ''}".rstrip(),
                costs="Nothing is put at risk. It catches up from the leader before it counts as "
                "in sync; that takes as long as what it missed is large.",
                safety=Safety.SAFE,
                command=commands.resume(broker) or commands.start(broker)
                if hangs
                else commands.start(broker),
                undo_fault=None
                if undo is None
                else {key: undo[key] for key in ("kind", "topic", "node") if undo.get(key)},
            )
        )
    return options


def fault_evidence(facts: LiveFacts) -> list[Evidence]:
    """Injected faults in force: whoever injected them should be reminded first."""
    return [
        Evidence(
            "injected fault in force",
            " ".join(
                str(fault[key]) for key in ("kind", "topic", "node") if fault.get(key) is not None
            ),
            "the fault list",
            fault["since_us"],
        )
        for fault in facts.faults
        if fault.get("topic") in (None, facts.topic)
    ]


def numbers(partitions: Sequence[PartitionView]) -> str:
    """``partition 3``, ``partitions 0, 1 and 2``, ``14 partitions``."""
    ids = [str(partition.id) for partition in partitions]
    if len(ids) == 1:
        return f"partition {ids[0]}"
    if len(ids) > 6:
        return f"{len(ids)} partitions"
    return f"partitions {', '.join(ids[:-1])} and {ids[-1]}"


def names(brokers: Iterable[int]) -> str:
    """``broker 2``, ``brokers 2 and 3``."""
    ids = [str(broker) for broker in brokers]
    if len(ids) <= 1:
        return f"broker {ids[0]}" if ids else "no broker"
    return f"brokers {', '.join(ids[:-1])} and {ids[-1]}"


def clock(at_us: int) -> str:
    """``2026-11-24 13:22:05 UTC``."""
    return datetime.fromtimestamp(at_us / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def lasting(facts: LiveFacts, since_us: int) -> str:
    """``for 40 s``."""
    return f"for {duration(max(facts.at_us - since_us, 0) / 1e6)}"


def duration(seconds: float) -> str:
    """``0.4 s``, ``40 s``, ``12 min``, ``3.5 h``."""
    if seconds < 1:
        return f"{seconds:.1g} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _rank(partition: PartitionView, least: int | None) -> int:
    if partition.leader is None:
        return 0
    if least is not None and len(partition.isrs) < least:
        return 1
    return 2 if len(partition.isrs) < len(partition.replicas) else 3
