"""Replay plans in words: how they stand and what is to be done about it.

Pure functions. What they return is Markdown, with foreign text in it escaped.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from dashboard.components.notices import Notice
from dashboard.formats import count, duration, rate
from dashboard.letters.triage_words import BadgeColour, joined, n_are, sentence
from producer_agent.store.queries.replays import Plan, PlanCounts
from producer_agent.store.replay_plans import OVER, UNDER_WAY, PlanRow

STATES: Final[Mapping[str, tuple[str, BadgeColour]]] = MappingProxyType(
    {
        "planning": (":material/pending:", "blue"),
        "planned": (":material/list_alt:", "blue"),
        "running": (":material/play_circle:", "violet"),
        "pausing": (":material/pause_circle:", "orange"),
        "paused": (":material/pause_circle:", "orange"),
        "stopped": (":material/report:", "red"),
        "cancelling": (":material/cancel:", "gray"),
        "cancelled": (":material/cancel:", "gray"),
        "failed": (":material/error:", "red"),
        "done": (":material/check_circle:", "green"),
    }
)
"""Icon and badge colour of each state of a plan."""

_COUNTS_ONLY: Final = re.compile(r"[\d,]+ sent(, [\d,]+ came back)?")


def answer(open_plans: Sequence[Plan], all_plans: int) -> Notice:
    """How things stand with all replays: what runs, what waits for somebody, what stopped."""
    running = [plan for plan in open_plans if plan.row.state in UNDER_WAY]
    stopped = [plan for plan in open_plans if plan.row.state == "stopped"]
    waiting = [plan for plan in open_plans if plan.row.state in ("planned", "paused")]
    rest = _waiting(waiting)
    if stopped:
        first = stopped[0].row
        others = f", and {len(stopped) - 1} more" if len(stopped) > 1 else ""
        return Notice(
            "warning",
            f"Plan {first.id} stopped by itself{others}",
            f"{sentence(first.reason)} Open it to resume or to cancel. {_running(running)}{rest}",
            ":material/report:",
        )
    if running:
        return Notice("info", _running(running).rstrip("."), rest, ":material/play_circle:")
    if waiting:
        return Notice("info", "Nothing is being sent back", rest, ":material/list_alt:")
    if all_plans:
        return Notice(
            "success",
            "Nothing is being sent back",
            "Every plan is over: below is what came of each.",
            ":material/check_circle:",
        )
    return Notice(
        "info",
        "Nothing was ever sent back from here",
        "Choose what to send on [Dead letters](dead_letters): one record, those that you tick, a "
        "whole cause, or all that match a filter. **Plan a replay…** shows what would go where "
        "before anything is sent.",
        ":material/inbox:",
    )


def verdict(plan: Plan) -> Notice:
    """How one plan stands, and what to do about it."""
    row, counts = plan.row, plan.counts
    icon = STATES[row.state][0]
    landed = f"{count(counts.done)} of {count(counts.to_send)} records landed"
    match row.state:
        case "planning":
            return Notice("info", "It is being planned", f"{_words(row)}Nothing is sent.", icon)
        case "planned":
            return Notice("info", _ready(counts), _kept_back(counts), icon)
        case "running":
            text = f"{_step(row)}{_back(counts)}"
            return Notice("info", f"It is running: {landed}", text, icon)
        case "pausing" | "cancelling":
            doing = "paused" if row.state == "pausing" else "cancelled"
            title = f"It is being {doing}: {landed}"
            return Notice("info", title, "The batch under way is finished first.", icon)
        case "paused":
            why = f"{sentence(row.reason)} " if row.reason else ""
            return Notice(
                "warning",
                f"It is paused: {landed}",
                f"{why}**Resume** goes on where it is; nothing is sent twice. {_back(counts)}",
                icon,
            )
        case "stopped":
            return Notice(
                "error",
                f"It stopped by itself: {landed}",
                f"{sentence(row.reason)} **Resume** goes on with the rest, which is judged by "
                "what comes back from then on. **Cancel** leaves the rest where it is.",
                icon,
            )
        case "failed":
            return Notice(
                "error",
                "It failed",
                f"{sentence(row.reason)} {_landed(counts)} The rest can be planned again.",
                icon,
            )
        case "cancelled":
            left = counts.by_state.get("cancelled", 0)
            return Notice(
                "info",
                f"It was cancelled: {landed}",
                f"{n_are(left, 'was', 'were')} not sent.",
                icon,
            )
        case _:
            return _done(counts, landed, icon)


def cancelling(plan: Plan) -> str:
    """What it means to cancel it now."""
    counts = plan.counts
    landed = (
        f"The {count(counts.done)} that landed stay where they are."
        if counts.done
        else "Nothing was sent so far."
    )
    if plan.row.state == "planning":
        return f"**Nothing of it will be sent.** {landed}"
    return (
        f"**The {count(counts.left)} that were not sent yet will not be sent.** They can be "
        f"planned again. {landed}"
    )


def share(counts: PlanCounts) -> float:
    """How far it is, 0 to 1: what landed or will never, of what was to be sent."""
    if counts.to_send <= 0:
        return 1.0
    return min(max((counts.to_send - counts.left) / counts.to_send, 0.0), 1.0)


def progress(plan: Plan) -> str:
    """``1,204 of 40,000 landed · 3 came back · 812/s, about 48 s left``."""
    counts = plan.counts
    parts = [f"{count(counts.done)} of {count(counts.to_send)} landed"]
    if failed := counts.by_state.get("failed", 0):
        parts.append(f"{count(failed)} failed")
    if counts.came_back:
        parts.append(f"{count(counts.came_back)} came back")
    if plan.row.state == "running" and counts.rate_per_s:
        left = duration(counts.left / counts.rate_per_s)
        parts.append(f"{rate(counts.rate_per_s)}, about {left} left")
    return " · ".join(parts)


def _running(running: Sequence[Plan]) -> str:
    if not running:
        return ""
    done = sum(plan.counts.done for plan in running)
    to_send = sum(plan.counts.to_send for plan in running)
    back = sum(plan.counts.came_back for plan in running)
    which = (
        f"Plan {running[0].row.id} is under way"
        if len(running) == 1
        else f"{len(running)} plans are under way"
    )
    returned = f", {count(back)} came back" if back else ""
    return f"{which}: {count(done)} of {count(to_send)} records landed{returned}. "


def _waiting(waiting: Sequence[Plan]) -> str:
    if not waiting:
        return ""
    if len(waiting) == 1:
        row = waiting[0].row
        return f"Plan {row.id} is {row.state}: it waits for somebody to run or to cancel it."
    return f"{len(waiting)} plans wait for somebody to run or to cancel them."


def _ready(counts: PlanCounts) -> str:
    if not counts.to_send:
        return "There is nothing to send: every record is refused or lies on its target already"
    return (
        f"It is ready, and nothing was sent yet: {count(counts.to_send)} "
        f"record{'' if counts.to_send == 1 else 's'} would go"
    )


def _kept_back(counts: PlanCounts) -> str:
    parts = []
    if refused := counts.by_state.get("refused", 0):
        parts.append(f"**{n_are(refused)} refused**, see why below")
    if already := counts.by_state.get("already", 0):
        parts.append(f"**{n_are(already)} on the target already**, and skipped")
    return f"{joined(parts)}." if parts else "Look it over below, then run it."


def _done(counts: PlanCounts, landed: str, icon: str) -> Notice:
    failed, back = counts.by_state.get("failed", 0), counts.came_back
    parts = []
    if failed:
        parts.append(f"**{count(failed)} failed**: the cluster refuses them, see below.")
    if back:
        parts.append(f"**{count(back)} came back** as dead letters: their cause is not mended.")
    if refused := counts.by_state.get("refused", 0):
        parts.append(f"{n_are(refused, 'was', 'were')} refused before anything was sent.")
    if already := counts.by_state.get("already", 0):
        parts.append(f"{n_are(already, 'was', 'were')} on the target already.")
    if not parts:
        parts.append("None of them came back so far.")
    severe = failed or back
    return Notice(
        "warning" if severe else "success", f"It is done: {landed}", " ".join(parts), icon
    )


def _landed(counts: PlanCounts) -> str:
    return f"{count(counts.done)} of {count(counts.to_send)} records landed before."


def _back(counts: PlanCounts) -> str:
    if not counts.came_back:
        return "None came back so far."
    return f"**{count(counts.came_back)} came back** as dead letters."


def _words(row: PlanRow) -> str:
    return f"{sentence(row.progress)} " if row.progress else ""


def _step(row: PlanRow) -> str:
    """What it is at, where that is more than how many were sent: the progress bar tells that."""
    return "" if row.progress and _COUNTS_ONLY.fullmatch(row.progress) else _words(row)


def is_over(row: PlanRow) -> bool:
    """Whether nothing more will be sent."""
    return row.state in OVER
