"""Replaying from a page: what will be touched, the request, and what came of each record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import streamlit as st

from dashboard import context
from dashboard.formats import NOTHING, code_span, count
from dashboard.letters import triage_words
from producer_agent.commands import Command
from producer_agent.dead_letters.conventions import Decoded
from producer_agent.delivery.errors import ErrorFact, fact_of
from producer_agent.replay.options import PlanOptions
from producer_agent.store.queries import dead_letters as letters
from producer_agent.store.queries.dead_letters import Letter, ReplayRow

TIMEOUT_S: Final = 30.0
"""How long a press waits for the agent. What takes longer goes on, and the ledger tells of it."""

MOST_TIMES_BACK: Final = PlanOptions().most_times_back
"""Replays that came back, at which one click is refused."""

_OUTCOMES: Final = "replay-outcomes"
_PLAN: Final = "replay-outcomes-plan"

_SENT: Final = frozenset({"intent", "done", "already", "unknown"})
"""States of a record that is, or may be, on its target."""


class Replayable(Protocol):
    """What a warning needs to know of a letter; a line of the list has it, a whole letter too."""

    @property
    def id(self) -> int: ...  # noqa: D102
    @property
    def status(self) -> str: ...  # noqa: D102
    @property
    def original_topic(self) -> str | None: ...  # noqa: D102
    @property
    def error_code(self) -> int | None: ...  # noqa: D102
    @property
    def may_be_stored(self) -> bool: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of the replay of one dead letter."""

    dead_letter: int
    state: str
    """As in the ledger, see :data:`dashboard.letters.triage_words.LEDGER_WORDS`."""
    reason: str | None
    topic: str | None
    partition: int | None
    offset: int | None

    @property
    def words(self) -> str:
        """The state as a reader says it."""
        return triage_words.LEDGER_WORDS.get(self.state, self.state)

    @property
    def place(self) -> str:
        """Where the record is now: ``orders[3]@1881204``, as Kafka's tools write it."""
        if self.topic is None:
            return NOTHING
        if self.partition is None or self.offset is None:
            return self.topic
        return f"{self.topic}[{self.partition}]@{self.offset}"


def error_fact(code: int | None) -> ErrorFact | None:
    """The row of the error table, where there is a Kafka code at all."""
    return None if code is None else fact_of(code)


def can_be_replayed(letter: Replayable) -> bool:
    """Whether no replay of it is under way or done, and it is known where it belongs."""
    return letter.status in letters.REPLAYABLE_STATUSES and letter.original_topic is not None


def why_not(letter: Letter, decoded: Decoded, value_here: bytes | None) -> str | None:
    """Why one click cannot send this letter, as Markdown; None where it can.

    Empty where its replay says it already: it was sent, or is under way.
    """
    if letter.status == "archived":
        return "It is archived: restore it first."
    if letter.status not in letters.REPLAYABLE_STATUSES:
        return ""
    if decoded.is_pointer:
        return (
            "It cannot be replayed: it only points to its original and holds nothing to send. "
            "Read that record at its own topic, partition and offset."
        )
    if decoded.internal_topic is not None:
        return (
            f"It cannot be replayed: it came from {code_span(decoded.internal_topic)}, an "
            "internal topic of a Streams application, where nothing may be sent."
        )
    if decoded.value_omitted is not None and value_here is None:
        return "It cannot be replayed from here: its value is not in this database."
    if letter.original_topic is None:
        return (
            "The record does not tell which topic it was meant for: choose one in a plan, or set "
            "a default target for its dead-letter topic under **What is read**."
        )
    if letter.times_back >= MOST_TIMES_BACK:
        return (
            f"It came back {count(letter.times_back)} times: mend the cause first. A plan can send "
            "it all the same, with a reason."
        )
    return None


