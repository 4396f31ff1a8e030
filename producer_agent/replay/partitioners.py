"""Which partition a key goes to: the two hashes that producers use.

Sources: ``org.apache.kafka.common.utils.Utils.murmur2`` and ``toPositive``, used by Java's default
partitioner and librdkafka's ``murmur2``; librdkafka's own default ``consistent`` is CRC-32.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Final

_MASK: Final = 0xFFFFFFFF
_M: Final = 0x5BD1E995
_SEED: Final = 0x9747B28C


def murmur2(key: bytes) -> int:
    """Java's 32-bit hash of a key, unsigned."""
    length = len(key)
    h = (_SEED ^ length) & _MASK
    whole = length & ~3
    for at in range(0, whole, 4):
        k = int.from_bytes(key[at : at + 4], "little")
        k = (k * _M) & _MASK
        k ^= k >> 24
        k = (k * _M) & _MASK
        h = (h * _M) & _MASK
        h ^= k
    rest = key[whole:]
    if rest:
        h ^= int.from_bytes(rest, "little")
        h = (h * _M) & _MASK
    h ^= h >> 13
    h = (h * _M) & _MASK
    return h ^ (h >> 15)


def java_partition(key: bytes, partitions: int) -> int:
    """Where Java's default partitioner puts a key."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions


def librdkafka_partition(key: bytes, partitions: int) -> int:
    """Where librdkafka's default partitioner puts a key."""
    return zlib.crc32(key) % partitions


PARTITIONERS: Final[dict[str, Callable[[bytes, int], int]]] = {
    "murmur2 (Java's default)": java_partition,
    "crc32 (librdkafka's default)": librdkafka_partition,
}
