from __future__ import annotations

import json
import pickle
from typing import Any

import pytest

from producer_agent.advice.advisor.question import (
    MOST_QUESTIONS,
    AnswersInvalid,
    question_from,
    questions_from_json,
)
from tests.advice.advisor.cases import USUAL


@pytest.mark.parametrize(
    ("answers", "field", "mend"),
    [
        ({"peak_per_s": 50}, "answers", "Raise `peak_per_s`"),
        ({"tolerated_loss": 1}, "tolerated_loss", "Write 0 for never"),
        ({"tolerated_loss": "0,1"}, "tolerated_loss", "plain number"),
        ({"tolerated_loss": float("nan")}, "tolerated_loss", "finite"),
        ({"if_lost": "money"}, "if_lost", "Choose one of"),
        ({"latency_p99_ms": 0}, "latency_p99_ms", "above 0"),
        ({"rate_per_s": -1}, "rate_per_s", "above 0"),
        ({"payload_bytes": "64KB"}, "payload_bytes", "65536"),
        ({"brokers": 0}, "brokers", "not below 1"),
        ({"name": "Task Creation"}, "name", "Use 1 to 63"),
        ({"latency": 5}, "latency", "Write `latency_p99_ms`"),
        ({"rate_per_s": None}, "rate_per_s", "number"),
    ],
)
def test_an_answer_that_cannot_be_used_is_named_with_its_mend(
    answers: dict[str, Any], field: str, mend: str
) -> None:
    with pytest.raises(AnswersInvalid) as caught:
        question_from(USUAL | answers)
    problems = [p for p in caught.value.problems if p.field in (field, "profile")]
    assert any(mend in problem.mend for problem in problems), caught.value


def test_every_missing_answer_is_told_at_once() -> None:
    with pytest.raises(AnswersInvalid) as caught:
        question_from({})
    assert {p.field for p in caught.value.problems} == {
        "name",
        "if_lost",
        "tolerated_loss",
        "rate_per_s",
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("[]", "0 event types"),
        (json.dumps([USUAL] * (MOST_QUESTIONS + 1)), "9 event types"),
        (json.dumps([USUAL, USUAL]), "Two event types have this name"),
        ("3", "valid dictionary"),
        ('{"rate_per_s": NaN}', "name"),
    ],
)
def test_a_file_of_answers_that_cannot_be_used_says_why(text: str, words: str) -> None:
    with pytest.raises(AnswersInvalid, match=words):
        questions_from_json(text)


def test_one_object_and_a_list_are_both_read() -> None:
    (one,) = questions_from_json(json.dumps(USUAL))
    two = questions_from_json(json.dumps([USUAL, USUAL | {"name": "other", "peak_per_s": 400}]))
    assert one == two[0]
    assert (two[1].name, two[1].peak) == ("other", 400)
    assert one.peak == one.rate_per_s


def test_the_error_survives_a_process_boundary() -> None:
    with pytest.raises(AnswersInvalid) as caught:
        question_from({})
    assert pickle.loads(pickle.dumps(caught.value)).problems == caught.value.problems
