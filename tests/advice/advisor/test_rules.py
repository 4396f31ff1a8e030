"""Each row of the table of cases, and what holds whatever is answered."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from producer_agent.advice.advisor.advice import Advice
from producer_agent.advice.advisor.advise import advise
from producer_agent.advice.advisor.profile import profile_of
from producer_agent.advice.advisor.properties_files import librdkafka_properties
from producer_agent.advice.advisor.question import Question, question_from
from producer_agent.advice.advisor.rules.topic import in_sync
from producer_agent.advice.check.configuration_check import check as check_pasted
from producer_agent.advice.check.configuration_check import read
from producer_agent.delivery.profile_checks import check, librdkafka_refusal
from tests.advice.advisor.cases import ALL_AT_12_MS, CASES, EMBEDDED, ONE_AT_3_MS, Case


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_each_case_gives_its_settings_for_its_reason(case: Case) -> None:
    advice = advise(case.question, case.measured)
    chosen = advice.settings | advice.topic_settings
    for name, value in case.settings.items():
        assert chosen.get(name) == value, name
    if case.reason is not None:
        name, words = case.reason
        reason = next(c.reason for c in (*advice.producer, *advice.topic) if c.name == name)
        assert words in reason
    if case.conflict is not None:
        kind, words = case.conflict
        said = [f"{c.message} {c.mend}" for c in advice.conflicts if c.kind == kind]
        assert any(words in text for text in said), [*advice.conflicts]
    if case.conflict is None or case.conflict[0] == "price":
        assert not [c for c in advice.conflicts if c.kind != "price"]
    assert advice.is_possible == (case.conflict is None or case.conflict[0] != "impossible")


def test_the_table_has_forty_cases_of_names_of_their_own() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 40


def test_every_case_but_the_usual_ones_says_something_that_others_do_not() -> None:
    """A case whose words come up for the usual answers as well would prove nothing."""
    usual = advise(CASES[0].question)
    for case in CASES:
        if case.conflict is not None:
            said = [f"{c.message} {c.mend}" for c in usual.conflicts if c.kind == case.conflict[0]]
            assert not any(case.conflict[1] in text for text in said), case.name


answers = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["orders", "a.b_c-d", "0"]),
        "if_lost": st.sampled_from(["nothing", "experience", "business"]),
        "tolerated_loss": st.one_of(
            st.just(0.0), st.floats(0, 1, exclude_max=True), st.sampled_from([0.001, 0.01, 1e-9])
        ),
        "latency_p99_ms": st.none() | st.floats(0.01, 1e6),
        "rate_per_s": st.floats(0.001, 100_000),
        "payload_bytes": st.integers(1, 1_000_000),
        "tells_duplicates": st.booleans(),
        "ordered_per_key": st.booleans(),
        "atomic": st.booleans(),
        "brokers": st.integers(1, 50),
        "replication_factor": st.integers(1, 9),
        "min_insync_replicas": st.integers(1, 9),
    }
)


@settings(max_examples=120, deadline=None)
@given(answers, st.floats(1, 10))
def test_any_answers_give_settings_that_our_checks_and_librdkafka_take(
    given_answers: dict[str, Any], times: float
) -> None:
    peak = min(given_answers["rate_per_s"] * times, 100_000)
    question = question_from(given_answers | {"peak_per_s": peak})
    advice = advise(question, (ALL_AT_12_MS, ONE_AT_3_MS, EMBEDDED))
    profile = profile_of(advice)
    assert not [p for p in check(profile) if p.severity == "error"]
    assert librdkafka_refusal(profile) is None
    _every_choice_has_reason_and_price(advice)
    _no_danger_is_left_untold(advice)


def _every_choice_has_reason_and_price(advice: Advice) -> None:
    for choice in (*advice.producer, *advice.topic):
        assert choice.reason.endswith("."), choice
        assert choice.cost.endswith("."), choice
    for conflict in advice.conflicts:
        assert conflict.message.endswith("."), conflict
        assert conflict.mend.endswith("."), conflict


def _no_danger_is_left_untold(advice: Advice) -> None:
    judged = check_pasted(read(librdkafka_properties(advice)))
    assert judged.accepted, judged.error
    told = {name for conflict in advice.conflicts for name in conflict.settings}
    if advice.acks != "all":
        # That these may lose or double is what was asked for, and stands in their cost.
        told |= {"acks", "enable.idempotence"}
    if advice.acks == "0":
        told.add("request.timeout.ms")  # without effect, and written for Java's sake
    dangers = {s.name: s.reason for s in judged.settings if s.verdict not in ("fine", "default")}
    assert not {name: why for name, why in dangers.items() if name not in told}


@settings(deadline=None)
@given(answers)
def test_stricter_answers_never_get_weaker_acknowledgement(given_answers: dict[str, Any]) -> None:
    levels = {"0": 0, "1": 1, "all": 2}
    question = question_from(given_answers)
    weak = levels[advise(question).acks]
    for stricter in ({"tolerated_loss": 0.0}, {"if_lost": "business"}, {"atomic": True}):
        strict = question.model_copy(update=stricter)
        assert levels[advise(strict).acks] >= weak
        assert levels[advise(strict).acks] == 2


@settings(deadline=None)
@given(answers)
def test_never_lost_is_called_impossible_or_kept_on_two_brokers(
    given_answers: dict[str, Any],
) -> None:
    question: Question = question_from(given_answers | {"tolerated_loss": 0.0})
    advice = advise(question)
    assert not advice.is_possible or in_sync(question, "all") >= 2
