"""How quick is triage with a million dead letters? Storing them, and each question's time.

``nice python -m bench.triage [--letters N …] [--repeat R] [--folder DIR]``

Records of five conventions with values of 1 KB go through the consumer's own steps (decode,
fingerprint, store in batches of 2,000, one transaction each), spread over the last thirty days by
the store's clock. The rate counts those steps and not the making of records. Statuses then move as
people move them. Each question is asked as the pages and the terminal ask it, on a reader's
connection, on warm caches; the median and the worst of the repeats are told.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

from rich.console import Console
from sqlite_utils import Database

from bench.triage_letters import COMMON_WORD, RARE_WORD, records
from producer_agent.dead_letters.conventions import decode
from producer_agent.dead_letters.letters import letter_of
from producer_agent.store import dead_letters, runs, triage
from producer_agent.store.queries import dead_letters as letters
from producer_agent.store.queries import letter_order
from producer_agent.store.queries.dead_letters import LetterFilter
from producer_agent.store.queries.letter_export import exported_letter, places
from producer_agent.store.queries.letter_groups import groups
from producer_agent.store.queries.letter_history import history
from producer_agent.store.reader import Reader
from producer_agent.store.writer import Writer

BATCH = 2_000
DAYS = 30
GOAL_MS = 200
EXPORTED = 10_000


def fill(path: Path, total: int, now_us: int) -> float:
    """A store with ``total`` letters; returns the seconds that decoding and storing took."""
    took_s = 0.0
    with Writer(path) as writer:
        cluster = writer.call(
            partial(
                runs.register_cluster, cluster_id="bench", kind="real", bootstrap_servers="bench"
            )
        )
        for start in range(0, total, BATCH):
            batch = list(records(start, min(BATCH, total - start)))
            ago_us = DAYS * 86_400_000_000 * (total - start - len(batch)) // total
            began_s = time.perf_counter()
            rows = [letter_of(record, "", decode(record)) for record in batch]
            with _clock(now_us - ago_us):
                stored = writer.call(
                    partial(dead_letters.insert, cluster=cluster, letters=rows), timeout_s=300.0
                )
            took_s += time.perf_counter() - began_s
            assert stored == len(batch), "every record is another letter"
        began_s = time.perf_counter()
        settle(writer, total)
        moved_s = time.perf_counter() - began_s
        print(f"{total * 3 // 5:,} letters resolved or archived in {moved_s:.1f} s", flush=True)
        writer.call(lambda db: db.execute("PRAGMA optimize").fetchall(), timeout_s=300.0)
    return took_s


def settle(writer: Writer, total: int) -> None:
    """The older half is resolved, a tenth archived, as a command does it."""
    chosen = {"resolved": range(1, total // 2 + 1), "archived": range(1, total // 10 + 1)}
    for command, (status, ids) in enumerate(chosen.items(), 1):
        for at in range(0, len(ids), triage.STEP):
            writer.call(
                partial(triage.move, letters=ids[at : at + triage.STEP], to=status, command=command)
            )


@contextmanager
def _clock(at_us: int) -> Iterator[None]:
    with mock.patch.object(dead_letters, "now_us", return_value=at_us):
        yield


def questions(reader: Reader, total: int, now_us: int) -> dict[str, Callable[[Database], Any]]:
    """What is asked, by the name in the table."""
    day_ago_us = now_us - 86_400_000_000
    newest = reader(letter_order.newest_id)
    group = reader(partial(groups, wanted=LetterFilter()))[0]
    opened = LetterFilter(statuses=letters.OPEN_STATUSES)

    def listed(wanted: LetterFilter, **more: Any) -> Callable[[Database], Any]:
        def ask(db: Database) -> None:
            letters.count(db, wanted)
            letters.page(db, wanted, limit=50, **more)

        return ask

    def export(db: Database) -> None:
        for place in places(db, LetterFilter(), limit=EXPORTED):
            exported_letter(db, place.id)

    return {
        "list: first page, no filter": listed(LetterFilter(up_to_id=newest)),
        "list: page in the middle": listed(LetterFilter(up_to_id=newest), offset=total // 2),
        "list: open": listed(opened),
        "list: of a cause": listed(LetterFilter(cause=group.cause)),
        "list: by status": listed(LetterFilter(statuses=("archived",))),
        "list: by topic and status": listed(
            LetterFilter(topic="order-events", statuses=("acknowledged", "new"))
        ),
        "list: of the last day": listed(LetterFilter(since_us=day_ago_us)),
        "list: error class": listed(LetterFilter(error="SQLException")),
        "list: largest first": listed(LetterFilter(), sort="size"),
        "list: open, largest first": listed(opened, sort="size"),
        "list: key contains, few": listed(LetterFilter(key_contains="er-012345")),
        "list: key contains, all": listed(LetterFilter(key_contains="customer")),
        "list: header name=value, few": listed(LetterFilter(header="source=host-7")),
        "list: header name, many": listed(LetterFilter(header="traceparent")),
        "list: text, rare word": listed(LetterFilter(text=RARE_WORD)),
        "list: text, an order's id": listed(LetterFilter(text=f"order-{total // 3:08d}")),
        "list: text, beginning of a word": listed(LetterFilter(text="zanz*")),
        "list: text, common word": listed(LetterFilter(text=COMMON_WORD)),
        "list: text, common word, open": listed(
            LetterFilter(text=COMMON_WORD, statuses=letters.OPEN_STATUSES)
        ),
        "groups": partial(groups, wanted=LetterFilter()),
        "groups: open": partial(groups, wanted=opened),
        "groups: of a topic and the last day": partial(
            groups, wanted=LetterFilter(topic="order-events", since_us=day_ago_us)
        ),
        "groups: text, rare word": partial(groups, wanted=LetterFilter(text=RARE_WORD)),
        "groups: text, common word": partial(groups, wanted=LetterFilter(text=COMMON_WORD)),
        "summary: open": partial(letters.summary, wanted=opened),
        "what can be filtered by": letters.filter_options,
        "one letter": partial(letters.letter, id_=total // 2),
        "its history": partial(history, letter=total // 2),
        f"export of {EXPORTED:,}": export,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--letters", type=int, nargs="+", default=[10_000, 1_000_000])
    parser.add_argument("--repeat", type=int, default=11)
    parser.add_argument("--folder", type=Path, help="keep the databases here")
    arguments = parser.parse_args()
    console = Console(soft_wrap=True, highlight=False)
    now_us = time.time_ns() // 1000
    with tempfile.TemporaryDirectory() as folder:
        readers: dict[int, Reader] = {}
        for total in sorted(arguments.letters):
            path = (arguments.folder or Path(folder)) / f"{total}.db"
            readers[total] = Reader(path)
            if path.exists():
                console.print(f"{path} is there already, and is asked as it is")
                continue
            took_s = fill(path, total, now_us)
            peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            console.print(
                f"{total:,} letters stored at {total / took_s:,.0f}/s; file "
                f"{path.stat().st_size / 1e6:,.0f} MB, {path.stat().st_size / total:,.0f} B a "
                f"letter; peak memory {peak_mb:,.0f} MB"
            )
        asked = {total: questions(reader, total, now_us) for total, reader in readers.items()}
        console.print(f"\nms, median (worst) of {arguments.repeat}\n")
        console.print("| question | " + " | ".join(f"{total:,}" for total in readers) + " |")
        console.print("|---|" + "---|" * len(readers))
        for name in next(iter(asked.values())):
            cells = []
            for total, reader in readers.items():
                times = measured(reader, asked[total][name], arguments.repeat)
                median = statistics.median(times)
                mark = "**" if median > GOAL_MS and not name.startswith("export") else ""
                cells.append(f"{mark}{median:,.1f}{mark} ({max(times):,.1f})")
            console.print(f"| {name} | {' | '.join(cells)} |")


def measured(reader: Reader, question: Callable[[Database], Any], repeat: int) -> list[float]:
    """Milliseconds of each asking, after one that warms the caches."""
    reader(question)
    times = []
    for _ in range(repeat):
        began_s = time.perf_counter()
        reader(question)
        times.append((time.perf_counter() - began_s) * 1e3)
    return times


if __name__ == "__main__":
    main()
