"""A flood of failures is told in a few lines, and each of them can be told apart."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import pytest

from producer_agent.delivery.errors import Stored
from producer_agent.kafka.attempts import AttemptCause, AttemptSummary
from producer_agent.reliable.failures import MOST_KINDS, Failure, FailureLog

logger = logging.getLogger("tests.failures")


def failure(**values: Any) -> Failure:
    told = Failure(
        run="0" * 32,
        sequence=1,
        profile="checkout",
        outcome="failed",
        topic="orders",
        partition=2,
        key=b"key",
        value=b"value",
        headers=(),
        code=19,
        code_name="NOT_ENOUGH_REPLICAS",
        reason="Broker: Not enough in-sync replicas",
        stored=Stored.NO,
        cause="NOT_ENOUGH_REPLICAS",
        sent_us=1,
        settled_us=9,
        attempts=AttemptSummary(
            (
                AttemptCause("NOT_ENOUGH_REPLICAS", 3, 2, 8, Stored.NO),
                AttemptCause("_TRANSPORT", 1, 4, 4, Stored.MAYBE),
            ),
            never_sent=False,
            connection=None,
            exact=True,
        ),
        dead_letter=True,
    )
    return replace(told, **values)


def test_a_hundred_thousand_failures_of_a_kind_are_two_lines(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log = FailureLog(logger)
    for sequence in range(100_000):
        log.tell(failure(sequence=sequence))
    log.close()
    first, last = caplog.records
    assert vars(first)["suppressed"] == 0
    assert vars(first)["sequence"] == 0
    assert vars(last)["suppressed"] == 99_998
    assert vars(last)["sequence"] == 99_999
    assert "and 99,998 more like it" in last.message


def test_each_kind_is_told_at_once_and_again_after_its_time(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = [100.0]
    monkeypatch.setattr("producer_agent.reliable.failures.time.monotonic", lambda: now_s[0])
    log = FailureLog(logger, every_s=10)
    log.tell(failure())
    log.tell(failure(topic="audit"))
    log.tell(failure(code_name="_MSG_TIMED_OUT"))
    assert len(caplog.records) == 3
    log.tell(failure())
    assert len(caplog.records) == 3
    now_s[0] += 10
    log.tell(failure())
    assert vars(caplog.records[-1])["suppressed"] == 1


def test_a_line_carries_what_on_call_looks_for_and_no_payload(
    caplog: pytest.LogCaptureFixture,
) -> None:
    FailureLog(logger).tell(failure(key=b"customer-17", value=b"card 4111"))
    (record,) = caplog.records
    told = vars(record)
    assert record.levelno == logging.ERROR
    assert told["attempts"] == 4
    assert (told["first_attempt_us"], told["last_attempt_us"]) == (2, 8)
    assert told["settled"] is True
    assert "customer-17" not in str(told)
    assert "4111" not in str(told)
    assert failure(key=b"customer-17").context()["key_hash"] == told["key_hash"]
    assert failure(key=b"customer-18").context()["key_hash"] != told["key_hash"]
    assert failure(key=None).context()["key_hash"] is None


def test_kinds_beyond_all_measure_are_told_together(caplog: pytest.LogCaptureFixture) -> None:
    log = FailureLog(logger)
    for n in range(MOST_KINDS + 500):
        log.tell(failure(topic=f"tenant-{n}"))
    assert len(caplog.records) == MOST_KINDS + 1


def test_only_a_record_that_may_be_stored_is_unsettled() -> None:
    assert failure(stored=Stored.NO).settled
    assert failure(stored=Stored.YES).settled
    assert not failure(stored=Stored.MAYBE).settled
