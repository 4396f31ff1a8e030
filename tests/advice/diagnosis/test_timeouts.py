"""What is told of attempts is read whoever wrote it, and summed over a group without guessing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer_agent.advice.diagnosis.timeouts import (
    CauseShare,
    Failure,
    OneAttempt,
    attempts_told,
    sum_attempts,
)

SENT_US = 1_700_000_000_000_000


def document(*causes: tuple[str, int, int, str], **more: Any) -> dict[str, Any]:
    """``(cause, count, ms of the first after produce(), stored)``."""
    return {
        "causes": [
            {
                "cause": cause,
                "count": count,
                "first_us": SENT_US + first_ms * 1000,
                "last_us": SENT_US + first_ms * 1000 + 1,
                "stored": stored,
            }
            for cause, count, first_ms, stored in causes
        ],
        "never_sent": not causes,
        "connection": None,
        "exact": True,
        **more,
    }


def test_attempts_are_read_one_by_one_with_their_cause_and_whether_they_may_be_stored() -> None:
    told = attempts_told(
        document(
            ("NOT_ENOUGH_REPLICAS", 40, 5, "no"),
            ("_TIMED_OUT", 1, 900, "maybe"),
            from_us=SENT_US + 5_000,
            each=[[895_000, 1, 1], [0, 0, 0]],
            left_out=39,
        )
    )
    assert told is not None
    assert told.each == (
        OneAttempt(SENT_US + 5_000, "NOT_ENOUGH_REPLICAS", False),
        OneAttempt(SENT_US + 900_000, "_TIMED_OUT", True),
    )
    assert (told.left_out, told.attempts, told.exact) == (39, 41, True)
    assert told.first_us == SENT_US + 5_000
    assert told.may_be_stored


def test_a_letter_of_an_older_release_tells_sums_only() -> None:
    told = attempts_told(document(("NOT_ENOUGH_REPLICAS", 3, 5, "no")))
    assert told is not None
    assert (told.each, told.left_out, told.attempts) == ((), 0, 3)
    assert not told.may_be_stored


@pytest.mark.parametrize(
    "nothing", [None, {}, {"causes": []}, {"causes": "x"}, {"causes": [{"count": 1}, 7]}, "text"]
)
def test_where_no_attempt_is_told_there_is_none(nothing: Any) -> None:
    assert attempts_told(nothing) is None


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=12,
)


@given(
    st.fixed_dictionaries(
        {
            "causes": st.lists(
                st.fixed_dictionaries(
                    {"cause": st.text(max_size=5) | _JSON},
                    optional=dict.fromkeys(("count", "first_us", "last_us", "stored"), _JSON),
                ),
                max_size=3,
            )
            | _JSON,
            "from_us": st.integers() | _JSON,
            "each": st.lists(st.lists(st.integers(-9, 9), min_size=3, max_size=3)) | _JSON,
        },
        optional={"left_out": _JSON, "never_sent": _JSON, "exact": _JSON},
    )
)
def test_whatever_somebody_else_wrote_is_borne(anything: dict[str, Any]) -> None:
    told = attempts_told(anything)
    assert told is None or told.attempts >= 0
    sum_attempts([Failure(anything, SENT_US, False)])


def test_a_group_is_summed_by_causes_doubts_and_the_time_to_the_first() -> None:
    failures = [
        Failure(document(("A", 10, 20, "no"), ("B", 1, 500, "maybe")), SENT_US, True),
        Failure(document(("A", 30, 40, "no")), SENT_US, False),
        Failure(document(("A", 2, 90, "no"), exact=False), SENT_US, False),
        Failure(document(), SENT_US, False),
        Failure(None, None, True),
    ]
    summed = sum_attempts(failures)
    assert (summed.failures, summed.with_attempts, summed.never_sent, summed.not_told) == (
        5, 3, 1, 1,
    )  # fmt: skip
    assert (summed.exact, summed.may_be_stored) == (2, 2)
    assert summed.causes == (CauseShare("A", 3, 42, 0), CauseShare("B", 1, 1, 1))
    assert summed.median_attempts == 11
    assert summed.median_first_us == 40_000


def test_no_failures_sum_to_nothing() -> None:
    summed = sum_attempts([])
    assert (summed.failures, summed.median_attempts, summed.causes) == (0, None, ())
