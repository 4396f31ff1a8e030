"""How things stand with the dead letters, in sentences: what waits, why, what is on its way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st
from sqlite_utils import Database

from dashboard.formats import ago, code_span, count, escape_markdown
from dashboard.letters.triage_words import joined, n_are
from producer_agent.delivery.errors import BY_NAME
from producer_agent.store import facts
from producer_agent.store.queries.letter_groups import LetterGroup


def on_the_way(db: Database) -> dict[str, Any]:
    """The agent's fact about the queue; empty before it wrote one."""
    fact = facts.get(db, "letters")
    return {} if fact is None else dict(fact.body)


def answer(open_ones: Sequence[LetterGroup], now_us: int) -> None:
    """How many letters ask for a decision and of how many causes, what most of them are, what is
    new among them, and when the last came.

    Args:
        open_ones: The causes with open letters, counting only those; most frequent first.
        now_us: UTC microseconds.
    """
    if not open_ones:
        st.success("**No dead letter waits for a decision.**", icon=":material/check_circle:")
        return
    total, first = sum(group.count for group in open_ones), open_ones[0]
    newest = max(group.last_seen_us for group in open_ones)
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
    causes = f", of {count(len(open_ones))} causes" if len(open_ones) > 1 else ""
    st.info(
        f"**{count(total)} dead letter{'s wait' if total > 1 else ' waits'} for a "
        f"decision{causes}.** {share} {cause}. {_marked(open_ones)}"
        f"The newest came {ago(newest, now_us)}.",
        icon=":material/mark_email_unread:",
    )


def _marked(groups: Sequence[LetterGroup]) -> str:
    """``1 cause regressed, 2 are new; 14 letters came back from replays.``"""
    regressed = sum(group.is_regressed for group in groups)
    new = sum(group.is_new for group in groups)
    back = sum(group.came_back for group in groups)
    said = []
    if regressed:
        said.append(
            f"**{count(regressed)} regressed** (came back after "
            f"{'it was' if regressed == 1 else 'they were'} resolved)"
        )
    if new:
        said.append(f"**{n_are(new)} new**")
    words = f"Of the causes {joined(said)}. " if said else ""
    if back:
        words += f"**{count(back)} came back** from replays. "
    return words


def tell(queue: dict[str, Any], now_us: int) -> None:
    """What is not in the list yet, and what keeps it from being there."""
    topic = code_span(str(queue.get("topic") or "the dead-letter topic"))
    topics = queue.get("topics") or []
    for what, error in (
        (f"published to {topic}", queue.get("publisher_error")),
        ("read", queue.get("consumer_error")),
    ):
        if error:
            st.warning(
                f"Dead letters cannot be {what}: {escape_markdown(str(error))}",
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
    where = topic if len(topics) < 2 else f"{len(topics)} dead-letter topics"
    unread = any(each.get("warnings") for each in topics)
    if behind := queue.get("behind"):
        lines.append(f"{n_are(behind)} on {where} and not read yet.")
    if not lines:
        everything = "Every failure is published" if queue else "The agent has told nothing yet"
        all_read = (
            f"{everything}; what can be read of {where} is."
            if unread
            else (f"{everything}; all of {where} is read.")
        )
        lines.append(all_read if queue else f"{everything}.")
    st.caption(" ".join(lines))
