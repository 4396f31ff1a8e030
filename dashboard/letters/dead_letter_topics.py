"""Which dead-letter topics are read and how; and what retention takes before it is read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st
from sqlite_utils import Database

from dashboard import context, formats
from dashboard.formats import NOTHING, code_span, count, escape_markdown, visible
from producer_agent.commands import Command
from producer_agent.dead_letters.conventions import CONVENTIONS
from producer_agent.store import facts
from producer_agent.store.dead_letter_policies import Policy, all_policies, policy_of, with_own

_FORGET = "dead-letter-topic-delete"

WARNINGS_SHOWN = 3


def warnings(queue: dict[str, Any]) -> None:
    """What retention took or will take unread, with the mend; nothing while all is well."""
    found = [
        warning for topic in queue.get("topics") or () for warning in topic.get("warnings") or ()
    ]
    for warning in found[:WARNINGS_SHOWN]:
        st.warning(
            f"{escape_markdown(warning['message'])}  \nMend: {code_span(warning['mend'])}",
            icon=":material/auto_delete:",
        )
    if len(found) > WARNINGS_SHOWN:
        st.caption(
            f"{count(len(found) - WARNINGS_SHOWN)} more such warnings: see **What is read**."
        )


def what_is_read() -> None:
    """The button that opens the policies: listed, added, changed and removed."""
    opened = st.popover(
        "What is read", icon=":material/rule:", on_change="rerun", key="dead-letter-topics"
    )
    if opened.open:
        with opened:
            panel()


def panel() -> None:
    """The popover's content."""
    stored, topics = context.read(_read)
    own = context.settings().dead_letter_topic
    policies = with_own(stored, own)
    with st.container(width=640):
        st.caption(
            f"{count(len(topics))} dead-letter topics are read. A topic follows the policy of its "
            "name, else the oldest pattern that covers it."
        )
        _policies(policies)
        if topics:
            _topics(topics, policies)
        _form(policies)
        _remove(stored)


def _read(db: Database) -> tuple[list[Policy], list[dict[str, Any]]]:
    fact = facts.get(db, "letters")
    return all_policies(db), [] if fact is None else list(fact.body.get("topics") or [])


def _policies(policies: Sequence[Policy]) -> None:
    st.dataframe(
        {
            "Topic or pattern": [visible(policy.topic) for policy in policies],
            "Convention": [policy.convention or "detected" for policy in policies],
            "Default target": [visible(policy.default_target or NOTHING) for policy in policies],
            "From": [policy.start_from for policy in policies],
            "Closed ones kept": [
                "for good" if policy.keep_closed_days is None else f"{policy.keep_closed_days:g} d"
                for policy in policies
            ],
        },
        hide_index=True,
        height="content" if len(policies) <= 6 else 250,
        key="dead-letter-policies",
        alt="Policies of dead-letter topics",
    )


def _topics(topics: Sequence[dict[str, Any]], policies: Sequence[Policy]) -> None:
    st.dataframe(
        {
            "Read": [visible(topic["topic"]) for topic in topics],
            "By": [
                visible(policy.topic) if (policy := policy_of(policies, topic["topic"])) else ""
                for topic in topics
            ],
            "Not stored yet": [topic.get("behind") for topic in topics],
            "Retention takes the first": [
                NOTHING
                if topic.get("next_deletion_us") is None
                else formats.moment(topic["next_deletion_us"], context.zone())
                for topic in topics
            ],
            "Deleted unread": [topic.get("deleted_unread") for topic in topics],
        },
        hide_index=True,
        height="content" if len(topics) <= 6 else 250,
        placeholder=NOTHING,
        key="dead-letter-topics-read",
        alt="Dead-letter topics that are read",
    )
    for topic in topics:
        for warning in topic.get("warnings") or ():
            st.caption(f":material/warning: {escape_markdown(warning['message'])}")


def _form(policies: Sequence[Policy]) -> None:
    st.markdown("**Read another, or change one**")
    with st.form("dead-letter-topic", border=False):
        topic = st.text_input(
            "Topic, or pattern that begins with ^",
            placeholder="^.*-dlt$",
            key="dead-letter-topic-name",
        )
        grid = st.grid(2, min_column_width=200)
        with grid.cell():
            convention = st.selectbox(
                "Convention", [None, *CONVENTIONS], format_func=lambda name: name or "detected"
            )
        with grid.cell():
            target = st.text_input(
                "Default target",
                placeholder="orders",
                help="Where its records go that do not tell where they came from.",
            )
        with grid.cell():
            start = st.selectbox(
                "Read from",
                ["earliest", "now"],
                help="For topics that were never read. now: what is there already stays unread.",
            )
        with grid.cell():
            days = st.number_input(
                "Keep closed ones (days)",
                min_value=0.01,
                value=None,
                format="%g",
                placeholder="for good",
                help="Letters that were replayed, resolved or archived so long ago are deleted.",
            )
        if st.form_submit_button("Save", icon=":material/save:"):
            _save((topic or "").strip(), convention, (target or "").strip() or None, start, days)


def _save(
    topic: str, convention: str | None, target: str | None, start: str, days: float | None
) -> None:
    arguments = {
        "topic": topic,
        "convention": convention,
        "default_target": target,
        "start_from": start,
        "keep_closed_days": days,
    }
    result = context.act(Command.DEAD_LETTER_TOPICS_SAVE, arguments)
    if result is not None:
        st.toast(
            f"The policy for {code_span(topic)} was {result.get('change', 'saved')}: it takes "
            "effect within seconds.",
            icon=":material/check_circle:",
        )
        st.rerun()


def _remove(stored: Sequence[Policy]) -> None:
    if not stored:
        return
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        with st.container(width=280):
            chosen = st.selectbox(
                "Stop reading",
                [policy.topic for policy in stored],
                index=None,
                placeholder="a topic or pattern",
                key=_FORGET,
            )
        pressed = st.button(
            "Remove its policy",
            icon=":material/delete:",
            disabled=chosen is None,
            help="Letters that were read stay.",
            key="dead-letter-topic-remove",
        )
    if pressed and context.act(Command.DEAD_LETTER_TOPICS_DELETE, {"topic": chosen}) is not None:
        st.rerun()
