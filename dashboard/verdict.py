"""Is it being delivered, now? The Overview's answer in words, and the state of each card.

Pure: it judges what the queries found, and writes the sentence that a tired reader needs first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Literal
from urllib.parse import urlencode

from dashboard.components.notices import Notice, is_silent, problems
from dashboard.diagnosis import diagnosis_words
from dashboard.formats import (
    code_span,
    count,
    escape_markdown,
    latency,
    one_in,
    percent,
    rate,
    times,
)
from producer_agent.advice.diagnosis.diagnosis import Diagnosis, State
from producer_agent.delivery.errors import BY_NAME
from producer_agent.store.queries.health import Health
from producer_agent.store.queries.watch import CauseSummary, LevelSummary, ProfileSummary

BadgeColor = Literal["green", "red", "orange", "gray", "blue"]


@dataclass(frozen=True, slots=True)
class Badge:
    """A card's state as word, icon and colour."""

    word: str
    icon: str
    color: BadgeColor


def notices(
    now: Health,
    levels: Sequence[LevelSummary],
    causes: Sequence[CauseSummary],
    range_words: str,
    now_us: int,
    zone: tzinfo,
    diagnosed: Sequence[Diagnosis] = (),
) -> list[Notice]:
    """What is to be said, the answer first; never empty.

    Args:
        range_words: The window as shown, such as ``15 min``.
        diagnosed: What is the matter with topics now, the worst first.
    """
    wrong = problems(now, now_us, zone)
    if is_silent(now, now_us) or any(notice.severity == "error" for notice in wrong):
        return wrong
    delivery = _delivery(now, levels, causes, range_words)
    matters = _matters(diagnosed, now_us, zone)
    # What is the matter now comes before what the figures of the whole window do not show yet.
    if any(notice.severity == "error" for notice in matters) and delivery.severity != "error":
        return [*matters, delivery, *wrong]
    return [delivery, *matters, *wrong]


def badge(level: LevelSummary) -> Badge:
    """The state of an acks level."""
    if any(profile.burns for profile in level.profiles):
        return Badge("burning", ":material/local_fire_department:", "red")
    if any(profile.refuses for profile in level.profiles):
        return Badge("refusing", ":material/block:", "red")
    if any(profile.is_slow for profile in level.profiles):
        return Badge("slow", ":material/speed:", "orange")
    if level.acks == "0":
        return Badge("no proof", ":material/help:", "gray")
    if not level.counts.reported:
        return Badge("no reports", ":material/pause_circle:", "gray")
    if level.tightest_objective is None:
        return Badge("no objective", ":material/flag:", "gray")
    return Badge("healthy", ":material/check_circle:", "green")


def objective_words(profile: ProfileSummary) -> str:
    """How a profile stands against its success objective (plain text)."""
    objective = profile.success_objective
    if profile.acks == "0":
        return "nothing proves a delivery"
    if objective is None:
        return "no success objective"
    burn = profile.burn_rate
    if burn is None:
        return f"objective {percent(objective)}"
    if profile.burns:
        return f"objective {percent(objective)}: fails {times(burn)} times too often"
    if burn > 1:
        return f"objective {percent(objective)}: just under, with too few events to tell"
    return f"objective {percent(objective)}: at {round(burn * 100)} % of its error budget"


def incidents(levels: Sequence[LevelSummary]) -> list[str]:
    """What else happened in the window and is not zero, in words (Markdown)."""
    said = []
    for profile in (profile for level in levels for profile in level.profiles):
        name, counts = f"**{escape_markdown(profile.profile)}**", profile.counts
        if counts.unresolved:
            said.append(
                f"{name}: {_events(counts.unresolved)} never got a report, because the run ended "
                f"first; they may or may not be stored."
            )
        if counts.not_sent:
            said.append(
                f"{name}: {_events(counts.not_sent)} were due and not sent, because the run was "
                f"paused."
            )
        if counts.queue_full:
            said.append(
                f"{name}: {_events(counts.queue_full)} were refused because the client's queue "
                f"was full. Lower the rate, or raise `queue_max_messages`."
            )
        if counts.late_polls:
            said.append(
                f"{name}: delivery reports were served late {_times(counts.late_polls)}, so the "
                f"latencies around then include our own delay. This machine was too busy."
            )
    return said


