"""The controllers of a KRaft cluster: which one is active, and which vote.

A KRaft broker names *itself or any other* as the controller in its metadata (Kafka,
``KRaftMetadataCache.getRandomAliveBrokerId``), since clients only need somebody who forwards. The
active controller is told by the request ``DescribeQuorum`` (KIP-595) alone, which librdkafka does
not speak, so it is spoken here: one request over a plain connection. Where the listener wants TLS
or a login, or the cluster runs on ZooKeeper, the controller is not known.
"""

from __future__ import annotations

import logging
import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass

log = logging.getLogger(__name__)

_DESCRIBE_QUORUM = 55
_TOPIC = b"__cluster_metadata"
_CLIENT = b"ackboard"
_NO_TAGS = b"\x00"
_LARGEST_ANSWER = 1_000_000


@dataclass(frozen=True, slots=True)
class Quorum:
    """``leader``: the active controller's node id (None while there is none); ``voters``: ids."""

    leader: int | None
    voters: tuple[int, ...]


def describe_quorum(addresses: Iterable[tuple[str, int]], timeout_s: float = 1.0) -> Quorum | None:
    """The quorum as the first broker tells that answers; None if none does.

    Args:
        addresses: Host and port of brokers, tried in this order.
        timeout_s: For each. A broker waits for the controller, and without one it does not answer.
    """
    for host, port in addresses:
        try:
            with socket.create_connection((host, port), timeout_s) as connection:
                connection.settimeout(timeout_s)
                connection.sendall(_request())
                (size,) = struct.unpack(">i", _read(connection, 4))
                if not 0 < size <= _LARGEST_ANSWER:
                    raise ValueError(f"an answer of {size} bytes")
                return _answer(_read(connection, size))
        except (OSError, ValueError, struct.error, IndexError) as error:
            log.debug("no quorum from %s:%d: %s", host, port, error)
    return None


def _request() -> bytes:
    header = struct.pack(">hhih", _DESCRIBE_QUORUM, 0, 1, len(_CLIENT)) + _CLIENT + _NO_TAGS
    partition = struct.pack(">i", 0) + _NO_TAGS
    topic = _varint(len(_TOPIC) + 1) + _TOPIC + _varint(2) + partition + _NO_TAGS
    message = header + _varint(2) + topic + _NO_TAGS
    return struct.pack(">i", len(message)) + message


def _answer(data: bytes) -> Quorum:
    at = _Cursor(data)
    at.take(">i")  # correlation id
    at.skip_tags()
    if code := at.take(">h"):
        raise ValueError(f"error code {code}")
    if at.varint() != 2:
        raise ValueError("it does not tell of one topic")
    at.skip(at.varint() - 1)  # the topic's name
    if at.varint() != 2:
        raise ValueError("it does not tell of one partition")
    at.take(">i")  # the partition
    if code := at.take(">h"):
        raise ValueError(f"error code {code}")
    leader = at.take(">i")
    at.take(">i")  # epoch
    at.take(">q")  # high watermark
    voters = []
    for _ in range(at.varint() - 1):
        voters.append(at.take(">i"))
        at.take(">q")
        at.skip_tags()
    return Quorum(None if leader < 0 else leader, tuple(sorted(voters)))


def _varint(number: int) -> bytes:
    return bytes([number])  # all of ours are below 128, where a varint is one byte


def _read(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = connection.recv(size - len(data))
        if not piece:
            raise ValueError("the connection was closed in the middle of an answer")
        data += piece
    return data


class _Cursor:
    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, form: str) -> int:
        (value,) = struct.unpack_from(form, self._data, self._at)
        self._at += struct.calcsize(form)
        return int(value)

    def skip(self, size: int) -> None:
        self._at += size

    def varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._data[self._at]
            self._at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    def skip_tags(self) -> None:
        for _ in range(self.varint()):
            self.varint()
            self.skip(self.varint())
