"""One diagnosis: the answer, what follows, what still works, what to do, what is not known."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from dashboard import context
from dashboard.cluster import cluster_acts
from dashboard.diagnosis.diagnosis_words import SAFETIES, STATES, in_zone, markdown
from dashboard.formats import NOTHING, ago, code_span, visible
from producer_agent.advice.diagnosis.diagnosis import Diagnosis, Evidence, Option


def draw(found: Diagnosis, now_us: int, *, opened: bool, key: str) -> None:
    """A box of it.

    Args:
        opened: Whether all of it is shown at once; else the headline, and the rest by a press.
        key: Of its elements; one a topic, so that it stands still while others come and go.
    """
    zone = context.zone()
    with st.container(border=True, key=key, gap="small"):
        head(found, now_us)
        st.markdown(f"**{markdown(found.headline, zone, now_us)}**")
        with st.expander(
            "Why, and what to do",
            expanded=opened,
            icon=":material/stethoscope:",
            key=f"{key}-{'opened' if opened else 'folded'}",
        ):
            details(found, now_us, key=key)


def head(found: Diagnosis, now_us: int) -> None:
    """Topic, state and code, and how old the facts are."""
    word, icon, colour = STATES[found.state]
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(code_span(found.topic), width="content")
        st.badge(word, icon=icon, color=colour)
        if found.code is not None:
            st.badge(visible(found.code), color="gray")
        st.caption(f"facts of {ago(found.at_us, now_us)}", width="content")


def details(found: Diagnosis, now_us: int, *, key: str, acts: bool = True) -> None:
    """All but the headline.

    Args:
        acts: Whether an injected fault can be undone here; else it is only told.
    """
    zone = context.zone()
    _sentences("What follows", [markdown(text, zone, now_us) for text in found.findings])
    _sentences(
        "What still works, and at which price",
        [
            f"**{markdown(works.what, zone, now_us)}** {markdown(works.price, zone, now_us)}"
            for works in found.still_works
        ],
    )
    if found.options:
        st.markdown("**What to do, the safest first**")
        for number, option in enumerate(found.options, 1):
            _option(number, option, now_us, f"{key}-option-{number}", acts=acts)
    _sentences("Not known", [markdown(text, zone, now_us) for text in found.not_known])
    evidence(found.facts, now_us, key=f"{key}-facts")
    _partitions(found, key)


def evidence(told: Sequence[Evidence], now_us: int, *, key: str) -> None:
    """A table of facts, each with who told it and how old it is."""
    if not told:
        return
    zone = context.zone()
    st.markdown("**The facts**")
    st.dataframe(
        {
            "Fact": [visible(fact.label) for fact in told],
            "Value": [visible(in_zone(fact.value, zone, now_us)) for fact in told],
            "Age": [NOTHING if fact.at_us is None else ago(fact.at_us, now_us) for fact in told],
            "Told by": [visible(fact.source) for fact in told],
        },
        column_config={
            "Fact": st.column_config.TextColumn(width=190),
            "Value": st.column_config.TextColumn(width=400),
            "Age": st.column_config.TextColumn(width=90),
        },
        hide_index=True,
        height="content" if len(told) <= 9 else 352,
        key=key,
        alt="Facts of the diagnosis, with their source and age",
    )


def _option(number: int, option: Option, now_us: int, key: str, *, acts: bool) -> None:
    zone = context.zone()
    word, icon, colour = SAFETIES[option.safety]
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"{number}. **{markdown(option.title, zone, now_us)}**", width="content")
        st.badge(word, icon=icon, color=colour)
    st.caption(markdown(option.costs, zone, now_us))
    if option.command is not None:
        st.code(visible(option.command), language="bash", wrap_lines=True)
    if (
        option.undo_fault is not None
        and acts
        and st.button(
            "Undo this injected fault", icon=":material/undo:", type="primary", key=f"{key}-undo"
        )
    ):
        cluster_acts.undo(option.undo_fault, "The fault is undone.")


def _sentences(title: str, lines: Sequence[str]) -> None:
    if lines:
        st.markdown(f"**{title}**\n" + "".join(f"\n- {line}" for line in lines))


def _partitions(found: Diagnosis, key: str) -> None:
    sick = [partition for partition in found.partitions if partition.words != "in sync"]
    if not sick:
        return
    st.markdown("**Its partitions that are not whole**")
    st.dataframe(
        {
            "Partition": [partition.partition for partition in sick],
            "State": [visible(partition.words) for partition in sick],
            "Leader": [NOTHING if p.leader is None else str(p.leader) for p in sick],
            "In sync": [", ".join(map(str, p.isrs)) or NOTHING for p in sick],
            "Replicas": [", ".join(map(str, p.replicas)) or NOTHING for p in sick],
        },
        hide_index=True,
        height="content" if len(sick) <= 6 else 247,
        key=f"{key}-partitions",
    )
