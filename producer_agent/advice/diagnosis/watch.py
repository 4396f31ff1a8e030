"""Keeps the fact ``diagnosis`` fresh: the topics with which something is the matter now."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlite_utils import Database

from producer_agent.advice.diagnosis.diagnose import diagnose
from producer_agent.advice.diagnosis.diagnosis import Diagnosis, State
from producer_agent.advice.diagnosis.gathering import FactsGatherer, Question
from producer_agent.store import facts
from producer_agent.store.clock import now_us
from producer_agent.store.database import StoreError
from producer_agent.store.queries import failed_events
from producer_agent.store.queries.failed_events import TopicFailures
from producer_agent.store.reader import Reader
from producer_agent.store.writer import Writer

log = logging.getLogger(__name__)

CHECK_EVERY_S = 0.5
"""How soon a change of what is recorded is noticed; costs two small queries."""

ASK_EVERY_S = 2.0
"""How often brokers are asked while something is the matter."""

MOST_TOPICS = 8
FEWEST_FAILURES = 5
"""Failures of one cause below which a topic is not looked at: single events are triage's."""

LATELY_US = 15_000_000

_ORDER = (State.WRONG, State.UNKNOWN, State.RISK)


@dataclass(frozen=True, slots=True)
class Suspects:
    """What is worth a closer look."""

    questions: tuple[Question, ...]
    left_out: int


class DiagnosisWatch:
    """A thread that looks for suspects and has them diagnosed, at most every other second."""

    def __init__(self, gatherer: FactsGatherer, reader: Reader, writer: Writer) -> None:
        self._gatherer = gatherer
        self._reader = reader
        self._writer = writer
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="diagnosis", daemon=True)
        self._asked_s = float("-inf")

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """End, after the questions that are under way (a few seconds at most)."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def look(self) -> list[Diagnosis]:
        """Diagnose the suspects of this moment and write the fact.

        Raises:
            StoreError, TimeoutError: the database cannot be read or written.
        """
        began_s = time.monotonic()
        suspects = self._reader(partial(find_suspects, now_us=now_us()))
        found: list[Diagnosis] = []
        if suspects.questions:
            told = self._gatherer.gather(suspects.questions)
            found = [
                diagnose(live, asked.cause)
                for live, asked in zip(told, suspects.questions, strict=True)
            ]
        matters = sorted(
            (diagnosis for diagnosis in found if diagnosis.state.is_matter),
            key=lambda diagnosis: _ORDER.index(diagnosis.state),
        )
        body = {
            "diagnoses": [diagnosis.to_json() for diagnosis in matters],
            "topics_left_out": suspects.left_out,
            "took_ms": round((time.monotonic() - began_s) * 1000),
        }
        self._writer.call(partial(facts.put, name="diagnosis", body=body))
        return matters

    def _run(self) -> None:
        busy = True
        while not self._stop.wait(CHECK_EVERY_S):
            # Brokers are asked while something was the matter; else it is only two queries.
            if busy and time.monotonic() - self._asked_s < ASK_EVERY_S:
                continue
            try:
                self._asked_s = time.monotonic()
                busy = bool(self.look())
            except (StoreError, TimeoutError) as error:
                log.error("topics could not be diagnosed: %s", error)
            except Exception:
                # Whatever it is, the next look may succeed, and a page shows how old the last is.
                log.exception("topics could not be diagnosed")


def find_suspects(db: Database, now_us: int) -> Suspects:
    """Topics that look unwell in the last metadata, to which records failed just now, or that an
    injected fault acts on: the metadata need not show it, and failures come a time-out later."""
    cluster, runs, faults = (facts.get(db, name) for name in ("cluster", "runs", "faults"))
    body: Mapping[str, Any] = cluster.body if cluster is not None else {}
    failing = {
        topic: failures
        for topic, failures in failed_events.recent_failures(db, now_us - LATELY_US).items()
        if max(failures.by_cause.values()) >= FEWEST_FAILURES
    }
    sent_to = {run["topic"] for run in (runs.body if runs is not None else ())}
    unwell = {
        topic["name"]: rank
        for topic in body.get("topics", ())
        if (rank := _rank(topic["partitions"], topic["min_insync_replicas"])) < 3
    }
    names: set[str] = {*failing, *unwell}
    for fault in faults.body["active"] if faults is not None else ():
        if fault["topic"] is not None:
            names.add(fault["topic"])
        elif fault.get("node") is None:
            names |= sent_to
    if body.get("reachable") is False:
        names |= sent_to
    internal = {topic["name"] for topic in body.get("topics", ()) if topic["internal"]}
    ordered = sorted(
        names,
        key=lambda name: (
            name in internal,
            name not in failing and name not in sent_to,
            unwell.get(name, 3),
            name,
        ),
    )
    return Suspects(
        tuple(Question(name, _cause(failing.get(name))) for name in ordered[:MOST_TOPICS]),
        max(len(ordered) - MOST_TOPICS, 0),
    )


def _cause(failures: TopicFailures | None) -> str | None:
    if failures is None:
        return None
    return next(iter(failures.by_cause), None)


def _rank(partitions: Iterable[Mapping[str, Any]], least: int | None) -> int:
    """0 without leader, 1 under min.insync.replicas, 2 with a replica missing, 3 whole."""
    worst = 3
    for partition in partitions:
        if partition["leader"] is None:
            return 0
        if least is not None and len(partition["isrs"]) < least:
            worst = min(worst, 1)
        elif len(partition["isrs"]) < len(partition["replicas"]):
            worst = min(worst, 2)
    return worst
