"""``dead-letters groups``: what failed, by cause."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from producer_agent.store.clock import now_us
from producer_agent.store.database import open_database
from tests.cli.conftest import Invoke, document
from tests.cli.exported_letters import (
    HARM,
    OWN,
    change,
    exported,
    seed,
    store,
)
from tests.cli.test_docs import DOCS, example, keys_of
from tests.cli.test_output import is_harmless
from tests.dashboard import letter_seed
from tests.dashboard.letter_seed import failed_event
from tests.dead_letters.test_conventions_samples import SAMPLES


@pytest.fixture
def samples(db_path: Path) -> Path:
    """A dead letter of every framework there is a sample of, as it wrote it."""
    store(db_path, [sample.record for sample in SAMPLES], topic_id="AbC")
    return db_path


@pytest.fixture
def own(db_path: Path) -> Path:
    """Six dead letters of our own publisher: four causes, three topics, three profiles."""
    seed(db_path, [failed_event(sequence) for sequence in range(OWN)])
    return db_path


def grouped(invoke: Invoke, *options: object) -> Any:
    return document(invoke("dead-letters", "groups", "--json", *options))


def test_letters_are_grouped_by_cause_the_most_frequent_first(invoke: Invoke, own: Path) -> None:
    change(own, "UPDATE dead_letters SET stored_us = id * 1000000")
    db = open_database(own)
    letter_seed.replayed(db, 1, "done")
    db.close()
    told = grouped(invoke)
    assert (told["total"], told["causes"]) == (OWN, 4)
    assert [group["count"] for group in told["groups"]] == [2, 2, 1, 1]
    # Alike in number: the latest seen first. Letters 2 and 6 have one cause, 1 and 5 another.
    assert [group["last_seen_us"] for group in told["groups"]] == [
        6_000_000,
        5_000_000,
        4_000_000,
        3_000_000,
    ]
    group = told["groups"][1]
    assert (group["first_seen_us"], group["side"]) == (1_000_000, "producer")
    assert group["conventions"] == ["ackboard"]
    assert group["topics"] == [
        {"topic": "task-analytics", "count": 1},
        {"topic": "task-events", "count": 1},
    ]
    assert group["statuses"] == [
        {"status": "new", "count": 1},
        {"status": "replayed", "count": 1},
    ]
    assert group["title"].startswith("_UNKNOWN_PARTITION")
    assert group["fingerprint"] == exported(invoke)[0]["cause_id"]


def test_first_and_last_are_those_of_the_whole_cause(invoke: Invoke, own: Path) -> None:
    # Whichever of its topics the database tells first.
    for order, (first, last) in {"id": (1, 5), "7 - id": (2, 6)}.items():
        change(own, f"UPDATE dead_letters SET stored_us = {order}")
        cause = exported(invoke, "--cause", "_UNKNOWN_PARTITION")[0]["cause_id"]
        (group,) = (g for g in grouped(invoke)["groups"] if g["fingerprint"] == cause)
        assert (group["first_seen_us"], group["last_seen_us"]) == (first, last)


@pytest.mark.parametrize(
    ("options", "total"),
    [
        (["--topic", "task-events"], 2),
        (["--status", "replayed"], 1),
        (["--since", "1h"], 5),
        (["--topic", "none"], 0),
    ],
)
def test_each_filter_of_the_groups_keeps_its_own(
    invoke: Invoke, own: Path, options: list[str], total: int
) -> None:
    db = open_database(own)
    letter_seed.replayed(db, 1, "done")
    db.close()
    hours_ago = now_us() - 7_200_000_000
    change(own, "UPDATE dead_letters SET stored_us = ? WHERE id = 6", hours_ago)
    told = grouped(invoke, *options)
    assert told["total"] == total == sum(group["count"] for group in told["groups"])


def test_a_limit_cuts_the_groups_and_says_what_there_is(invoke: Invoke, own: Path) -> None:
    told = grouped(invoke, "--limit", "1")
    assert len(told["groups"]) == 1
    assert (told["total"], told["causes"]) == (OWN, 4)
    text = invoke("dead-letters", "groups", "--limit", "1").stdout
    assert "1 of 4 causes shown, of 6 dead letters." in text


def test_the_groups_of_every_framework_read_harmlessly(invoke: Invoke, samples: Path) -> None:
    seed(samples, [failed_event(0, error=f"{HARM} [bold]x[/]", topic="t\x1b[2J")])
    result = invoke("dead-letters", "groups")
    assert is_harmless(result.stdout)
    assert "t\\x1b[2J 1" in result.stdout
    assert "kafka-connect; consumer side" in result.stdout
    assert "not known 1" in result.stdout  # what Connect wrote without its context headers
    assert grouped(invoke)["total"] == len(SAMPLES) + 1
    assert "No dead letter matches." in invoke("dead-letters", "groups", "--topic", "no").stdout


def test_the_documented_groups_have_the_keys_there_are(invoke: Invoke, own: Path) -> None:
    assert keys_of(grouped(invoke)) == keys_of(example("dead-letters", "groups"))
    assert "dead-letters export" in DOCS