def dead_letters_link(cause: CauseSummary) -> str:
    """The triage page, filtered; relative, so that it holds under any base path."""
    query = {"topic": cause.topic}
    if cause.letters_title is not None:
        query["cause"] = cause.letters_title
    return f"dead_letters?{urlencode(query)}"


def meaning(cause: str) -> str:
    """What a cause means, in a few words; empty where the table does not know it."""
    known = BY_NAME.get(cause)
    return "" if known is None else known.summary


def _delivery(
    now: Health,
    levels: Sequence[LevelSummary],
    causes: Sequence[CauseSummary],
    range_words: str,
) -> Notice:
    profiles = [profile for level in levels for profile in level.profiles]
    burning = sorted(
        (profile for profile in profiles if profile.burns),
        key=lambda profile: profile.burn_rate or 0.0,
        reverse=True,
    )
    paused = [run for run in now.runs if run.paused_because is not None]
    if not now.runs:
        return _idle(profiles)
    if len(paused) == len(now.runs):
        reasons = "; ".join(sorted({str(run.paused_because) for run in paused}))
        return Notice(
            "warning",
            f"Nothing is being sent: paused because {escape_markdown(reasons)}",
            "Sending goes on by itself once that has passed. Events due meanwhile are counted as "
            "not sent.",
            ":material/pause_circle:",
        )
    if burning:
        return _burning(burning, causes, range_words)
    refusing = sorted(
        (profile for profile in profiles if profile.refuses),
        key=lambda profile: profile.counts.rejected / profile.counts.sent,
        reverse=True,
    )
    if refusing:
        return _refusing(refusing, causes, range_words)
    if paused:
        names = ", ".join(escape_markdown(run.profile) for run in paused)
        reason = escape_markdown(str(paused[0].paused_because))
        return Notice(
            "warning",
            f"{names} paused because {reason}",
            "The other profiles go on. It resumes by itself once that has passed.",
            ":material/pause_circle:",
        )
    slow = [profile for profile in profiles if profile.is_slow]
    if slow:
        return _slow(slow, range_words)
    return _healthy(now, levels, causes, range_words)


def _matters(diagnosed: Sequence[Diagnosis], now_us: int, zone: tzinfo) -> list[Notice]:
    """The worst that is the matter with a topic, with the way to what to do about it."""
    if not diagnosed:
        return []
    worst = diagnosed[0]
    others = len({found.topic for found in diagnosed} - {worst.topic})
    more = f" {count(others)} more topic{'' if others == 1 else 's'} there." if others else ""
    return [
        Notice(
            "error" if worst.state is State.WRONG else "warning",
            diagnosis_words.markdown(worst.headline, zone, now_us),
            f"[Why, and what to do]({diagnosis_words.link(worst.topic)}).{more}",
            ":material/stethoscope:",
        )
    ]


def _idle(profiles: Sequence[ProfileSummary]) -> Notice:
    before = " What you see below is from before." if profiles else ""
    return Notice(
        "info",
        "Nothing is being sent",
        f"No profile runs. Start one on [Profiles](profiles).{before}",
        ":material/stop_circle:",
    )


def _burning(
    burning: Sequence[ProfileSummary], causes: Sequence[CauseSummary], range_words: str
) -> Notice:
    worst = burning[0]
    name = escape_markdown(worst.profile)
    text = f"{one_in(worst.counts.failed, worst.counts.reported).capitalize()} events failed in "
    text += f"the last {range_words}{_causes_of(worst, 'failed', causes)}"
    others = ", ".join(escape_markdown(profile.profile) for profile in burning[1:])
    if others:
        text += f"  \nAlso over budget: {others}."
    return Notice(
        "error",
        f"{name} is burning its error budget {times(worst.burn_rate or 0.0)} times too fast",
        text,
        ":material/local_fire_department:",
    )


