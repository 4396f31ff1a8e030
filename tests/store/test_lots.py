"""Packed lots give back what was put in, to SQL and to Python alike."""

from __future__ import annotations

import sqlite3
from array import array
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlite_utils import Database

from producer_agent.store import lots
from producer_agent.store.database import open_database
from producer_agent.store.schema import LOT_CAPACITY

EPOCH_US = 1_700_000_000_000_000

reports = st.tuples(
    st.integers(0, 2**40),
    st.integers(EPOCH_US, EPOCH_US + 10**12),  # eleven days: far more than a lot can span
    st.integers(0, 2**32 - 1),
    st.integers(-1, 2**53 - 1),
    st.floats(0, 6_000),
)


def pack(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    flat = array("d", [number for row in rows for number in row])
    return list(lots.pack(1, "delivered", lots.from_flat(flat)))


def expected(rows: list[tuple[Any, ...]]) -> list[tuple[int, ...]]:
    return [
        (sequence, partition, -1 if offset < 0 else offset, sent, _us(latency))
        for sequence, sent, partition, offset, latency in rows
    ]


def _us(latency_s: float) -> int:
    return min(int(np.rint(latency_s * 1e6)), 2**32 - 1)


def database() -> Database:
    db = open_database(Path(":memory:"))
    db.execute(
        "INSERT INTO clusters VALUES (1, 'c', 'embedded', 'b', 0)",
    )
    db.execute(
        "INSERT INTO runs (id, uuid, profile, acks, body, cluster, topic, started_us) "
        "VALUES (1, 'r', 'p', 'all', '{}', 1, 't', 0)"
    )
    return db


DB = database()


@settings(max_examples=60, deadline=None)
@given(st.lists(reports, min_size=1, max_size=40))
def test_the_view_and_unpack_give_back_what_was_packed(rows: list[tuple[Any, ...]]) -> None:
    conn = DB.conn
    assert conn is not None
    conn.execute("DELETE FROM delivery_lots")
    conn.executemany(lots.INSERT, pack(rows))

    viewed = conn.execute(
        'SELECT sequence, partition, coalesce("offset", -1), sent_us, latency_us FROM deliveries'
    ).fetchall()
    conn.row_factory = sqlite3.Row
    unpacked: list[tuple[int, ...]] = []
    for row in conn.execute("SELECT * FROM delivery_lots ORDER BY id").fetchall():
        got = lots.unpack(dict(row))
        assert row["n"] == len(got) <= LOT_CAPACITY
        assert row["first_sequence"] == got.sequences.min()
        assert row["last_sequence"] == got.sequences.max()
        assert row["last_reported_us"] == got.reported_us.max()
        columns = (got.sequences, got.partitions, got.offsets, got.sent_us, got.latencies_us)
        unpacked += list(zip(*(column.tolist() for column in columns), strict=True))
    conn.row_factory = None

    assert unpacked == expected(rows)
    assert sorted(viewed) == sorted(expected(rows))


def test_reports_more_than_71_minutes_apart_are_split_and_none_is_lost() -> None:
    span = 2**32
    rows = [(n, EPOCH_US + n * span // 3, 0, n, 0.001) for n in range(9)]

    packed = pack(rows)

    assert len(packed) > 2
    assert sum(row[2] for row in packed) == 9


def test_more_than_a_lot_holds_becomes_several() -> None:
    rows = [(n, EPOCH_US, 0, n, 0.001) for n in range(LOT_CAPACITY * 2 + 1)]
    assert [row[2] for row in pack(rows)] == [LOT_CAPACITY, LOT_CAPACITY, 1]


def test_a_latency_beyond_71_minutes_is_told_as_71_minutes() -> None:
    flat = array("d", [0, EPOCH_US, 0, 0, 90_000.0])
    assert lots.from_flat(flat).latencies_us.tolist() == [2**32 - 1]
