"""Does a page get slower as history grows? The time of each page's queries at three sizes.

``python -m bench.pages [--deliveries N …] [--repeat R] [--json FILE]``

Each store holds three profiles that sent at a steady rate until now, one event in a thousand of
which failed, written through the recorder's own code; the larger stores reach further back. All
hold the same 1,000 dead letters: triage has its own sizes. Retention is applied as the agent
applies it, save that no delivery is dropped, so that 10 M means 10 M. A page's queries are timed
as the page makes them (default range, 15 min), interleaved over the stores, on warm caches, as a
page that refreshes every 2 s finds them; the median counts.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
import uuid
from array import array
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from sqlite_utils import Database

from producer_agent.dead_letters.conventions import RawRecord, decode
from producer_agent.dead_letters.envelope import FailedEvent, wrap
from producer_agent.dead_letters.letters import letter_of
from producer_agent.delivery.shipped_profiles import shipped_profiles
from producer_agent.store import dead_letters, deliveries, profiles, retention, runs
from producer_agent.store.queries import cluster as cluster_queries
from producer_agent.store.queries import dead_letters as letter_queries
from producer_agent.store.queries import health, latency, watch
from producer_agent.store.queries import profiles as profile_queries
from producer_agent.store.queries.windows import window_to
from producer_agent.store.reader import Reader
from producer_agent.store.writer import Writer

RATE = 4.0
"""Events a second of each profile: 10 M deliveries are then 9.6 days."""

WINDOW_S = 15 * 60
CHUNK_S = 3600
FAILED_EVERY = 1000
DEAD_LETTERS = 1000


def fill(path: Path, total: int, now_us: int) -> None:
    """A store with ``total`` deliveries up to now."""
    shipped = [profile for profile in shipped_profiles() if profile.active]
    span_s = total / RATE / len(shipped)
    random = np.random.default_rng(1)
    with Writer(path) as writer:
        bodies = {profile.name: profile.to_json() for profile in shipped_profiles()}
        writer.call(partial(profiles.ship, bodies=bodies))
        cluster = writer.call(
            partial(
                runs.register_cluster, cluster_id="bench", kind="real", bootstrap_servers="bench"
            )
        )
        for at, profile in enumerate(shipped):
            row = writer.call(
                partial(
                    runs.begin_run,
                    uuid=uuid.UUID(int=at + 1).hex,
                    profile=profile.name,
                    acks=profile.acks_label,
                    body=profile.to_json(),
                    cluster=cluster,
                    topic=profile.workload.topic,
                    watermarks=None,
                )
            )
            sequence = 0
            start_us = now_us - int(span_s * 1e6)
            while start_us < now_us:
                end_us = min(start_us + CHUNK_S * 1_000_000, now_us)
                n = max(1, round((end_us - start_us) / 1e6 * RATE))
                batch = make_batch(row, profile.acks_label, sequence, n, start_us, end_us, random)
                fail_some(batch, profile.workload.topic)
                writer.submit(partial(deliveries.record, batch=batch), must=True, weight=n)
                sequence += n
                start_us = end_us
                while writer.backlog > 200_000:
                    time.sleep(0.01)
        letters = make_letters(now_us)
        writer.call(partial(dead_letters.insert, cluster=cluster, letters=letters))
        keep = retention.Keep(deliveries=10**9, undelivered_s=7 * 86400, published_s=86400)
        while writer.call(partial(retention.trim, now_s=now_us / 1e6, keep=keep), timeout_s=300.0):
            pass
        writer.call(lambda db: db.execute("PRAGMA optimize").fetchall(), timeout_s=300.0)


def make_batch(
    row: runs.RunRow,
    acks: str,
    sequence: int,
    n: int,
    start_us: int,
    end_us: int,
    random: np.random.Generator,
) -> deliveries.OutcomeBatch:
    """An hour of reports of one profile."""
    table = np.empty((n, 5))
    table[:, 0] = np.arange(sequence, sequence + n)
    table[:, 1] = np.linspace(start_us, end_us, n, endpoint=False).astype(np.int64)
    table[:, 2] = random.integers(0, 6, n)
    table[:, 3] = -1 if acks == "0" else table[:, 0]
    table[:, 4] = random.lognormal(-5.2, 0.6, n)
    return deliveries.OutcomeBatch(
        run=row.id,
        series=row.series,
        outcome="unconfirmed" if acks == "0" else "delivered",
        accepted=sequence + n,
        reports=array("d", table.ravel().tobytes()),
    )


def fail_some(batch: deliveries.OutcomeBatch, topic: str) -> None:
    """Turn one report in a thousand into a failure."""
    table = np.frombuffer(batch.reports).reshape(-1, 5).copy()
    chosen = np.arange(len(table)) % FAILED_EVERY == FAILED_EVERY // 2
    batch.undelivered += [
        deliveries.UndeliveredEvent(
            sequence=sequence,
            outcome="failed",
            topic=topic,
            partition=0,
            code=19,
            code_name="NOT_ENOUGH_REPLICAS",
            reason="Broker: Not enough in-sync replicas",
            stored="no",
            cause="NOT_ENOUGH_REPLICAS",
            sent_us=sent_us,
            settled_us=sent_us + 5000,
        )
        for sequence, sent_us in table[chosen][:, :2].astype(np.int64).tolist()
    ]
    batch.reports = array("d", table[~chosen].ravel().tobytes())


def make_letters(now_us: int) -> list[dead_letters.Letter]:
    """Dead letters of the last quarter of an hour."""
    letters = []
    for sequence in range(DEAD_LETTERS):
        sent_us = now_us - (DEAD_LETTERS - sequence) * WINDOW_S * 1_000_000 // DEAD_LETTERS
        event = FailedEvent(
            letter_id=f"bench:{sequence}",
            topic="task-events",
            partition=0,
            key=f"task-{sequence % 500}".encode(),
            value=b'{"type": "task.created", "note": "' + b"x" * 300 + b'"}',
            headers=(),
            error="Broker: Not enough in-sync replicas",
            error_code=19,
            error_name="NOT_ENOUGH_REPLICAS",
            outcome="failed",
            stored="no",
            run=uuid.UUID(int=1).hex,
            sequence=sequence,
            profile="critical",
            sent_us=sent_us,
            failed_us=sent_us + 5000,
            attempts=None,
        )
        raw = RawRecord(
            "dead-letter-queue", 0, sequence, sent_us // 1000, event.key, wrap(event), ()
        )
        letters.append(letter_of(raw, "", decode(raw)))
    return letters


def pages(now_us: int) -> dict[str, Callable[[Database], Any]]:
    """What each page reads in one refresh."""
    window = window_to(now_us, WINDOW_S)
    open_letters = letter_queries.LetterFilter(statuses=("new",))

    def overview(db: Database) -> None:
        health.health(db)
        watch.levels(db, window, now_us)
        watch.causes(db, window)

    def latencies(db: Database) -> None:
        latency.distributions(db, window, "acks")
        latency.distributions(db, window, "acks", metric="schedule")
        latency.heat_map(db, window, "all")

    def letters(db: Database) -> None:
        letter_queries.page(db, open_letters, limit=100)

    def letter_counts(db: Database) -> None:
        letter_queries.summary(db, open_letters)
        letter_queries.filter_options(db)

    def profile_list(db: Database) -> None:
        profile_queries.stored_profiles(db)

    def cluster(db: Database) -> None:
        cluster_queries.jobs(db)
        cluster_queries.database_state(db)

    return {
        "Overview": overview,
        "Latency": latencies,
        "Dead letters: list": letters,
        "Dead letters: counts": letter_counts,
        "Profiles": profile_list,
        "Cluster": cluster,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--deliveries", type=int, nargs="+", default=[10_000, 1_000_000, 10_000_000]
    )
    parser.add_argument("--repeat", type=int, default=31)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    console = Console()
    now_us = time.time_ns() // 1000
    with tempfile.TemporaryDirectory() as folder:
        readers: dict[int, Reader] = {}
        for total in arguments.deliveries:
            path = Path(folder) / f"{total}.db"
            began_s = time.monotonic()
            fill(path, total, now_us)
            readers[total] = Reader(path)
            console.print(
                f"{total:>12,} deliveries: {path.stat().st_size / 1e6:,.0f} MB, "
                f"written in {time.monotonic() - began_s:.0f} s"
            )
        table = Table(title=f"median of {arguments.repeat}, ms")
        table.add_column("page")
        for total in arguments.deliveries:
            table.add_column(f"{total:,}", justify="right")
        table.add_column("most apart", justify="right")
        result: dict[str, Any] = {}
        for page, query in pages(now_us).items():
            times: dict[int, list[float]] = {total: [] for total in readers}
            for _ in range(arguments.repeat):
                for total, reader in readers.items():
                    began_s = time.perf_counter()
                    reader(query)
                    times[total].append((time.perf_counter() - began_s) * 1e3)
            medians = {total: statistics.median(values) for total, values in times.items()}
            apart = max(medians.values()) / min(medians.values())
            result[page] = {"median_ms": medians, "most_apart": apart}
            table.add_row(page, *(f"{median:.2f}" for median in medians.values()), f"{apart:.2f} ×")
        console.print(table)
        if arguments.json:
            arguments.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
