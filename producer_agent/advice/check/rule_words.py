"""How the rules about dangerous settings say what they find."""

from __future__ import annotations

from collections.abc import Iterator

from producer_agent.advice.check.settings_view import SettingsView
from producer_agent.advice.check.verdicts import Finding, Pair

Found = Iterator[tuple[str, Finding]]
"""Setting and finding; a setting may be blamed more than once."""


def danger(reason: str, *write: Pair) -> Finding:
    """A danger, and what to write instead; nothing to write leaves the setting as it is."""
    return Finding("dangerous", reason, write or None)


def keeping(view: SettingsView, blamed: str, name: str, value: str) -> tuple[Pair, ...]:
    """A mend of `name` for a finding that another setting is blamed for, which stays."""
    pair = (view.as_written(name), value)
    if blamed == name:
        return (pair,)
    return ((view.as_written(blamed), view.written_value(blamed)), pair)
