from __future__ import annotations

from typing import Any

from dashboard.cluster.topic_health import judged


def topic(name: str, *partitions: tuple[int | None, int], least: int | None = 2) -> dict[str, Any]:
    """A topic of the cluster fact; each partition as its leader and number in sync, of three."""
    return {
        "name": name,
        "internal": name.startswith("__"),
        "min_insync_replicas": least,
        "partitions": [
            {"id": at, "leader": leader, "replicas": [1, 2, 3], "isrs": list(range(1, in_sync + 1))}
            for at, (leader, in_sync) in enumerate(partitions)
        ],
    }


def test_the_worst_comes_first_and_kafkas_own_topics_last_among_equals() -> None:
    found = judged(
        [
            topic("__offsets", (1, 3)),
            topic("whole", (1, 3)),
            topic("lacking", (1, 3), (2, 2)),
            topic("under", (1, 1)),
            topic("leaderless", (1, 3), (None, 1)),
        ]
    )
    assert [item.name for item in found] == [
        "leaderless",
        "under",
        "lacking",
        "whole",
        "__offsets",
    ]
    assert [item.words for item in found] == [
        "1 of 2 without leader",
        "1 of 1 under min ISR",
        "1 of 2 miss a replica",
        "in sync",
        "in sync",
    ]


def test_the_sick_partition_of_a_topic_comes_first() -> None:
    (found,) = judged([topic("t", (1, 3), (2, 1), (None, 0))])
    assert [(part.id, part.words) for part in found.partitions] == [
        (2, "no leader"),
        (1, "under min ISR"),
        (0, "in sync"),
    ]
    assert found.fewest_isr == 0


def test_without_a_known_minimum_nothing_is_said_to_be_under_it() -> None:
    (found,) = judged([topic("t", (1, 1), least=None)])
    assert found.words == "1 of 1 miss a replica"


def test_a_topic_without_partitions_can_take_nothing() -> None:
    (found,) = judged([topic("t")])
    assert (found.rank, found.words) == (0, "no partitions")
