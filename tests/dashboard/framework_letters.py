"""Dead letters as frameworks wrote them, stored as the consumer stores them.

python -m tests.dashboard.framework_letters PATH    adds them to a database that is there
"""

from __future__ import annotations

import argparse
import base64
import json
from collections.abc import Sequence
from pathlib import Path

from sqlite_utils import Database

from producer_agent.dead_letters.conventions import RawRecord, decode
from producer_agent.dead_letters.letters import letter_of
from producer_agent.store import dead_letters, runs
from producer_agent.store.database import open_database

FOLDER = Path(__file__).parents[1] / "fixtures" / "dead-letters"


def samples() -> list[RawRecord]:
    """Every record of the fixtures, each at an offset of its own."""
    found: list[RawRecord] = []
    for path in sorted(FOLDER.glob("*.jsonl")):
        for line in path.read_text().splitlines():
            told = json.loads(line)
            found.append(
                RawRecord(
                    told["topic"],
                    told["partition"],
                    len(found),
                    told["timestamp_ms"],
                    _bytes(told["key_b64"]),
                    _bytes(told["value_b64"]),
                    tuple((name, _bytes(value)) for name, value in told["headers"]),
                )
            )
    return found


def store(db: Database, records: Sequence[RawRecord]) -> None:
    """Store them in this order."""
    cluster = runs.register_cluster(db, "seeded-cluster", "embedded", "127.0.0.1:1")
    with db.atomic():
        rows = [letter_of(record, "", decode(record)) for record in records]
        assert dead_letters.insert(db, cluster, rows) == len(rows)


def _bytes(told: str | None) -> bytes | None:
    return None if told is None else base64.b64decode(told)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    database = open_database(parser.parse_args().path)
    store(database, samples())
    database.close()
