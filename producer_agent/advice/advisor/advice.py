"""What the advisor answers: settings with reason and price, and what cannot be had."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from producer_agent.advice.advisor.question import Question
from producer_agent.delivery.profile_values import Setting
from producer_agent.delivery.profiles import Objective

ConflictKind = Literal["impossible", "contradiction", "price"]
"""`impossible`: what was asked cannot be had, whatever is set. `contradiction`: two answers pull
in opposite directions, and the safer one was followed. `price`: it can be had, and costs what is
easily overlooked."""

Settled = Mapping[str, Setting]
"""Values that were chosen so far, by librdkafka's names."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One setting: its value, why this one, what it costs, and where the rule comes from.

    `source` names a KIP, a document of Apache Kafka or librdkafka, or is None where the rule
    follows from the answers alone.
    """

    name: str
    value: Setting
    reason: str
    cost: str
    source: str | None = None

    @property
    def shown(self) -> str:
        """The value as a properties file has it."""
        return written(self.value)


@dataclass(frozen=True, slots=True)
class Conflict:
    """What is contradictory, impossible or dear in the answers, and how to mend it.

    `settings` are those it speaks of, by librdkafka's or the topic's names.
    """

    kind: ConflictKind
    message: str
    mend: str
    settings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was measured here under a profile in a comparison.

    Latencies are acknowledgement latencies in ms; `p99_low_ms` to `p99_high_ms` is the bootstrap
    interval. `lost` of `events` were acknowledged and yet not on the topic; both None where that
    was not looked at. `replicates` is False on the embedded cluster, and where the topic had one
    copy.
    """

    profile: str
    acks: Literal["0", "1", "all"]
    rate_per_s: float
    p99_ms: float
    p99_low_ms: float
    p99_high_ms: float
    replicates: bool = True
    transactional: bool = False
    comparison: int | None = None
    lost: int | None = None
    events: int | None = None


@dataclass(frozen=True, slots=True)
class Advice:
    """The answer for one type of event.

    `producer` are librdkafka's settings, `topic` the topic's. `transactions` says whether to use
    them, and why. `support` are those measurements here that bear on it, nearest first.
    """

    question: Question
    producer: tuple[Choice, ...]
    topic: tuple[Choice, ...]
    transactions: str
    objective: Objective
    conflicts: tuple[Conflict, ...]
    support: tuple[Evidence, ...]

    @property
    def settings(self) -> dict[str, Setting]:
        """The producer's settings, as confluent-kafka takes them."""
        return {choice.name: choice.value for choice in self.producer}

    @property
    def topic_settings(self) -> dict[str, Setting]:
        """The topic's settings by Kafka's names, `partitions` among them."""
        return {choice.name: choice.value for choice in self.topic}

    @property
    def is_possible(self) -> bool:
        """Whether what was asked can be had."""
        return not any(conflict.kind == "impossible" for conflict in self.conflicts)

    @property
    def acks(self) -> Literal["0", "1", "all"]:
        """The acks level as profiles are grouped by it."""
        value = str(self.settings["acks"])
        return "all" if value == "all" else "1" if value == "1" else "0"

    @property
    def is_transactional(self) -> bool:
        """Whether it sends in transactions."""
        return "transactional.id" in self.settings


def written(value: Setting) -> str:
    """A value as a properties file has it: `true`, `0.5`, `5`."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.12g}"
    return str(value)
