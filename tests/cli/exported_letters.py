"""Dead letters for tests of ``dead-letters export`` and ``groups``, and what came of them."""

from __future__ import annotations

import base64
import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from producer_agent.dead_letters.conventions import RawRecord, decode
from producer_agent.dead_letters.letters import letter_of
from producer_agent.store import dead_letters, runs
from producer_agent.store.database import open_database
from tests.cli.conftest import Invoke
from tests.cli.test_output import STEERING
from tests.dashboard import letter_seed
from tests.dashboard.letter_seed import failed_event

OWN = 6
HARM = STEERING.replace("\ud800", "")
"""All that steers a terminal and can be written as UTF-8."""
MEGABYTE = 1_000_000


def store(db_path: Path, records: Sequence[RawRecord], topic_id: str = "") -> None:
    """Records as the consumer stores them, in batches of its size."""
    db = open_database(db_path)
    try:
        with db.atomic():
            cluster = runs.register_cluster(db, "real-cluster", "real", "127.0.0.1:9092")
            rows = [letter_of(record, topic_id, decode(record)) for record in records]
            assert dead_letters.insert(db, cluster, rows) == len(rows)
    finally:
        db.close()


def seed(db_path: Path, events: Sequence[Any]) -> None:
    """Events as our own publisher wraps them, or records that somebody else left on its topic."""
    db = open_database(db_path)
    try:
        letter_seed.store(db, events)
    finally:
        db.close()


def seed_one(db_path: Path, sequence: int) -> None:
    """One more event of ours, that failed after those of :func:`seed`."""
    db = open_database(db_path)
    letter_seed.store(db, [failed_event(sequence)], first_offset=sequence)
    db.close()


def change(db_path: Path, sql: str, *values: object) -> None:
    db = open_database(db_path)
    with db.atomic():
        db.execute(sql, list(values))
    db.close()


def exported(invoke: Invoke, *options: object) -> list[dict[str, Any]]:
    result = invoke("dead-letters", "export", *options)
    assert result.exit_code == 0, result.stderr
    return [json.loads(line) for line in result.stdout_bytes.splitlines()]


def table(invoke: Invoke, *options: object) -> list[dict[str, str]]:
    result = invoke("dead-letters", "export", "--format", "csv", *options)
    assert result.exit_code == 0, result.stderr
    text = result.stdout_bytes.decode("utf-8")
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def decode64(value: str | None) -> bytes | None:
    return None if value is None else base64.b64decode(value, validate=True)


def pairs(headers: list[list[str | None]]) -> tuple[tuple[str | None, bytes | None], ...]:
    return tuple((name, decode64(value)) for name, value in headers)
