"""Automatic replays: the form beside a cause, and the list of all of them."""

from __future__ import annotations

from typing import Any, Final

import streamlit as st

from dashboard import context
from dashboard.formats import code_span, count, duration, escape_markdown
from producer_agent.commands import Command
from producer_agent.replay.options import CAUTIOUS_RAMP
from producer_agent.store.queries import replays
from producer_agent.store.queries.replays import RuleView
from producer_agent.store.replay_rules import DEFAULT_CAP_PER_HOUR, DEFAULT_DELAY_S, Rule

DEFAULT_STOP: Final = 0.2

DEAD_LETTERS_PAGE: Final = "views/dead_letters.py"


def form(cause: str) -> None:
    """A popover in which the automatic replay of a cause is made, changed or dropped.

    Args:
        cause: Its fingerprint.
    """
    rule = context.read(lambda db: replays.rule_of_cause(db, cause))
    is_on = rule is not None and rule.enabled
    label = "Automatic: on" if is_on else "Automatic: off" if rule else "Automatic…"
    with st.popover(label, icon=":material/autorenew:", key="rule-popover"):
        st.markdown("**Send letters of this cause back by themselves**")
        st.caption(
            "For a cause that is known to pass, such as a service that restarts. Each letter is "
            "sent once; the rule switches itself off when too many come back."
        )
        if rule is not None and rule.stopped_reason:
            st.warning(
                f"It switched itself off: {escape_markdown(rule.stopped_reason)}.",
                icon=":material/front_hand:",
            )
        asked = _fields(rule, cause)
        with st.container(horizontal=True, gap="small"):
            saved = st.button(
                "Save" if rule else "Switch on",
                type="primary",
                icon=":material/autorenew:",
                key="rule-save",
            )
            if rule is not None and st.button(
                "Delete", icon=":material/delete:", type="tertiary", key="rule-delete"
            ):
                context.act(Command.REPLAY_RULE_DELETE, {"rule": rule.id})
                st.rerun()
        if saved and context.act(Command.REPLAY_RULE_SAVE, {**asked, "cause": cause}) is not None:
            st.rerun()


def table() -> None:
    """All rules with what they did within an hour; nothing where there is none."""
    found = context.read(replays.rules)
    if not found:
        return
    st.subheader("Automatic", anchor=False)
    for view in found:
        with st.container(border=True, key=f"rule-{view.rule.id}", gap="small"):
            _line(view)


def words(rule: Rule) -> str:
    """``after 10 min, up to 100 an hour, ramp 1, 10, stops at 20% come back``."""
    ramp = rule.options.get("ramp") or []
    share = rule.options.get("stop_share", DEFAULT_STOP)
    parts = [f"after {duration(rule.delay_s)}", f"up to {count(rule.cap_per_hour)} an hour"]
    if ramp:
        parts.append(f"ramp {', '.join(map(str, ramp))}")
    parts.append("never stops by itself" if share is None else f"stops at {share:.0%} come back")
    return ", ".join(parts)


def _fields(rule: Rule | None, cause: str) -> dict[str, Any]:
    options: dict[str, Any] = dict(rule.options) if rule else {"ramp": list(CAUTIOUS_RAMP)}
    enabled = st.toggle("On", value=rule is None or rule.enabled, key=f"rule-enabled-{cause}")
    delay = st.number_input(
        "Minutes after it was dead-lettered",
        min_value=0.0,
        max_value=43_200.0,
        value=rule.delay_s / 60 if rule else DEFAULT_DELAY_S / 60,
        step=1.0,
        key=f"rule-delay-{cause}",
    )
    cap = st.number_input(
        "At most so many an hour",
        min_value=1,
        max_value=1_000_000,
        value=rule.cap_per_hour if rule else DEFAULT_CAP_PER_HOUR,
        key=f"rule-cap-{cause}",
    )
    stop = st.slider(
        "Switch off when so many come back",
        min_value=1,
        max_value=100,
        value=round(100 * (options.get("stop_share") or DEFAULT_STOP)),
        format="%d%%",
        key=f"rule-stop-{cause}",
    )
    cautious = st.checkbox(
        f"First {CAUTIOUS_RAMP[0]}, then {CAUTIOUS_RAMP[1]}, then the rest",
        value=bool(options.get("ramp")),
        key=f"rule-ramp-{cause}",
    )
    options["ramp"] = list(CAUTIOUS_RAMP) if cautious else []
    options["stop_share"] = stop / 100
    return {
        "enabled": enabled,
        "delay_s": delay * 60,
        "cap_per_hour": int(cap),
        "options": options,
    }


def _line(view: RuleView) -> None:
    rule, lately = view.rule, view.lately
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if rule.enabled:
            st.badge("on", icon=":material/autorenew:", color="green")
        else:
            st.badge("off", icon=":material/pause:", color="gray")
        st.markdown(code_span(view.title), width="stretch")
        if view.cause is not None:
            st.page_link(
                DEAD_LETTERS_PAGE,
                label="Its letters",
                icon=":material/arrow_forward:",
                query_params={"cause": str(view.cause)},
                width="content",
            )
    st.caption(
        f"{words(rule)}; made by {escape_markdown(rule.made_by)}. Within the last hour: "
        f"{count(lately.sent)} sent, {count(lately.came_back)} came back."
    )
    if rule.stopped_reason:
        st.warning(
            f"It switched itself off: {escape_markdown(rule.stopped_reason)}. Mend the cause, "
            "then switch it on beside its letters.",
            icon=":material/front_hand:",
        )