def warnings(chosen: Sequence[Replayable]) -> list[str]:
    """What should give pause before these are replayed, as Markdown."""
    one = len(chosen) == 1
    found = []
    stored = sum(letter.may_be_stored for letter in chosen)
    if stored:
        found.append(
            "This record **may already be on its topic**: a replay could double it."
            if one
            else f"{count(stored)} of them **may already be on their topic**: "
            "a replay could double them."
        )
    hopeless = [
        fact
        for letter in chosen
        if (fact := error_fact(letter.error_code)) is not None and not fact.replay_unchanged
    ]
    if hopeless:
        fact = hopeless[0]
        found.append(
            f"**It will be refused again while what refused it is as it was** ({fact.meaning}). "
            f"{fact.mend}"
            if one
            else f"{count(len(hopeless))} of them **will be refused again unless changed** "
            f"({', '.join(sorted({fact.name for fact in hopeless}))}): mend the cause first."
        )
    return found


def targets(chosen: Sequence[Replayable]) -> str:
    """``orders (10), payments (2)`` as Markdown."""
    by_topic = Counter(letter.original_topic for letter in chosen if letter.original_topic)
    return ", ".join(f"{code_span(topic)} ({count(n)})" for topic, n in by_topic.most_common())


def replay(selection: Mapping[str, Any]) -> dict[int, Outcome]:
    """Ask the agent to replay these and wait; the outcomes it told, by dead letter.

    They are remembered for :func:`remembered`. Where the agent fails or takes longer, a toast
    says so and only the ledger has outcomes.

    Args:
        selection: ``{"dead_letters": [...]}`` or ``{"filter": {...}}``.
    """
    result = context.act(Command.REPLAY, selection, timeout_s=TIMEOUT_S)
    told = {} if result is None else _outcomes(result)
    asked = selection.get("dead_letters", list(told))
    # A second press of the same button must not blot out what the first was told.
    st.session_state[_OUTCOMES] = {id_: told.get(id_) for id_ in asked}
    st.session_state[_PLAN] = None if result is None else result.get("plan")
    return told


def remembered() -> dict[int, Outcome | None]:
    """The letters last replayed from this page, with what the agent told of each."""
    kept: dict[int, Outcome | None] = st.session_state.get(_OUTCOMES, {})
    return kept


def remembered_plan() -> int | None:
    """The plan that the last replay from this page was."""
    plan: int | None = st.session_state.get(_PLAN)
    return plan


def forget() -> None:
    """Put the outcomes away; for a button's callback."""
    st.session_state.pop(_OUTCOMES, None)
    st.session_state.pop(_PLAN, None)


def merged(told: Mapping[int, Outcome | None], ledger: Sequence[ReplayRow]) -> list[Outcome]:
    """One outcome a letter: the ledger's where it has one, for it is what was committed.

    A refusal does not hide the replay that it came after: of a record that was sent, where it
    landed is the news, and why the second press did nothing the reason.

    Args:
        told: What the agent answered, None where it did not.
        ledger: Replays of these letters, the latest first.
    """
    rows: dict[int, list[ReplayRow]] = {}
    for row in ledger:
        rows.setdefault(row.dead_letter, []).append(row)
    return [_merged(id_, outcome, rows.get(id_, [])) for id_, outcome in told.items()]


def tally(outcomes: Sequence[Outcome]) -> str:
    """``3 replayed, 1 refused``."""
    by_words = Counter(outcome.words for outcome in outcomes)
    return ", ".join(f"{count(n)} {words}" for words, n in by_words.most_common())


def _merged(id_: int, told: Outcome | None, rows: Sequence[ReplayRow]) -> Outcome:
    if not rows:
        if told is not None:
            return told
        return Outcome(
            id_, "unknown", "The agent did not answer: look again here.", None, None, None
        )
    latest = rows[0]
    sent = next((row for row in rows if row.state in _SENT), None)
    row = sent if sent is not None and latest.state == "refused" else latest
    return Outcome(
        id_, row.state, row.reason or latest.reason, row.target_topic, row.partition, row.offset
    )


def _outcomes(result: Mapping[str, Any]) -> dict[int, Outcome]:
    return {
        int(told["dead_letter"]): Outcome(
            int(told["dead_letter"]),
            str(told["state"]),
            told.get("reason"),
            told.get("topic"),
            told.get("partition"),
            told.get("offset"),
        )
        for told in result.get("outcomes", [])
    }
