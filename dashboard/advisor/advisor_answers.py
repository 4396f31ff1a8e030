"""The answers that the Advisor page works on: one set a type of event, kept in its URL."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import streamlit as st

from producer_agent.advice.advisor.example import EXAMPLE
from producer_agent.advice.advisor.question import (
    MOST_QUESTIONS,
    AnswersInvalid,
    Question,
    question_from,
)
from producer_agent.advice.advisor.surroundings import Surroundings
from producer_agent.delivery.profiles import Problem

PARAMETER: Final = "answers"
EVENT: Final = "event"
FIELD: Final = "advisor-field:"
"""Key of an answer's widget, with the answer's name behind it."""

_DRAFTS: Final = "advisor-drafts"
_AT: Final = "advisor-at"
_LONGEST: Final = 8_000
"""Characters of answers in a URL; browsers and proxies cut longer ones."""

Draft = dict[str, Any]
"""Answers as they stand in the form; they may not be well-formed."""

_FIRST: Final[Mapping[str, Any]] = {
    "name": "my-event",
    "if_lost": "business",
    "tolerated_loss": 0.0,
    "latency_p99_ms": 50.0,
    "rate_per_s": 100.0,
    "peak_per_s": None,
    "payload_bytes": 500,
    "tells_duplicates": False,
    "ordered_per_key": False,
    "atomic": False,
}
FIELDS: Final = (*_FIRST, "brokers", "replication_factor", "min_insync_replicas")


@dataclass(frozen=True, slots=True)
class Asked:
    """One type of event: its answers, the question they make, or why they make none."""

    draft: Draft
    question: Question | None
    problems: tuple[Problem, ...]

    @property
    def name(self) -> str:
        """What it is called, also while that is no name."""
        return str(self.draft.get("name") or "(unnamed)")


def load(around: Surroundings) -> list[Asked]:
    """The answers so far: of the form, else of the URL, else the first ones to change.

    Args:
        around: Fills in what hangs on the cluster.
    """
    if _DRAFTS not in st.session_state:
        drafts = drafts_from(st.query_params.get(PARAMETER, ""), around) or [_new(around, [])]
        st.session_state[_DRAFTS] = drafts
        names = [draft["name"] for draft in drafts]
        wanted = st.query_params.get(EVENT)
        _select(names.index(wanted) if wanted in names else 0)
    else:
        _keep_form()
    return [_asked(draft) for draft in _drafts()]


def selected() -> int:
    """Which of them the form shows."""
    return min(int(st.session_state.get(_AT, 0)), len(_drafts()) - 1)


def select(at: int | None) -> None:
    """Show another one in the form."""
    if at is not None and at != selected():
        _keep_form()
        _select(at)


def add(around: Surroundings) -> None:
    """Begin another type of event, and show it."""
    _keep_form()
    drafts = _drafts()
    drafts.append(_new(around, [draft["name"] for draft in drafts]))
    _select(len(drafts) - 1)


def remove() -> None:
    """Drop the one that is shown."""
    drafts = _drafts()
    del drafts[selected()]
    _select(max(selected() - 1, 0))


def take_example(around: Surroundings) -> None:
    """Put the worked example in place of all answers."""
    st.session_state[_DRAFTS] = [question.model_dump() | around.answers() for question in EXAMPLE]
    _select(0)


def take_surroundings(around: Surroundings) -> None:
    """Fill in again what the cluster says, in the one that is shown."""
    draft = _drafts()[selected()]
    draft |= around.answers()
    _select(selected())


def can_add() -> bool:
    """Whether one more fits beside the others."""
    return len(_drafts()) < MOST_QUESTIONS


def can_remove() -> bool:
    """Whether one would be left."""
    return len(_drafts()) > 1


def write_url(asked: Sequence[Asked]) -> None:
    """Put the answers into the URL, so that the page can be sent to a colleague."""
    text = json.dumps([_short(one.draft) for one in asked], separators=(",", ":"))
    if len(text) > _LONGEST:
        return
    if st.query_params.get(PARAMETER) != text:
        st.query_params[PARAMETER] = text
    if st.query_params.get(EVENT) != asked[selected()].name:
        st.query_params[EVENT] = asked[selected()].name


def _drafts() -> list[Draft]:
    drafts: list[Draft] = st.session_state[_DRAFTS]
    return drafts


def _select(at: int) -> None:
    st.session_state[_AT] = at
    for field, value in _drafts()[at].items():
        st.session_state[FIELD + field] = _shown(field, value)


def _keep_form() -> None:
    """Take over what was typed; the widgets of one that is not shown have nothing."""
    draft = _drafts()[selected()]
    for field in FIELDS:
        if FIELD + field in st.session_state:
            draft[field] = _kept(field, st.session_state[FIELD + field])


def _shown(field: str, value: Any) -> Any:
    """An answer as its widget has it: the loss in per cent."""
    return round(value * 100, 10) if field == "tolerated_loss" else value


def _kept(field: str, value: Any) -> Any:
    if field == "tolerated_loss" and value is not None:
        return round(value / 100, 12)
    return value


def _new(around: Surroundings, taken: Sequence[str]) -> Draft:
    name, n = "my-event", 1
    while name in taken:
        n += 1
        name = f"my-event-{n}"
    return dict(_FIRST) | around.answers() | {"name": name}


def _asked(draft: Draft) -> Asked:
    try:
        question = question_from(draft)
    except AnswersInvalid as error:
        return Asked(draft, None, error.problems)
    twice = sum(other["name"] == draft["name"] for other in _drafts()) > 1
    if twice:
        problem = Problem(
            question.name, "name", "Two event types have this name.", "Give each its own."
        )
        return Asked(draft, None, (problem,))
    return Asked(draft, question, ())


def _short(draft: Draft) -> Draft:
    """Without what the answers are by default anyway."""
    return {
        field: value for field, value in draft.items() if value is not None and value is not False
    }


def drafts_from(text: str, around: Surroundings) -> list[Draft]:
    """The answers of a URL; [] where there are none, or what is there is no answers."""
    if not text or len(text) > _LONGEST:
        return []
    try:
        items = json.loads(text)
    except (ValueError, RecursionError):
        return []
    if not isinstance(items, list) or not 1 <= len(items) <= MOST_QUESTIONS:
        return []
    drafts: list[Draft] = []
    for item in items:
        try:
            question = question_from(
                {"tolerated_loss": 0.0} | around.answers() | item if isinstance(item, dict) else {}
            )
        except AnswersInvalid:
            continue
        if question.name not in [draft["name"] for draft in drafts]:
            drafts.append(question.model_dump())
    return drafts
