"""How things stand with the dead letters, in sentences: what waits, why, what is on its way."""

from __future__ import annotations

from typing import Any

import streamlit as st
from sqlite_utils import Database

from dashboard.formats import ago, code_span, count, escape_markdown
from producer_agent.delivery.errors import BY_NAME
from producer_agent.store import facts
from producer_agent.store.queries.dead_letters import LetterSummary


def on_the_way(db: Database) -> dict[str, Any]:
    """The agent's fact about the queue; empty before it wrote one."""
    fact = facts.get(db, "letters")
    return {} if fact is None else dict(fact.body)


def answer(open_ones: LetterSummary, now_us: int) -> None:
    """How many letters ask for a decision, what most of them are, and when the last came."""
    if not open_ones.causes:
        st.success("**No dead letter waits for a decision.**", icon=":material/check_circle:")
        return
    total, first = open_ones.total, open_ones.causes[0]
    newest = max(cause.last_seen_us for cause in open_ones.causes)
    # A title is the error's name and its masked message; a known name has better words here.
    fact = BY_NAME.get(first.title.partition(":")[0])
    cause = f"{code_span(fact.name)} ({fact.meaning})" if fact else code_span(first.title)
    share = (
        "All are"
        if first.count == total > 1
        else "It is"
        if total == 1
        else f"Most, {count(first.count)}, are"
        if 2 * first.count > total
        else f"The most frequent cause, {count(first.count)} times, is"
    )
    st.info(
        f"**{count(total)} dead letter{'s wait' if total > 1 else ' waits'} for a decision.** "
        f"{share} {cause}. "
        f"The newest came {ago(newest, now_us)}.",
        icon=":material/mark_email_unread:",
    )


def tell(queue: dict[str, Any], now_us: int) -> None:
    """What is not in the list yet, and what keeps it from being there."""
    topic = code_span(str(queue.get("topic") or "the dead-letter topic"))
    for what, error in (
        ("published to", queue.get("publisher_error")),
        ("read from", queue.get("consumer_error")),
    ):
        if error:
            st.warning(
                f"Dead letters cannot be {what} {topic}: {escape_markdown(str(error))}",
                icon=":material/warning:",
            )
    lines = []
    if waiting := queue.get("outbox_waiting"):
        since_us = queue.get("outbox_since_us")
        oldest = f" (the oldest came {ago(since_us, now_us)})" if since_us else ""
        lines.append(
            f"{count(waiting)} failure{'s' if waiting != 1 else ''} still "
            f"wait{'s' if waiting == 1 else ''} in the outbox to be published to {topic}{oldest}."
        )
    if behind := queue.get("behind"):
        lines.append(f"{count(behind)} on {topic} are not read back yet.")
    st.caption(" ".join(lines) or f"Every failure is on {topic} and read back.")
