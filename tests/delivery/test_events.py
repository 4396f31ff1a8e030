"""Events carry who they are, look like real ones, and fail in the shares that were asked for."""

from __future__ import annotations

import json
import uuid
import zlib
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from producer_agent.delivery.events import (
    IDENTITY_HEADER,
    UNKNOWN_PARTITION,
    EventSource,
    identity_of,
    pack_identity,
    unknown_topic_of,
)
from tests.recording import profile


@given(st.uuids(), st.integers(0, 2**64 - 1), st.binary())
def test_an_identity_survives_its_header(run: uuid.UUID, sequence: int, value: bytes) -> None:
    identity = identity_of(pack_identity(run.bytes, sequence, value))
    assert identity is not None
    assert (identity.run, identity.sequence) == (run.hex, sequence)
    assert identity.crc32 == zlib.crc32(value)


@given(st.none() | st.binary(max_size=64).filter(lambda value: len(value) != 28))
def test_what_is_no_identity_is_none(value: bytes | None) -> None:
    assert identity_of(value) is None


def test_every_event_names_its_run_and_sequence_and_the_checksum_of_its_value() -> None:
    run = uuid.uuid4()
    source = EventSource(profile(workload={"keys": 10, "payload_bytes": 300}), run)
    for sequence in range(200):
        event = source.make(sequence)
        identity = identity_of(dict(event.headers)[IDENTITY_HEADER])  # type: ignore[arg-type]
        assert identity is not None
        assert (identity.run, identity.sequence) == (run.hex, sequence)
        assert identity.crc32 == zlib.crc32(event.value)
        assert json.loads(event.value)["sequence"] == sequence
        assert 200 <= len(event.value) <= 400
        assert event.key is not None
        assert event.key.startswith(b"task-")


def test_faults_are_mixed_in_by_their_shares() -> None:
    source = EventSource(
        profile(
            message_max_bytes=1_000,
            workload={
                "faults": {"oversized": 0.2, "unknown_partition": 0.3, "unknown_topic": 0.1},
                "payload_bytes": 100,
            },
        ),
        uuid.UUID(int=7),
    )
    kinds: Counter[str] = Counter()
    for sequence in range(3_000):
        event = source.make(sequence)
        if len(event.value) > 1_000:
            kinds["oversized"] += 1
        elif event.partition == UNKNOWN_PARTITION:
            kinds["unknown_partition"] += 1
        elif event.topic == unknown_topic_of("orders"):
            kinds["unknown_topic"] += 1
        else:
            kinds["none"] += 1

    assert {kind: round(n / 3_000, 1) for kind, n in kinds.items()} == {
        "oversized": 0.2,
        "unknown_partition": 0.3,
        "unknown_topic": 0.1,
        "none": 0.4,
    }


def test_while_the_fault_is_on_every_payload_exceeds_the_limit() -> None:
    source = EventSource(profile(message_max_bytes=1_000), uuid.uuid4())
    source.oversize_all = True
    assert all(len(source.make(sequence).value) > 1_000 for sequence in range(20))
    source.oversize_all = False
    assert len(source.make(20).value) < 1_000


def test_an_event_goes_to_each_partition_in_turn_while_their_number_is_known() -> None:
    source = EventSource(profile(workload={"per_broker": True}), uuid.uuid4())
    assert source.make(0).known_partition is None
    source.partitions = 3
    assert [source.make(sequence).partition for sequence in range(1, 7)] == [1, 2, 0, 1, 2, 0]
    source.partitions = 4
    assert [source.make(sequence).partition for sequence in range(7, 10)] == [3, 0, 1]
