"""The advice: first what cannot be had, then each setting with its reason and price."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import streamlit as st

from dashboard.advisor.advisor_answers import Asked
from dashboard.components.notices import Notice, Severity, show
from dashboard.formats import NOTHING, code_span, escape_markdown, visible
from producer_agent.advice.advisor import words
from producer_agent.advice.advisor.advice import Advice, Choice, Conflict, Evidence

_ALERTS: Final[dict[str, tuple[Severity, str, str]]] = {
    "impossible": ("error", "Impossible as asked", ":material/block:"),
    "contradiction": ("warning", "The answers contradict each other", ":material/compare_arrows:"),
}


def answer(asked: Sequence[Asked], advices: Sequence[Advice]) -> None:
    """What comes of all answers, a sentence each."""
    wrong = [one for one in asked if one.question is None]
    lines = [_sentence(advice) for advice in advices]
    lines += [f"**{escape_markdown(one.name)}**: an answer has to be mended." for one in wrong]
    if len(lines) > 1:
        lines = [f"- {line}" for line in lines]
    text = "\n".join(lines)
    if wrong or not all(advice.is_possible for advice in advices):
        st.error(text, icon=":material/block:")
    elif any(c.kind == "contradiction" for advice in advices for c in advice.conflicts):
        st.warning(text, icon=":material/compare_arrows:")
    else:
        st.success(text, icon=":material/recommend:")


def conflicts(advices: Sequence[Advice]) -> None:
    """What is impossible or contradictory, and then what is dearer than it looks."""
    several = len(advices) > 1
    for kind, (severity, title, icon) in _ALERTS.items():
        for advice, conflict in _of_kind(advices, kind):
            of = f"{escape_markdown(advice.question.name)}: " if several else ""
            show(
                Notice(
                    severity,
                    f"{of}{title}",
                    f"{escape_markdown(conflict.message)} **{escape_markdown(conflict.mend)}**",
                    icon,
                )
            )
    prices = _of_kind(advices, "price")
    if prices:
        lines = [
            "- "
            + (f"**{escape_markdown(advice.question.name)}**: " if several else "")
            + f"{escape_markdown(c.message)} *{escape_markdown(c.mend)}*"
            for advice, c in prices
        ]
        st.info("\n".join(lines), title="What is easily overlooked", icon=":material/sell:")


def side_by_side(advices: Sequence[Advice]) -> None:
    """All types of event in one table; nothing where there is one."""
    if len(advices) < 2:
        return
    st.subheader("Side by side", anchor=False)
    rows = words.side_by_side(advices)
    columns = {"Setting": [visible(name) for name, _ in rows]}
    for at, advice in enumerate(advices):
        columns[visible(advice.question.name)] = [visible(v[at] or NOTHING) for _, v in rows]
    st.dataframe(
        columns,
        hide_index=True,
        height="content",
        column_config={"Setting": st.column_config.TextColumn(pinned=True)},
        key="advisor-side-by-side",
    )


def settings(advice: Advice) -> None:
    """Each setting of one type of event: value, reason, price and source."""
    st.subheader(f"{escape_markdown(advice.question.name)}: why, and at which price", anchor=False)
    st.caption(escape_markdown(f"{advice.transactions} {words.objective(advice)}"))
    st.markdown("**Producer**")
    _cards(advice.producer)
    st.markdown("**Topic**")
    _cards(advice.topic)


def evidence(advices: Sequence[Advice], compare_page: str | None) -> None:
    """What was measured here that bears on the advice, or how to measure it."""
    st.subheader("Measured here", anchor=False)
    seen: dict[Evidence, None] = {}
    for advice in advices:
        seen |= dict.fromkeys(found for found in advice.support if found.replicates)
    if not seen:
        st.caption(escape_markdown(words.evidence(advices[0])[0]))
        if compare_page is not None:
            st.page_link(compare_page, label="Compare profiles", icon=":material/compare_arrows:")
        return
    for found in seen:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(escape_markdown(words.measured(found)), width="content")
            if compare_page is not None and found.comparison is not None:
                st.page_link(
                    compare_page,
                    label=f"Comparison {found.comparison}",
                    icon=":material/compare_arrows:",
                    query_params={"comparison": str(found.comparison)},
                )


def _sentence(advice: Advice) -> str:
    if not advice.is_possible:
        reasons = len(_of_kind([advice], "impossible"))
        why = "for the reason" if reasons == 1 else f"for {reasons} reasons"
        return (
            f"**{escape_markdown(advice.question.name)}**: what was asked cannot be had, {why} "
            "below. The settings are the nearest that can."
        )
    name, _, rest = words.answer(advice).partition(": ")
    return f"**{escape_markdown(name)}**: {escape_markdown(rest)}"


def _of_kind(advices: Sequence[Advice], kind: str) -> list[tuple[Advice, Conflict]]:
    return [(a, conflict) for a in advices for conflict in a.conflicts if conflict.kind == kind]


def _cards(choices: Sequence[Choice]) -> None:
    grid = st.grid(3, min_column_width=300)
    for choice in choices:
        with grid.cell(), st.container(border=True, height="stretch", gap="small"):
            st.markdown(
                f"{code_span(f'{choice.name} = {choice.shown}')}  \n"
                f"{escape_markdown(choice.reason)}"
            )
            source = (choice.source or "").replace("`", "")
            source = f"  \n*{escape_markdown(source)}*" if source else ""
            st.caption(f":material/sell: {escape_markdown(choice.cost)}{source}")
