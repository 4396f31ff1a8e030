"""What one failure comes to: the error table's word, sharpened by the log of attempts."""

from __future__ import annotations

from dataclasses import dataclass

from confluent_kafka import KafkaError

from producer_agent.delivery.errors import Stored, fact_of
from producer_agent.kafka.attempts import AttemptLog, AttemptSummary, stored_after
from producer_agent.store.clock import now_us


@dataclass(frozen=True, slots=True)
class Judgement:
    """One failure, judged."""

    topic: str
    partition: int | None
    """None: it never got one."""
    code: int
    code_name: str
    reason: str
    stored: Stored
    """May the record be on its topic all the same?"""
    cause: str
    """What it is counted under: the code, or the broker's cause behind a time-out."""
    settled_us: int
    attempts: AttemptSummary


def judge(
    error: KafkaError, topic: str, partition: int | None, sent_us: int, attempts: AttemptLog
) -> Judgement:
    """Judge a failure that was just reported.

    Args:
        error: Of the delivery report.
        topic: Where it was to go.
        partition: Likewise; negative or None if it never got one.
        sent_us: When it was produced.
        attempts: The log of the producer that reports it.
    """
    settled_us = now_us()
    code = error.code()
    fact = fact_of(code)
    if partition is not None and partition < 0:
        partition = None
    timed_out = code == KafkaError._MSG_TIMED_OUT
    summary = attempts.behind(topic, partition, sent_us, settled_us, timed_out=timed_out)
    return Judgement(
        topic=topic,
        partition=partition,
        code=code,
        code_name=fact.name,
        reason=_reason(error, summary),
        stored=stored_after(code, summary),
        cause=summary.causes[0].cause if timed_out and summary.causes else fact.name,
        settled_us=settled_us,
        attempts=summary,
    )


def _reason(error: KafkaError, attempts: AttemptSummary) -> str:
    if attempts.headline:
        return f"{error.str()}: {attempts.headline}"
    if attempts.never_sent:
        return f"{error.str()}: never sent" + (
            f"; {attempts.connection}" if attempts.connection else ""
        )
    return error.str()
