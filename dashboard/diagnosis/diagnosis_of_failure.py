"""Why a dead letter or a cause failed: as it was then, and as its topic is now, told apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st
from sqlite_utils import Database

from dashboard import context
from dashboard.diagnosis import diagnosis_card, diagnosis_words
from dashboard.diagnosis.diagnosis_words import Told, link, markdown
from dashboard.formats import ago, code_span, moment
from producer_agent.advice.diagnosis.diagnosis import Diagnosis
from producer_agent.advice.diagnosis.when_it_failed import why_it_failed, why_the_last_failed
from producer_agent.delivery.errors import BY_NAME
from producer_agent.store import facts
from producer_agent.store.clock import now_us
from producer_agent.store.queries.dead_letters import Letter
from producer_agent.store.queries.letter_groups import LetterGroup

_LAST_OF_US = 600_000_000
"""How long before a cause's newest letter its newest failure is looked for."""


@dataclass(frozen=True, slots=True)
class Why:
    """What is known of a failure."""

    then: Diagnosis | None
    """As it was; None: its event is not kept here."""
    now: Told
    topics: tuple[str, ...]
    """That were meant."""


def of_letter(letter: Letter) -> None:
    """Of one letter, in its drawer; nothing of what failed at a consumer."""
    if letter.side != "producer" or letter.original_topic is None:
        return
    topic, run, sequence = letter.original_topic, letter.run_uuid, letter.sequence

    def read(db: Database) -> Why:
        then = None
        if run and sequence is not None:
            then = why_it_failed(db, run, sequence, now_us())
        return Why(then, diagnosis_words.told(facts.get(db, "diagnosis")), (topic,))

    _draw(context.read(read), f"letter-{letter.id}-why-it-failed", "this event")


def of_cause(group: LetterGroup) -> None:
    """Of a cause, by the newest failure of it; nothing of what failed at consumers."""
    code = group.title.partition(":")[0]
    topics = tuple(topic for topic in group.topics if topic is not None)
    if group.side != "producer" or code not in BY_NAME or not topics:
        return

    def read(db: Database) -> Why:
        since_us = group.last_seen_us - _LAST_OF_US
        then = next(
            (
                found
                for topic in topics[:3]
                if (found := why_the_last_failed(db, topic, code, since_us, now_us())) is not None
            ),
            None,
        )
        return Why(then, diagnosis_words.told(facts.get(db, "diagnosis")), topics)

    _draw(context.read(read), f"cause-{group.cause}-why", "the newest of them")


def _draw(why: Why, key: str, whom: str) -> None:
    at_us, zone = now_us(), context.zone()
    live = why.now.of(why.topics)
    lines = [] if why.then is None else [f"**Then:** {markdown(why.then.headline, zone, at_us)}"]
    lines += _now(why, live, at_us)
    if not lines:
        return
    with st.expander("Why, and what to do", icon=":material/stethoscope:", expanded=True, key=key):
        st.markdown("  \n".join(lines))
        if why.then is None:
            return
        st.caption(
            f"Then: as recorded in the life of {whom}, which ended "
            f"{moment(why.then.at_us, zone)}. Now: its topic as the agent last looked."
        )
        with st.popover("What was seen then", icon=":material/history:", key=f"{key}-then"):
            diagnosis_card.details(why.then, at_us, key=f"{key}-details", acts=False)


def _now(why: Why, live: Sequence[Diagnosis], at_us: int) -> list[str]:
    """Sentences on the topics as they are now (Markdown)."""
    names = ", ".join(code_span(topic) for topic in why.topics[:3])
    if why.now.is_stale(at_us):
        told = "never" if why.now.at_us is None else ago(why.now.at_us, at_us)
        return [f"**Now:** not known, no agent looks at {names} (last: {told})."]
    if live:
        zone = context.zone()
        return [
            f"**Now:** {markdown(found.headline, zone, at_us)} [What to do]({link(found.topic)})"
            for found in live[:3]
        ]
    if why.now.left_out:
        return [f"**Now:** {names} may not be among the topics looked at: [Cluster](cluster)."]
    return [f"**Now:** nothing is the matter with {names}. [Cluster]({link(why.topics[0])})"]
