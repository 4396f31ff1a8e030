"""One replay plan: how it stands, what can be done with it, what it will do or did."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

import streamlit as st
from sqlite_utils import Database

from dashboard import context, formats
from dashboard.components import notices
from dashboard.formats import NOTHING, ago, code_span, count, escape_markdown, visible
from dashboard.replays import plan_dialog, plan_list, plan_records, plan_review, plan_words
from producer_agent.commands import Command
from producer_agent.store.clock import now_us
from producer_agent.store.queries import replays
from producer_agent.store.queries.replays import Plan

AGAIN: Final = ("failed", "cancelled")
"""States of records that were not sent, and can be planned again."""

MOST_AGAIN: Final = 100_000
"""Records that are planned again by name."""

PARTITIONS_SHOWN: Final = 100

SAME_PRESS_S: Final = 5.0
"""Two calls of one button within it are one press."""


def draw(plan: Plan) -> None:
    """All of it."""
    _title(plan)
    with st.container(key="plan-verdict"):
        notices.show(plan_words.verdict(plan))
    if plan.row.state not in ("planning", "planned"):
        st.progress(plan_words.share(plan.counts), text=plan_words.progress(plan))
    _buttons(plan)
    if plan.row.state == "planning":
        return
    st.subheader(
        "What it does" if not plan_words.is_over(plan.row) else "What it did", anchor=False
    )
    _what(plan)
    plan_records.draw(plan)


def close() -> None:
    """Make the URL ask for no plan; for a callback."""
    for name in (plan_list.PARAMETER, plan_records.PARAMETER):
        st.query_params.pop(name, None)


def _title(plan: Plan) -> None:
    row = plan.row
    with st.container(
        horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"
    ):
        with st.container(
            horizontal=True, vertical_alignment="center", gap="small", width="content"
        ):
            st.markdown(f"**Plan {row.id}: {escape_markdown(row.title)}**", width="content")
            icon, colour = plan_words.STATES[row.state]
            st.badge(row.state, icon=icon, color=colour)
            if row.rule is not None:
                st.badge(f"by rule {row.rule}", icon=":material/autorenew:", color="gray")
        st.button(
            "All plans",
            icon=":material/arrow_back:",
            type="tertiary",
            on_click=close,
            key="plan-close",
        )
    now = now_us()
    told = [f"made by {escape_markdown(row.made_by)} {ago(row.made_us, now)}"]
    if row.started_us is not None:
        told.append(f"begun {ago(row.started_us, now)}")
    if row.started_us is not None and row.ended_us is not None:
        told.append(
            f"over {ago(row.ended_us, now)}, after "
            f"{formats.duration((row.ended_us - row.started_us) / 1e6)}"
        )
    if row.options.get("force"):
        told.append(f"forced, because: {escape_markdown(str(row.options['force']))}")
    st.caption(" · ".join(told))


def _buttons(plan: Plan) -> None:
    state, id_ = plan.row.state, plan.row.id
    with st.container(horizontal=True, gap="small", key="plan-buttons"):
        if state == "planned" and plan.counts.to_send:
            _button("Run", ":material/play_arrow:", partial(_ask, Command.REPLAY_RUN, id_))
            if plan.row.options.get("ramp"):
                st.button(
                    "Plan it without a ramp",
                    icon=":material/fast_forward:",
                    help="A new plan of the same letters that sends all at once; this one is "
                    "cancelled.",
                    on_click=_without_ramp,
                    args=(plan,),
                    key="plan-no-ramp",
                )
        if state in ("paused", "stopped"):
            _button("Resume", ":material/play_arrow:", partial(_ask, Command.REPLAY_RUN, id_))
        if state == "running":
            _button("Pause", ":material/pause:", partial(_ask, Command.REPLAY_PAUSE, id_))
        if not plan_words.is_over(plan.row) and state != "cancelling":
            _cancel(plan)
        again = sum(plan.counts.by_state.get(name, 0) for name in AGAIN)
        if plan_words.is_over(plan.row) and again:
            st.button(
                f"Plan the {count(again)} again that were not sent",
                icon=":material/replay:",
                on_click=_again,
                args=(plan,),
                key="plan-again",
            )


def _button(label: str, icon: str, act: Any) -> None:
    st.button(label, type="primary", icon=icon, on_click=act, key=f"plan-{label.lower()}")


def _cancel(plan: Plan) -> None:
    with st.popover("Cancel…", icon=":material/cancel:", key="plan-cancel-popover"):
        st.markdown(plan_words.cancelling(plan))
        st.button(
            "Cancel the plan",
            icon=":material/cancel:",
            on_click=_ask,
            args=(Command.REPLAY_CANCEL, plan.row.id),
            key="plan-cancel",
        )


def _what(plan: Plan) -> None:
    findings, options = plan.row.findings, plan.row.options
    targets = findings.get("targets", {})
    if targets:
        _targets(targets)
    said = [
        plan_review.pace(options),
        plan_review.order(options),
        plan_review.keys(findings),
        plan_review.groups(findings) if targets else None,
        *plan_review.headers(findings, options),
        _edited(findings),
        plan_review.doubt(findings, plan.counts.by_state.get("already", 0)),
        plan_review.method(plan),
    ]
    st.markdown("\n".join(f"- {words}" for words in said if words))


def _edited(findings: Mapping[str, Any]) -> str | None:
    edited = findings.get("edited", 0)
    if not edited:
        return None
    if edited == 1:
        return "**1 record was edited**: what it was edited to is sent."
    return f"**{count(edited)} records were edited**: what they were edited to is sent."


def _targets(targets: Mapping[str, Mapping[str, Any]]) -> None:
    rows = [(name, target) for name, target in targets.items() if target.get("records")]
    if not rows:
        return
    st.dataframe(
        {
            "To topic": [visible(name) for name, _ in rows],
            "Records": [target["records"] for _, target in rows],
            "Partitions": [_number(target.get("partitions")) for _, target in rows],
            "Number it had": [target.get("kept_partition", 0) for _, target in rows],
            "By its key": [target.get("by_key", 0) for _, target in rows],
            "Anywhere": [target.get("anywhere", 0) for _, target in rows],
            "By partition": [_spread(target) for _, target in rows],
        },
        column_config={
            "To topic": st.column_config.TextColumn(width=190),
            "Records": st.column_config.NumberColumn(width=80, format="localized"),
            "Partitions": st.column_config.TextColumn(width=80),
            "Number it had": st.column_config.NumberColumn(
                width=100, format="localized", help="Records that keep their partition's number."
            ),
            "By its key": st.column_config.NumberColumn(
                width=80, format="localized", help="Records whose partition follows from the key."
            ),
            "Anywhere": st.column_config.NumberColumn(
                width=80, format="localized", help="No key, and no partition that is known."
            ),
            "By partition": st.column_config.BarChartColumn(
                width=150, y_min=0, help="Records by partition, the first partition left."
            ),
        },
        hide_index=True,
        height="content" if len(rows) <= 8 else 320,
        key="plan-targets",
        alt="Where the records go",
    )


def _spread(target: Mapping[str, Any]) -> list[int]:
    """Records by partition, from partition 0 on; a spread over very many is cut."""
    by_partition = target.get("by_partition", {})
    partitions = min(target.get("partitions") or 0, PARTITIONS_SHOWN)
    return [int(by_partition.get(str(at), 0)) for at in range(partitions)]


def _number(n: int | None) -> str:
    return NOTHING if n is None else count(n)


def _ask(kind: Command, plan: int) -> None:
    """For a callback."""
    context.act(kind, {"plan": plan})


def _make_once(plan: Plan, make: Callable[[], int | None]) -> None:
    """Make a plan in place of another, and show it.

    One press can call a callback twice: a part that refreshes itself takes along whatever is
    pressed, and then the press's own run comes.
    """
    key = f"plan-in-place-of-{plan.row.id}"
    made, at_s = st.session_state.get(key, (None, 0.0))
    if made is None or time.monotonic() - at_s > SAME_PRESS_S:
        made = make()
        st.session_state[key] = (made, time.monotonic())
    if made is not None:
        st.query_params[plan_list.PARAMETER] = str(made)


def _without_ramp(plan: Plan) -> None:
    def make() -> int | None:
        options = {name: value for name, value in plan.row.options.items() if name != "ramp"}
        made = plan_dialog.make(plan.row.selection, options, plan.row.title)
        if made is not None:
            _ask(Command.REPLAY_CANCEL, plan.row.id)
        return made

    _make_once(plan, make)


def _again(plan: Plan) -> None:
    def not_sent(db: Database) -> list[int]:
        rows = replays.records(db, plan.row.id, states=AGAIN, limit=MOST_AGAIN)
        return [row.dead_letter for row in rows]

    letters = context.read(not_sent)
    title = f"Again: {plan.row.title}"[: plan_dialog.LONGEST_TITLE]
    _make_once(plan, lambda: plan_dialog.make({"dead_letters": letters}, plan.row.options, title))


def not_there(asked: str) -> None:
    """The URL asks for a plan that is none."""
    st.warning(
        f"There is no plan {code_span(asked)} here: it may have been made in another database.",
        icon=":material/search_off:",
    )
    st.button("All plans", icon=":material/arrow_back:", on_click=close, key="plan-close")
