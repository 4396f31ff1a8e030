"""Why a record failed, from its life alone."""

from __future__ import annotations

from typing import Any

import pytest

from producer_agent.advice.diagnosis.diagnosis import Diagnosis, State
from producer_agent.advice.diagnosis.when_it_failed import (
    as_it_was,
    why_it_failed,
    why_the_last_failed,
)
from producer_agent.store.reader import Reader
from producer_agent.store.writer import Writer
from tests.advice.diagnosis.builders import NOW_US, cause, record

SOON_US = NOW_US + 60_000_000


def told(*causes: dict[str, Any], **event: Any) -> Diagnosis:
    return as_it_was(record(*causes, **event), SOON_US)


def test_a_time_out_is_told_by_its_attempts_and_is_as_of_its_outcome() -> None:
    found = told(cause("NOT_ENOUGH_REPLICAS", 38), stored="no")
    assert found.headline.startswith("Missing replicas: the leader refused it 38 times")
    assert (found.state, found.at_us) == (State.PASSED, NOW_US)
    assert any("can be sent again" in finding for finding in found.findings)
    assert not any(fact.label == "min.insync.replicas" for fact in found.facts)
    assert not found.partitions


@pytest.mark.parametrize(
    ("code", "outcome", "words"),
    [
        ("NOT_ENOUGH_REPLICAS", "failed", "The broker refused it (NOT_ENOUGH_REPLICAS): "),
        ("_UNKNOWN_PARTITION", "failed", "The client refused it (_UNKNOWN_PARTITION): "),
        ("MSG_SIZE_TOO_LARGE", "rejected", "produce() refused it, so it was never sent (MSG"),
        ("MADE_UP", "failed", "The broker refused it (MADE_UP)."),
    ],
)
def test_another_code_is_told_by_who_refused_it(code: str, outcome: str, words: str) -> None:
    found = told(code=code, outcome=outcome, stored="no")
    assert found.headline.startswith(words)
    assert found.headline.endswith(".")
    assert not found.headline.endswith("..")


def test_replicas_that_were_missing_then_are_told() -> None:
    states = ((3000.0, (1, (1, 2, 3))), (20.0, (1, (1,))), (10.0, (None, ())))
    found = told(code="NOT_ENOUGH_REPLICAS", states=states)
    assert found.findings[:2] == (
        "Partition 0 had 1 of 3 replicas in sync then, and broker 1 led it.",
        "Partition 0 had 0 of 3 replicas in sync then, and no leader.",
    )


def test_of_an_event_that_is_not_kept_nothing_is_told(writer: Writer) -> None:
    reader = Reader(writer.path)
    assert reader(lambda db: why_it_failed(db, "ab" * 16, 1, NOW_US)) is None
    assert reader(lambda db: why_the_last_failed(db, "t", "_TRANSPORT", 0, NOW_US)) is None
