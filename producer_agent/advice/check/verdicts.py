"""The words a pasted configuration is judged in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from producer_agent.advice.check.pasted import Format

Verdict = Literal["refused", "unknown", "java-only", "no-effect", "dangerous", "default", "fine"]
Source = Literal["given", "derived", "default"]

Pair = tuple[str, str | None]
"""A name and a value to write; None stands for the value as it was, which is not known here."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A verdict before it is put beside its setting.

    `write` is what to write in its place: None to leave it as it is, empty to leave it out.
    """

    verdict: Verdict
    reason: str
    write: tuple[Pair, ...] | None = None


@dataclass(frozen=True, slots=True)
class JudgedSetting:
    """One setting and what is to be said of it.

    `value` is masked if it is a secret, and None if it is known only to the running program.
    `translation` is what to write instead (`name=value`), None where nothing takes its place.
    `line` is the line of the text it stands on, from 1.
    """

    name: str
    value: str | None
    verdict: Verdict
    reason: str
    translation: str | None
    line: int


@dataclass(frozen=True, slots=True)
class EffectiveValue:
    """What librdkafka runs with: `value` is None where only the running program knows it."""

    name: str
    value: str | None
    source: Source


@dataclass(frozen=True, slots=True)
class Change:
    """One line of the corrected configuration that differs, and why; `after` None is left out."""

    name: str
    before: str | None
    after: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Corrected:
    """A corrected configuration, to copy as `text`, with its changes.

    `error` is what librdkafka still says against it, where only a person can decide (which
    mechanism to sign in by); None if it takes it.
    """

    settings: tuple[Pair, ...]
    changes: tuple[Change, ...]
    text: str
    error: str | None


@dataclass(frozen=True, slots=True)
class NotTried:
    """A setting that was not put to librdkafka, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is to be said of a pasted configuration.

    `accepted` is whether librdkafka takes the whole of it on this machine, `error` its words if
    not. `runnable` differs where only a file it names is missing here. `notes` are about the
    whole: what was left aside, and what is not written and yet matters.
    """

    format: Format
    accepted: bool
    error: str | None
    runnable: bool
    settings: tuple[JudgedSetting, ...]
    effective: tuple[EffectiveValue, ...]
    corrected: Corrected
    not_tried: tuple[NotTried, ...]
    notes: tuple[str, ...]
