"""What is different about a cluster since the last look: pure comparison, no Kafka and no SQL."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from producer_agent.kafka.cluster_view import ClusterView
from producer_agent.store.cluster_changes import (
    LISTED_PARTITIONS,
    LISTED_TOPICS,
    Change,
    PartitionState,
)

States = Mapping[tuple[str, int], PartitionState]


@dataclass(frozen=True, slots=True)
class Seen:
    """A cluster as one look found it."""

    brokers: Mapping[int, str]
    """Addresses by id, of the brokers that are alive in the metadata."""
    states: States
    """By topic and partition."""


@dataclass(frozen=True, slots=True)
class Differences:
    """What a look found changed."""

    changes: tuple[Change, ...]
    """For people."""
    states: tuple[PartitionState, ...]
    """Each partition that is new, otherwise than before, or gone (then without replicas)."""


def seen_in(view: ClusterView, before: Seen | None = None) -> Seen:
    """What a view shows.

    A topic that the cluster answers for with an error (an election under way, or no permission to
    see it) is taken to be as it was before: such an answer tells nothing of its partitions.
    """
    states = {
        (topic.name, partition.id): PartitionState(
            topic.name, partition.id, partition.leader, partition.isrs, partition.replicas
        )
        for topic in view.topics
        if topic.error is None
        for partition in topic.partitions
    }
    untold = {topic.name for topic in view.topics if topic.error is not None}
    if before is not None and untold:
        states.update({key: state for key, state in before.states.items() if key[0] in untold})
    return Seen({broker.id: f"{broker.host}:{broker.port}" for broker in view.brokers}, states)


def differences(before: Seen, after: Seen) -> Differences:
    """What changed between two looks: brokers first, then topics, then their partitions."""
    changed = [
        (before.states.get(key), state)
        for key, state in after.states.items()
        if before.states.get(key) != state
    ]
    gone = [state for key, state in before.states.items() if key not in after.states]
    return Differences(
        changes=(
            *_brokers(before.brokers, after.brokers),
            *_topics(before.states, after.states, [state for _, state in changed], gone),
            *_partitions([(old, new) for old, new in changed if old is not None]),
        ),
        states=(
            *(state for _, state in changed),
            *(PartitionState(state.topic, state.partition, None, (), ()) for state in gone),
        ),
    )


def setting_changes(
    before: Mapping[str, Mapping[str, str]], after: Mapping[str, Mapping[str, str]]
) -> list[Change]:
    """Settings of topics that were seen both times and differ."""
    return [
        Change(
            "setting_changed",
            topic=topic,
            detail={"name": name, "before": before[topic][name], "after": value},
        )
        for topic, settings in sorted(after.items())
        if topic in before
        for name, value in sorted(settings.items())
        if name in before[topic] and before[topic][name] != value
    ]


def _brokers(before: Mapping[int, str], after: Mapping[int, str]) -> Iterable[Change]:
    for broker in sorted(before.keys() - after.keys()):
        yield Change("broker_left", broker=broker, detail={"address": before[broker]})
    for broker in sorted(after.keys() - before.keys()):
        yield Change("broker_joined", broker=broker, detail={"address": after[broker]})


def _topics(
    before: States, after: States, changed: list[PartitionState], gone: list[PartitionState]
) -> list[Change]:
    """Topics that came, grew or went; only those of which a partition changed are looked at."""
    touched = {state.topic for state in changed} | {state.topic for state in gone}
    had = _counts(before, touched)
    have = _counts(after, touched)
    factors = {state.topic: len(state.replicas) for state in changed if state.topic not in had}
    came = [
        Change(
            "topic_created",
            topic=topic,
            detail={"partitions": have[topic], "replication_factor": factors[topic]},
        )
        for topic in sorted(have.keys() - had.keys())
    ]
    went = [
        Change("topic_deleted", topic=topic, detail={"partitions": had[topic]})
        for topic in sorted(had.keys() - have.keys())
    ]
    grew = [
        Change("partitions_added", topic=topic, detail={"before": had[topic], "after": have[topic]})
        for topic in sorted(had.keys() & have.keys())
        if have[topic] > had[topic]
    ]
    return [*_summed_topics(came), *_summed_topics(went), *_summed_topics(grew)]


def _counts(states: States, topics: set[str]) -> dict[str, int]:
    counts: dict[str, int] = defaultdict(int)
    for topic, _ in states:
        if topic in topics:
            counts[topic] += 1
    return dict(counts)


def _summed_topics(changes: list[Change]) -> list[Change]:
    if len(changes) <= LISTED_TOPICS:
        return changes
    return [Change(changes[0].kind, detail={"topics": len(changes)})]


_Moves = dict[str, list[int]]


def _partitions(pairs: list[tuple[PartitionState, PartitionState]]) -> Iterable[Change]:
    found: dict[str, dict[str, _Moves]] = defaultdict(lambda: defaultdict(dict))

    def note(kind: str, state: PartitionState, old: str, new: str) -> None:
        found[kind][state.topic].setdefault(f"{old} > {new}", []).append(state.partition)

    for old, new in pairs:
        if old.leader != new.leader:
            note("leaders_changed", new, _leader(old.leader), _leader(new.leader))
        if set(old.replicas) != set(new.replicas):
            note("replicas_changed", new, _ids(old.replicas), _ids(new.replicas))
        # A replica that another takes the place of is both: it says which, so it is told as grown
        # only if more are in sync than before.
        if set(old.isrs) != set(new.isrs):
            kind = "isr_grew" if len(new.isrs) > len(old.isrs) else "isr_shrank"
            note(kind, new, _ids(old.isrs), _ids(new.isrs))
    for kind in ("leaders_changed", "isr_shrank", "isr_grew", "replicas_changed"):
        by_topic = found.get(kind, {})
        if len(by_topic) > LISTED_TOPICS:
            yield _over_topics(kind, by_topic)
        else:
            yield from (_of_topic(kind, topic, by_topic[topic]) for topic in sorted(by_topic))


def _of_topic(kind: str, topic: str, moves: _Moves) -> Change:
    listed: dict[str, list[int]] = {}
    room = LISTED_PARTITIONS
    for move, partitions in sorted(moves.items()):
        if room > 0:
            listed[move] = sorted(partitions)[:room]
            room -= len(partitions)
    return Change(
        kind, topic=topic, partitions=sum(map(len, moves.values())), detail={"moves": listed}
    )


def _over_topics(kind: str, by_topic: Mapping[str, _Moves]) -> Change:
    totals: dict[str, int] = defaultdict(int)
    for moves in by_topic.values():
        for move, partitions in moves.items():
            totals[move] += len(partitions)
    most = sorted(totals.items(), key=lambda item: -item[1])[:LISTED_PARTITIONS]
    detail: dict[str, Any] = {"topics": len(by_topic), "moves": dict(most)}
    return Change(kind, partitions=sum(totals.values()), detail=detail)


def _leader(broker: int | None) -> str:
    return "none" if broker is None else str(broker)


def _ids(brokers: Iterable[int]) -> str:
    return ",".join(map(str, sorted(brokers))) or "none"
