"""The original of a dead letter is what failed, or the reason why it cannot be had."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from producer_agent.dead_letters.envelope import Carried, wrap
from producer_agent.dead_letters.original import NoOriginal, original_of
from producer_agent.store import outbox
from producer_agent.store.replay_letters import LetterToReplay
from producer_agent.store.retention import Keep, trim
from producer_agent.store.writer import Writer
from tests.dead_letters.test_envelope import EVENT
from tests.recording import begin_run, failure, record


def letter(value: bytes | None, default_target: str | None = None) -> LetterToReplay:
    return LetterToReplay(
        id=1,
        topic="dead",
        partition=0,
        offset=0,
        timestamp_ms=None,
        key=b"other key",
        value=value,
        headers=(),
        status="new",
        side="unknown",
        may_be_stored=False,
        times_back=0,
        live=None,
        live_plan=None,
        cluster=1,
        cluster_kind="embedded",
        default_target=default_target,
    )


def test_it_is_the_event_that_failed_and_not_the_record_around_it(writer: Writer) -> None:
    event = replace(EVENT, key=None, value=b"", headers=(("h", b"\xff"), ("h", None)))
    original = original_of(letter(wrap(event)), writer)
    assert (original.topic, original.key, original.value) == ("orders", None, b"")
    assert tuple(original.headers) == event.headers


def test_a_value_that_was_left_out_is_taken_whole_from_the_outbox(writer: Writer) -> None:
    value = bytes(range(256)) * 4_000
    run = begin_run(writer, run_uuid="ab" * 16)
    record(writer, run, failed=[failure(7, value=value)])
    event = replace(EVENT, run="ab" * 16, sequence=7, value=value)
    assert original_of(letter(wrap(event, Carried.NO_VALUE)), writer).value == value


def test_a_value_that_is_nowhere_is_not_replaced_by_an_empty_one(writer: Writer) -> None:
    event = replace(EVENT, run="cd" * 16, value=b"large")
    with pytest.raises(NoOriginal, match="too large for the dead-letter topic"):
        original_of(letter(wrap(event, Carried.NO_VALUE)), writer)


def test_retention_does_not_take_a_value_that_is_only_here(writer: Writer) -> None:
    run = begin_run(writer, run_uuid="ab" * 16)
    record(writer, run, failed=[failure(7, value=b"large", settled_us=1)])
    writer.call(partial(outbox.published, places=[(1, "dead[0]@0", "too large")]))
    writer.call(lambda db: db.execute("UPDATE outbox SET published_us = 1"))
    writer.call(partial(trim, now_s=2e9, keep=Keep(1, 1.0, 1.0)))

    event = replace(EVENT, run="ab" * 16, sequence=7, value=b"large")
    assert original_of(letter(wrap(event, Carried.NO_VALUE)), writer).value == b"large"


@pytest.mark.parametrize("value", [None, b"", b"not json"])
def test_what_does_not_tell_its_topic_goes_whole_to_where_its_topics_policy_says(
    writer: Writer, value: bytes | None
) -> None:
    told = original_of(letter(value), writer)
    assert (told.topic, told.key, told.value, told.own_bytes) == (None, b"other key", value, True)
    by_policy = original_of(letter(value, default_target="orders"), writer)
    assert by_policy == replace(told, topic="orders")


def test_a_policys_target_gives_way_to_the_topic_that_the_record_tells(writer: Writer) -> None:
    assert original_of(letter(wrap(EVENT), default_target="other"), writer).topic == "orders"
