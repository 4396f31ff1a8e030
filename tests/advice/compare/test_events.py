"""Each profile of a round gets the very same events."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer_agent.advice.compare.events import EventSequence, identity_of, pack_identity
from producer_agent.advice.compare.plan import Load


def events(load: Load, n: int = 500, *, seed: int = 1, rate: float = 500, number: int = 1) -> list:  # type: ignore[type-arg]
    sequence = EventSequence(load, seed, rate, number)
    return [sequence.next() for _ in range(n)]


@pytest.mark.parametrize("compressible", [True, False])
def test_the_same_round_has_the_same_events_and_another_has_others(compressible: bool) -> None:
    load = Load(compressible=compressible)
    assert events(load, 5_000) == events(load, 5_000)
    for change in ({"seed": 2}, {"rate": 100}, {"number": 2}):
        assert events(load) != events(load, **change)  # type: ignore[arg-type]


@pytest.mark.parametrize("payload", [1, 3, 300, 1_000_000])
@pytest.mark.parametrize("compressible", [True, False])
def test_sizes_are_about_what_was_asked(payload: int, compressible: bool) -> None:
    load = Load(payload_bytes=payload, compressible=compressible)
    sizes = [len(value) for _, value in events(load, 40)]
    assert min(sizes) >= max(1, round(payload * 0.7))
    assert max(sizes) <= max(1, round(payload * 1.3))
    if payload >= 300:
        assert sum(sizes) / 40 == pytest.approx(payload, rel=0.15)


def test_what_is_to_compress_compresses_and_what_is_not_does_not() -> None:
    words = b"".join(value for _, value in events(Load()))
    noise = b"".join(value for _, value in events(Load(compressible=False)))
    assert len(words) / len(zlib.compress(words)) > 2
    assert len(noise) / len(zlib.compress(noise)) < 1.01


def test_keys_are_as_many_as_asked() -> None:
    assert {key for key, _ in events(Load(keys=0))} == {None}
    assert len({key for key, _ in events(Load(keys=10), 1_000)}) == 10


@given(st.binary(min_size=16, max_size=16), st.integers(0, 2**32 - 1), st.integers(0, 2**63))
def test_an_identity_is_read_as_it_was_written(turn: bytes, sequence: int, sent_us: int) -> None:
    assert identity_of(pack_identity(turn, sequence, sent_us)) == (turn, sequence, sent_us)


@pytest.mark.parametrize("value", [None, b"", b"x" * 27, b"x" * 29])
def test_a_strangers_header_is_none_of_ours(value: bytes | None) -> None:
    assert identity_of(value) is None
