"""A diagnosis: what is the matter with a topic, how that is known, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self, TypeVar

T = TypeVar("T")


class State(StrEnum):
    """How a topic is."""

    HEALTHY = "healthy"
    """Nothing is the matter."""
    PASSED = "passed"
    """It failed, and what made it fail is over."""
    RISK = "risk"
    """It can be written as asked; one more failure, or a setting, may end that."""
    WRONG = "wrong"
    """Records fail, or would."""
    UNKNOWN = "unknown"
    """It cannot be told; the diagnosis says why."""

    @property
    def is_matter(self) -> bool:
        """Whether somebody should look at it."""
        return self in (State.RISK, State.WRONG, State.UNKNOWN)


class Safety(StrEnum):
    """What an option puts at risk; in the order in which they are tried."""

    SAFE = "safe"
    CAREFUL = "careful"
    """It costs something, such as load on the brokers or a restart."""
    DANGEROUS = "dangerous"
    """It can lose or duplicate records, or lets more in than before."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One fact: ``min.insync.replicas`` is ``2``, told by ``setting of the topic``, at a time."""

    label: str
    value: str
    source: str
    """Who told it: a broker, the history, the record's own attempts, the profile."""
    at_us: int | None = None
    """When it was so; None: it is a setting without a time."""


@dataclass(frozen=True, slots=True)
class PartitionEvidence:
    """One partition of the topic as the diagnosis saw it."""

    partition: int
    leader: int | None
    replicas: tuple[int, ...]
    isrs: tuple[int, ...]
    words: str
    """``in sync``, ``replica missing``, ``under min ISR``, ``no leader``."""


@dataclass(frozen=True, slots=True)
class StillWorks:
    """What can be done although it fails, and at which price."""

    what: str
    price: str


@dataclass(frozen=True, slots=True)
class Option:
    """One way out."""

    title: str
    costs: str
    """What it costs or puts at risk."""
    safety: Safety
    command: str | None = None
    """A shell command to copy; None where there is none, as for waiting."""
    undo_fault: Mapping[str, Any] | None = None
    """Arguments of the command ``fault.undo`` where an injected fault is the cause."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What is the matter with a topic. ``to_json`` and ``from_json`` are each other's inverse."""

    topic: str
    code: str | None
    """The error code that was asked about, such as ``NOT_ENOUGH_REPLICAS``; None: the topic as it
    is."""
    matter: str
    """What it is, for programs: ``healthy``, ``under-min-isr``, ``leaderless``, ``not-authorized``,
    ``topic-missing``, ``too-large``, ``unreachable``, ``network``, ``broker-silent``,
    ``broker-slow``, ``throttled``, ``overload``, ``time-out-too-short``, ``replica-missing``,
    ``weak-setting``, ``fault-injected``, ``other``, ``cannot-be-told``."""
    state: State
    headline: str
    """One or two sentences: the answer."""
    at_us: int
    """When the live facts were gathered."""
    facts: tuple[Evidence, ...] = ()
    partitions: tuple[PartitionEvidence, ...] = ()
    """The worst first; at most :data:`LISTED_PARTITIONS`."""
    findings: tuple[str, ...] = ()
    """What follows from the facts, a sentence each."""
    still_works: tuple[StillWorks, ...] = ()
    options: tuple[Option, ...] = ()
    """The safest first."""
    not_known: tuple[str, ...] = ()
    """What was not recorded or not answered, a sentence each."""

    def to_json(self) -> dict[str, Any]:
        """As kept in the fact ``diagnosis`` and written by ``diagnose --json``."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """A diagnosis read back."""
        return cls(
            **{
                **document,
                "state": State(document["state"]),
                "facts": tuple(Evidence(**fact) for fact in document["facts"]),
                "partitions": tuple(
                    PartitionEvidence(
                        **{
                            **partition,
                            "replicas": tuple(partition["replicas"]),
                            "isrs": tuple(partition["isrs"]),
                        }
                    )
                    for partition in document["partitions"]
                ),
                "findings": tuple(document["findings"]),
                "still_works": tuple(StillWorks(**works) for works in document["still_works"]),
                "options": tuple(
                    Option(**{**option, "safety": Safety(option["safety"])})
                    for option in document["options"]
                ),
                "not_known": tuple(document["not_known"]),
            }
        )


LISTED_PARTITIONS = 50


def each_once(told: Iterable[T]) -> tuple[T, ...]:
    """In their order, each only where it stands first; an option holds a dict, so by equality."""
    found: list[T] = []
    for one in told:
        if one not in found:
            found.append(one)
    return tuple(found)
