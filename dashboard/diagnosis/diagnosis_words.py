"""A diagnosis as pages tell it: its link, its words in the viewer's zone, how it looks. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from types import MappingProxyType
from typing import Any, Final, Literal
from urllib.parse import urlencode

from dashboard.formats import clock, escape_markdown
from producer_agent.advice.diagnosis.diagnosis import Diagnosis, Safety, State
from producer_agent.store.facts import Fact

Colour = Literal["red", "orange", "blue", "green", "gray"]

STALE_AFTER_S = 10.0
"""The agent writes the fact at least every few seconds, also with brokers down."""

ABOUT: Final = "about"
"""In the URL of the Cluster page: the topic that it is asked about."""

STATES: Final[Mapping[State, tuple[str, str, Colour]]] = MappingProxyType(
    {
        State.WRONG: ("wrong", ":material/error:", "red"),
        State.UNKNOWN: ("cannot be told", ":material/help:", "orange"),
        State.RISK: ("at risk", ":material/warning:", "orange"),
        State.PASSED: ("over", ":material/history:", "gray"),
        State.HEALTHY: ("healthy", ":material/check_circle:", "green"),
    }
)
"""Word, icon and colour of each state."""

SAFETIES: Final[Mapping[Safety, tuple[str, str, Colour]]] = MappingProxyType(
    {
        Safety.SAFE: ("safe", ":material/verified_user:", "green"),
        Safety.CAREFUL: ("with care", ":material/priority_high:", "orange"),
        Safety.DANGEROUS: ("can lose records", ":material/dangerous:", "red"),
    }
)
"""Likewise of what an option puts at risk."""

_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC")


@dataclass(frozen=True, slots=True)
class Told:
    """What the agent's fact ``diagnosis`` says."""

    diagnoses: tuple[Diagnosis, ...]
    """The worst first."""
    left_out: int
    """Topics with which something is the matter that were not looked at."""
    at_us: int | None
    """When; None: it never said anything."""

    def is_stale(self, now_us: int) -> bool:
        """Whether it is too old to be called now."""
        return self.at_us is None or now_us - self.at_us > STALE_AFTER_S * 1e6

    def of(self, topics: Sequence[str | None]) -> tuple[Diagnosis, ...]:
        """Those of these topics."""
        return tuple(found for found in self.diagnoses if found.topic in topics)


def told(fact: Fact | None) -> Told:
    """Read the fact."""
    if fact is None:
        return Told((), 0, None)
    body: Mapping[str, Any] = fact.body
    return Told(
        tuple(Diagnosis.from_json(document) for document in body["diagnoses"]),
        body["topics_left_out"],
        fact.at_us,
    )


def about(diagnoses: Sequence[Diagnosis], topic: str | None) -> list[Diagnosis]:
    """In their order, those of the topic that is asked about first."""
    return sorted(diagnoses, key=lambda found: found.topic != topic)


def link(topic: str) -> str:
    """The Cluster page, asked about a topic; relative, so that it holds under any base path."""
    return f"cluster?{urlencode({ABOUT: topic})}"


def in_zone(text: str, zone: tzinfo, now_us: int) -> str:
    """Plain text with its UTC moments in the viewer's zone; of today by the clock alone."""

    def shown(match: re.Match[str]) -> str:
        at = datetime.strptime(match[1], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
        local = at.astimezone(zone)
        at_us = round(at.timestamp() * 1e6)
        if local.date() == datetime.fromtimestamp(now_us / 1e6, zone).date():
            return clock(at_us, zone)
        return local.strftime("%Y-%m-%d %H:%M:%S")

    return _MOMENT.sub(shown, text)


def markdown(text: str, zone: tzinfo, now_us: int) -> str:
    """A sentence of a diagnosis for a place that reads Markdown."""
    return escape_markdown(in_zone(text, zone, now_us))
