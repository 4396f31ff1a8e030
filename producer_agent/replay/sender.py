"""Sending a batch of records so that it lands exactly once: what is common to the two ways.

``transactional_sender`` is the way on clusters that keep transactions, ``ledger_sender`` the one
on those that do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from producer_agent.store.headers import Headers


class Interrupted(Exception):
    """How far the batch came is not known: settle it from the cluster, then go on."""


class BatchTooLarge(Interrupted):
    """Nothing of it landed, as its records are too large together; each alone is not."""


class NotAllowed(Exception):
    """The cluster refuses this way of sending for good; the text names the mend."""


class Outgoing(NamedTuple):
    """One record to send. A tuple, as fifty thousand are made in two seconds."""

    topic: str
    partition: int | None
    key: bytes | None
    value: bytes | None
    headers: Headers


@dataclass(slots=True)
class Sent:
    """What came of a batch; positions are those of its records."""

    landed: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Position → partition and offset."""
    refused: dict[int, str] = field(default_factory=dict)
    """Position → why the record can never land. In a transaction, nothing of the batch landed."""
    doubtful: dict[int, str] = field(default_factory=dict)
    """Position → why it is not known whether it landed."""


class Sender(Protocol):
    """Sends batches of one plan."""

    def committed_batches(self) -> int | None:
        """Batches below this number have landed; None: only the target itself can tell.

        Nothing of an earlier producer can land after this.

        Raises:
            Interrupted: the cluster did not answer. NotAllowed: it never will.
        """

    def begin(self, number: int, records: Sequence[Outgoing]) -> None:
        """Hand a batch over."""

    def finish(self) -> Sent:
        """Wait for what comes of it.

        Raises:
            Interrupted: how far it came is not known. BatchTooLarge, NotAllowed: see there.
        """

    def close(self) -> None:
        """Let go of the connections; what was not finished is void or unknown."""
