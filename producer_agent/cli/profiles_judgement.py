"""What ``profiles validate`` says of a configuration: a table for people, JSON for programs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from producer_agent.advice.check.configuration_check import Judgement, check, read
from producer_agent.advice.check.pasted import ConfigurationUnreadable
from producer_agent.cli.output import print_table, say
from producer_agent.delivery.profile_problems import UNNAMED, Problem

_WORST_FIRST = ("refused", "unknown", "java-only", "dangerous", "no-effect", "default", "fine")


def judged(text: str) -> tuple[Judgement | None, Problem | None]:
    """The judgement of a text, or why it cannot be read."""
    try:
        return check(read(text)), None
    except ConfigurationUnreadable as error:
        where = "configuration" if error.line is None else f"line {error.line}"
        return None, Problem(UNNAMED, where, error.message, error.mend)


def document(judgement: Judgement | None, problem: Problem | None) -> dict[str, Any]:
    """A judgement's keys in ``profiles validate --json``; null or empty where there is none."""
    if judgement is None:
        return {
            "format": None,
            "accepted": False,
            "error": None if problem is None else f"{problem.message} {problem.mend}",
            "settings": [],
            "effective": [],
            "corrected": None,
            "not_tried": [],
            "notes": [],
        }
    corrected = judgement.corrected
    return {
        "format": judgement.format,
        "accepted": judgement.accepted,
        "error": judgement.error,
        "settings": [asdict(setting) for setting in judgement.settings],
        "effective": [
            {"name": value.name, "value": value.value, "from": value.source}
            for value in judgement.effective
        ],
        "corrected": {
            "settings": [{"name": name, "value": value} for name, value in corrected.settings],
            "changes": [asdict(change) for change in corrected.changes],
            "text": corrected.text,
            "error": corrected.error,
        },
        "not_tried": [asdict(setting) for setting in judgement.not_tried],
        "notes": list(judgement.notes),
    }


def print_judgement(file: str, judgement: Judgement) -> None:
    """Write the settings, worst first, librdkafka's answer, and the corrected configuration."""
    ordered = sorted(judgement.settings, key=lambda s: (_WORST_FIRST.index(s.verdict), s.line))
    print_table(
        ["verdict", "setting", "value", "why", "write instead"],
        [[s.verdict, s.name, s.value, s.reason, s.translation] for s in ordered],
    )
    say()
    for note in judgement.notes:
        say(f"note: {note}")
    for left in judgement.not_tried:
        say(f"not put to librdkafka: {left.name}, since {left.reason}")
    if judgement.corrected.changes:
        say(f"\nCorrected:\n{judgement.corrected.text.rstrip()}")
        if judgement.corrected.error:
            say(f"librdkafka still refuses that: {judgement.corrected.error}")
        say()
    say(f"{file} ({judgement.format}): {verdict_line(judgement)}")


def verdict_line(judgement: Judgement) -> str:
    """The answer in one line."""
    dangerous = sum(setting.verdict == "dangerous" for setting in judgement.settings)
    if judgement.accepted:
        if dangerous:
            what = "setting is" if dangerous == 1 else "settings are"
            return f"librdkafka takes it, and {dangerous} {what} dangerous."
        return "librdkafka takes it."
    if judgement.runnable:
        return f"it can be run where its files are; here librdkafka refuses it: {judgement.error}."
    return f"librdkafka refuses it: {(judgement.error or '').rstrip('.')}."
