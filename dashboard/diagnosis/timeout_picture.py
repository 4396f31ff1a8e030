"""The attempts behind a failure as a picture, and those behind a group of failures summed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st
from sqlite_utils import Database

from dashboard import charts, context, formats
from dashboard.components import steady
from dashboard.diagnosis import timeout_words
from dashboard.diagnosis.timeout_figure import Led, Life, timeout
from dashboard.formats import visible
from producer_agent.advice.diagnosis.timeouts import (
    AttemptsTold,
    Failure,
    attempts_told,
    sum_attempts,
)
from producer_agent.dead_letters.conventions import Decoded
from producer_agent.store.queries import attempts as attempts_query
from producer_agent.store.queries import cluster_changes, failed_events
from producer_agent.store.queries.cluster_changes import ChangeRow, StateThen
from producer_agent.store.queries.dead_letters import Letter
from producer_agent.store.queries.failed_events import FailedEvent

_SEEN = ("broker_left", "broker_joined", "cluster_unreachable", "cluster_reachable")


@dataclass(frozen=True, slots=True)
class _Recorded:
    """What this database knows of the record's life."""

    event: FailedEvent | None
    states: tuple[StateThen, ...]
    changes: tuple[ChangeRow, ...]
    watched: bool
    """All its life long."""


def draw(letter: Letter, decoded: Decoded) -> None:
    """The picture of one record; nothing for one that no producer of ours sent."""
    if decoded.side != "producer":
        return
    recorded = context.read(lambda db: _recorded(db, letter))
    event = recorded.event
    told = attempts_told(event.attempts if event is not None else decoded.attempts)
    if told is None:
        return
    sent_us = event.sent_us if event is not None else None
    if sent_us is None and decoded.original_timestamp_ms is not None:
        sent_us = decoded.original_timestamp_ms * 1000
    if sent_us is None:
        st.caption("When it was produced is not told, so its attempts cannot be drawn.")
        return
    life = _life(recorded, told, sent_us)
    st.markdown(timeout_words.summary(life))
    steady.still(
        f"timeout-{letter.id}",
        (letter.id, life),
        lambda: timeout(life, dark=context.is_dark()),
        alt=timeout_words.summary(life).replace("**", ""),
        config=charts.CONFIG,
    )
    st.caption(timeout_words.caption(life, known_here=event is not None, watched=recorded.watched))


def draw_group(cause: int) -> None:
    """The attempts behind the letters of one cause, summed; nothing if none is a producer's.

    Args:
        cause: A row id of ``causes``.
    """
    found = context.read(lambda db: attempts_query.attempts_of_cause(db, cause))
    summed = sum_attempts(Failure(one.attempts, one.sent_us, one.may_be_stored) for one in found)
    if not summed.with_attempts and not summed.never_sent:
        return
    with st.expander(timeout_words.group_title(summed), icon=":material/timeline:"):
        st.markdown(timeout_words.group_summary(summed))
        if summed.causes:
            st.dataframe(
                {
                    "Attempts ended in": [visible(one.cause) for one in summed.causes],
                    "Failures": [
                        f"{formats.count(one.failures)} "
                        f"({formats.ratio(one.failures, summed.with_attempts)})"
                        for one in summed.causes
                    ],
                    "Attempts": [formats.count(one.attempts) for one in summed.causes],
                    "May be stored": [formats.count(one.may_be_stored) for one in summed.causes],
                },
                hide_index=True,
                height="content",
                key="cause-attempts",
            )
        st.caption(timeout_words.group_caption(summed, attempts_query.MOST_LETTERS))


def _recorded(db: Database, letter: Letter) -> _Recorded:
    event = (
        failed_events.failed_event(db, letter.run_uuid, letter.sequence)
        if letter.run_uuid is not None and letter.sequence is not None
        else None
    )
    if event is None or event.sent_us is None or event.partition is None:
        return _Recorded(event, (), (), False)
    began_us = cluster_changes.watch_began_before(db, event.sent_us)
    return _Recorded(
        event,
        cluster_changes.states_between(
            db, event.topic, event.partition, event.sent_us, event.settled_us
        ),
        cluster_changes.changes(
            db, since_us=event.sent_us, until_us=event.settled_us, topic=event.topic
        ),
        began_us is not None
        and began_us == cluster_changes.watch_began_before(db, event.settled_us),
    )


def _life(recorded: _Recorded, told: AttemptsTold, sent_us: int) -> Life:
    event = recorded.event
    last_us = max(
        (
            *(attempt.ended_us for attempt in told.each),
            *(cause.last_us for cause in told.causes if cause.last_us is not None),
        ),
        default=sent_us,
    )
    settings = _settings(event)
    limit_ms, backoff_ms = settings.get("delivery_timeout_ms"), settings.get("retry_backoff_ms")
    ended_us = max((event.settled_us if event is not None else last_us) - sent_us, 1)
    return Life(
        ended_us=ended_us,
        limit_us=limit_ms * 1000 if isinstance(limit_ms, int) else None,
        backoff_us=backoff_ms * 1000 if isinstance(backoff_ms, int) else None,
        sent_us=sent_us,
        told=told,
        led=_led(recorded, sent_us, ended_us),
        events=tuple(
            (max(change.at_us - sent_us, 0), timeout_words.change(change))
            for change in reversed(recorded.changes)
            if change.kind in _SEEN
        ),
    )


def _led(recorded: _Recorded, sent_us: int, ended_us: int) -> tuple[Led, ...]:
    if not recorded.states or not recorded.watched:
        return (Led(0, ended_us, "not known", ""),)
    found = []
    ends = [then.at_us - sent_us for then in recorded.states[1:]] + [ended_us]
    for then, end in zip(recorded.states, ends, strict=True):
        state = then.state
        found.append(
            Led(
                max(then.at_us - sent_us, 0),
                max(end, 0),
                "nobody" if state.leader is None else str(state.leader),
                ", ".join(map(str, sorted(state.isrs))) or "none",
            )
        )
    if found[0].from_us > 0:
        found.insert(0, Led(0, found[0].from_us, "not known", ""))
    return tuple(found)


def _settings(event: FailedEvent | None) -> Mapping[str, Any]:
    """The producer's settings in its run's profile; empty where there is none of ours."""
    try:
        body = json.loads(event.profile_body) if event is not None else {}
    except ValueError:
        return {}
    settings = body.get("producer") if isinstance(body, dict) else None
    return settings if isinstance(settings, dict) else {}
