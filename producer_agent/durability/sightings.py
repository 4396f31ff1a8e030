"""Records as they were read, turned into the columns that are matched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from zlib import crc32

import numpy as np
import numpy.typing as npt
from confluent_kafka import Message

from producer_agent.kafka.messages import headers_of
from producer_agent.kafka.our_headers import IDENTITY, IDENTITY_HEADER, REPLAY_HEADER

_IDENTITY: Final = np.dtype(
    [("run_high", ">u8"), ("run_low", ">u8"), ("sequence", ">u8"), ("crc32", ">u4")]
)
"""``our_headers.IDENTITY``, for many at once."""


@dataclass(frozen=True, slots=True)
class Sightings:
    """Records of one run on one partition, by ascending offset."""

    partition: int
    offsets: npt.NDArray[np.int64]
    sequences: npt.NDArray[np.int64]
    corrupt: npt.NDArray[np.bool_]
    replayed: npt.NDArray[np.bool_]


def sightings(messages: Sequence[Message], run: bytes) -> tuple[list[Sightings], int]:
    """The records of ``run`` (its uuid's 16 bytes) among these, and how many are not its.

    Args:
        messages: Of one topic, without errors, by ascending offset within each partition.
    """
    identities: list[bytes] = []
    rows: list[tuple[int, int, int, bool]] = []
    for message in messages:
        identity, replayed = _identity(message)
        if identity is None:
            continue
        identities.append(identity)
        value: Any = message.value()
        rows.append(
            (
                message.partition() or 0,
                message.offset() or 0,
                crc32(value) if value is not None else 0,
                replayed,
            )
        )
    if not rows:
        return [], len(messages)
    told = np.frombuffer(b"".join(identities), dtype=_IDENTITY)
    high, low = (int.from_bytes(half, "big") for half in (run[:8], run[8:]))
    ours = (told["run_high"] == high) & (told["run_low"] == low)
    columns = np.asarray(rows, dtype=np.int64)[ours]
    told = told[ours]
    sequences = told["sequence"].astype(np.int64)
    corrupt, replayed_ones = columns[:, 2] != told["crc32"], columns[:, 3] != 0
    found = []
    for partition in np.unique(columns[:, 0]).tolist():
        which = columns[:, 0] == partition
        found.append(
            Sightings(
                partition,
                columns[which, 1],
                sequences[which],
                corrupt[which],
                replayed_ones[which],
            )
        )
    return found, len(messages) - len(told)


def _identity(message: Message) -> tuple[bytes | None, bool]:
    """The value of a record's identity header, and whether a replay put the record there."""
    identity: bytes | None = None
    replayed = False
    for name, value in headers_of(message):
        if name == IDENTITY_HEADER and value is not None and len(value) == IDENTITY.size:
            identity = value
        elif name == REPLAY_HEADER:
            replayed = True
    return identity, replayed
