"""The active controller is read from a broker's own answer, or is not known."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from producer_agent.kafka.quorum import Quorum, describe_quorum


def answer(leader: int, voters: tuple[int, ...], error: int = 0) -> bytes:
    """DescribeQuorumResponse version 0, as Kafka's protocol guide lays it out."""
    listed = b"".join(struct.pack(">iq", voter, 42) + b"\x00" for voter in voters)
    partition = struct.pack(">ihiiq", 0, 0, leader, 7, 42)
    partition += bytes([len(voters) + 1]) + listed + b"\x01" + b"\x00"
    name = b"__cluster_metadata"
    topic = bytes([len(name) + 1]) + name + b"\x02" + partition + b"\x00"
    body = struct.pack(">i", 1) + b"\x00" + struct.pack(">h", error) + b"\x02" + topic + b"\x00"
    return struct.pack(">i", len(body)) + body


@contextmanager
def broker(reply: bytes) -> Iterator[tuple[str, int]]:
    """Answers one request with these bytes, in pieces, and closes."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            # A client that has read enough hangs up in the middle.
            with connection, suppress(ConnectionError):
                connection.recv(4096)
                for at in range(0, len(reply), 7):
                    connection.sendall(reply[at : at + 7])

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[:2]
        thread.join(5)


def test_leader_and_voters_are_read() -> None:
    with broker(answer(2, (3, 1, 2))) as address:
        assert describe_quorum([address]) == Quorum(2, (1, 2, 3))


def test_a_quorum_without_a_leader_has_none() -> None:
    with broker(answer(-1, (1,))) as address:
        assert describe_quorum([address]) == Quorum(None, (1,))


@pytest.mark.parametrize(
    "reply",
    [b"", answer(2, (1, 2, 3))[:20], answer(2, (), error=31), b"HTTP/1.1 400 Bad Request\r\n\r\n"],
    ids=["nothing", "cut short", "not authorized", "not Kafka"],
)
def test_where_there_is_no_such_answer_it_is_not_known(reply: bytes) -> None:
    with broker(reply) as address:
        assert describe_quorum([address]) is None


def test_the_next_broker_is_asked_where_one_refuses() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        closed = taken.getsockname()[:2]
    with broker(answer(1, (1,))) as address:
        assert describe_quorum([closed, address], timeout_s=2) == Quorum(1, (1,))