def _refusing(
    refusing: Sequence[ProfileSummary], causes: Sequence[CauseSummary], range_words: str
) -> Notice:
    worst = refusing[0]
    text = (
        f"{one_in(worst.counts.rejected, worst.counts.sent).capitalize()} events in the last "
        f"{range_words} never left the client{_causes_of(worst, 'rejected', causes)}"
    )
    others = ", ".join(escape_markdown(profile.profile) for profile in refusing[1:])
    if others:
        text += f"  \nAlso refused: events of {others}."
    return Notice(
        "error",
        f"{escape_markdown(worst.profile)}: produce() refuses its events",
        text,
        ":material/block:",
    )


def _causes_of(profile: ProfileSummary, outcome: str, causes: Sequence[CauseSummary]) -> str:
    """The end of a sentence: what it mostly was, what to do about it, and the way to triage."""
    its = [c for c in causes if profile.profile in c.profiles and c.outcome == outcome]
    if not its:
        return "."
    top = its[0]
    words, known = meaning(top.cause), BY_NAME.get(top.cause)
    only = "all" if len(its) == 1 else "mostly"
    text = f", {only} {code_span(top.cause)} on {code_span(top.topic)}"
    text += f": {escape_markdown(words)}. " if words else ". "
    text += f"{escape_markdown(known.mend)} " if known is not None else ""
    return text + f"[Triage them]({dead_letters_link(top)})"


def _slow(slow: Sequence[ProfileSummary], range_words: str) -> Notice:
    worst = max(slow, key=lambda profile: (profile.p99_us or 0) / (profile.p99_objective_ms or 1))
    others = ", ".join(escape_markdown(p.profile) for p in slow if p is not worst)
    objective = latency((worst.p99_objective_ms or 0.0) * 1000)
    return Notice(
        "warning",
        f"Delivered, but slowly: {escape_markdown(worst.profile)} takes "
        f"{latency(worst.p99_us)} at p99, its objective is {objective}",
        f"Over the last {range_words}. [Latency](latency) shows since when and how widely."
        + (f" Also slow: {others}." if others else "")
        + (
            "  \nSome reports were served late by this machine, so part of it may be our own delay."
            if worst.counts.late_polls
            else ""
        ),
        ":material/speed:",
    )


def _healthy(
    now: Health,
    levels: Sequence[LevelSummary],
    causes: Sequence[CauseSummary],
    range_words: str,
) -> Notice:
    if not any(level.counts.sent for level in levels):
        return Notice(
            "info",
            "Sending has begun; no report has come back yet",
            "The first figures appear within seconds.",
            ":material/hourglass:",
        )
    confirmed = [level for level in levels if level.acks != "0"]
    failed = sum(level.counts.failed for level in confirmed)
    reported = sum(level.counts.reported for level in confirmed)
    speed = rate(sum(level.rate_now for level in levels))
    if not reported:
        return Notice(
            "info",
            "Sent, unconfirmed: only acks=0 is in use, so nothing proves a delivery",
            f"{speed} now. Start a profile with acks=1 or acks=all to have proof.",
            ":material/help:",
        )
    text = (
        f"{one_in(failed, reported).capitalize()} confirmed events failed in the last {range_words}"
        if failed
        else f"No confirmed event failed in the last {range_words}"
    )
    names = {profile.profile for level in confirmed for profile in level.profiles}
    top = next((c for c in causes if c.outcome == "failed" and names & set(c.profiles)), None)
    if failed and top is not None:
        text += f", most often {code_span(top.cause)}"
    running = len(now.runs)
    with_objective = any(level.tightest_objective is not None for level in confirmed)
    return Notice(
        "success",
        "Healthy: deliveries are within their objectives"
        if with_objective
        else "Delivering; no profile has an objective to be held to",
        f"{text}. {running} profile{'' if running == 1 else 's'} running, {speed}.",
        ":material/check_circle:",
    )


def _events(n: int) -> str:
    return f"{count(n)} event{'' if n == 1 else 's'}"


def _times(n: int) -> str:
    return "once" if n == 1 else f"{count(n)} times"
