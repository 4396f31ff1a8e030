"""One audit: what a run claimed, held against what is on its topics.

The topics are read in slices, the claims of each along with it, and after each slice all that is
known is handed out as a checkpoint: an audit that was killed goes on from there, with the same
stretch of the topics before it, and comes to the same verdict.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import numpy as np
from confluent_kafka import Message

from producer_agent.durability.blocks import NOWHERE
from producer_agent.durability.judging import Finding
from producer_agent.durability.matching import Matcher, TooMuchAmiss
from producer_agent.durability.sightings import sightings
from producer_agent.durability.verdicts import Claim, Matrix, Place
from producer_agent.kafka.cluster_view import cluster_view, topic_configs
from producer_agent.kafka.read_back import ReadBack, ReadBackIncomplete
from producer_agent.store.queries import run_claims
from producer_agent.store.queries.run_claims import RunRecord
from producer_agent.store.reader import Reader

SLICE: Final = 2_000_000
"""Records of one slice. Reading begins anew with each, which drops what was fetched ahead."""

CLOCKS_APART_MS: Final = 60_000
"""How much earlier than a run began a record of it may be dated: clocks of hosts differ."""


class AuditImpossible(Exception):
    """There is nothing to hold the claims against; the text says why, and what may be done."""


@dataclass(slots=True)
class Stretch:
    """A partition of which some is to be read."""

    topic: str
    partition: int
    start: int
    """The first offset that may hold a record of the run."""
    low: int
    """The low watermark before anything was read."""
    end: int
    """The offset behind the last to read."""
    whole: bool
    """All of the run's records lie below ``end``."""
    compacted: bool

    def upto(self, slice_: int, slices: int) -> int:
        """Where this many of the slices end."""
        first = max(self.start, self.low)
        return first + (max(self.end, first) - first) * slice_ // slices


@dataclass(slots=True)
class Checkpoint:
    """How far an audit came."""

    stretches: list[Stretch]
    slices: int
    done: int = 0
    """Slices that are matched."""
    lot: int = 0
    """The last row of ``delivery_lots`` that was taken in."""
    undelivered: int = 0
    records: int = 0
    foreign: int = 0
    matcher: bytes | None = None

    def to_json(self) -> dict[str, Any]:
        """All but the matcher."""
        return {name: value for name, value in asdict(self).items() if name != "matcher"}

    @classmethod
    def from_json(cls, body: Mapping[str, Any], matcher: bytes) -> Checkpoint:
        """The inverse of :meth:`to_json`."""
        stretches = [Stretch(**stretch) for stretch in body["stretches"]]
        return cls(**{**body, "stretches": stretches, "matcher": matcher})


@dataclass(slots=True)
class AuditResult:
    """What came of it."""

    matrix: Matrix
    findings: list[Finding]
    places: list[Place]
    records: int
    """Records that were read, whosever they are."""
    not_known: list[str] = field(default_factory=list)
    """Why it is incomplete; empty: it is not."""


class Audit:
    """Holds one run against its topics.

    Args:
        connection: librdkafka properties that reach the cluster that the run was sent to.
        reader: Of the database that has the run.
        run: The run; one that goes on is audited as far as it came.
        stopped: Says when to end early; what was read until then is judged.
        progress: Told how much is done, up to 1.
        save: Takes a checkpoint.
        checkpoint: Where an earlier one of this run was interrupted.
    """

    def __init__(
        self,
        connection: Mapping[str, Any],
        reader: Reader,
        run: RunRecord,
        *,
        stopped: Callable[[], bool] = lambda: False,
        progress: Callable[[float], None] = lambda _share: None,
        save: Callable[[Checkpoint], None] = lambda _checkpoint: None,
        checkpoint: Checkpoint | None = None,
    ) -> None:
        self._connection = connection
        self._reader = reader
        self._run = run
        self._stopped = stopped
        self._progress = progress
        self._save = save
        self._checkpoint = checkpoint

    def run(self) -> AuditResult:
        """Read, match and judge.

        Raises:
            AuditImpossible: the run's cluster is another one, or none of its topics is there.
            ClusterUnreachable: no broker answered.
        """
        run = self._run
        not_known: list[str] = []
        with ReadBack(self._connection, committed_only=run.transactional) as read_back:
            at = self._checkpoint or self._plan(read_back)
            matcher = Matcher([place.low for place in at.stretches], first=run.trimmed_below)
            if at.matcher is not None:
                matcher.load(at.matcher)
            reached = [place.upto(at.done, at.slices) for place in at.stretches]
            first_lot, last_lot = self._reader(lambda db: run_claims.lot_ids(db, run))
            try:
                while at.done < at.slices:
                    share = (at.done + 1) / at.slices
                    self._claim(matcher, at, first_lot + int((last_lot - first_lot) * share))
                    self._read(read_back, matcher, at, reached)
                    at.done += 1
                    if at.done < at.slices:
                        at.matcher = matcher.dump()
                        self._save(at)
            except ReadBackIncomplete as error:
                not_known.append(str(error))
            except TooMuchAmiss as error:
                not_known.append(f"It was not read to its end: {error}.")
            try:
                self._claim(matcher, at, last_lot)
            except TooMuchAmiss as error:
                not_known.append(f"Not every outcome was held against it: {error}.")
            places = [
                self._place(read_back, stretch, read_to)
                for stretch, read_to in zip(at.stretches, reached, strict=True)
            ]
        matrix, findings = matcher.judge(places, run.accepted)
        matrix.foreign = at.foreign
        not_known += [
            f"{stretch.topic} is not there any more." for stretch in at.stretches if stretch.end < 0
        ]
        self._progress(1.0)
        return AuditResult(matrix, findings, places, at.records, not_known)

    def _plan(self, read_back: ReadBack) -> Checkpoint:
        """What to read: from where the run began to where its last record can be."""
        run = self._run
        view = cluster_view(self._connection)
        if view.cluster_id != run.cluster:
            raise AuditImpossible(
                f"Run {run.uuid} was sent to the cluster {run.cluster}, and this is "
                f"{view.cluster_id}. An embedded cluster forgets everything when it ends; for a "
                f"real one set KAFKA_BOOTSTRAP_SERVERS to that cluster's address."
            )
        spans = self._reader(lambda db: run_claims.reported_spans(db, run))
        stretches = []
        topics = dict.fromkeys((*run.topics, *(topic for topic, _ in spans)))
        settings = topic_configs(self._connection, topics) if not view.embedded else {}
        for topic in topics:
            known = view.topic(topic)
            if known is None or not known.partitions:
                stretches += [
                    Stretch(topic, partition, 0, 0, -1, whole=False, compacted=False)
                    for its_topic, partition in spans
                    if its_topic == topic
                ]
                continue
            partitions = [partition.id for partition in known.partitions]
            bounds = read_back.watermarks(topic, partitions)
            starts = self._starts(read_back, topic, bounds, by_time=not view.embedded)
            compacted = "compact" in settings.get(topic, {}).get("cleanup.policy", "")
            for partition, (low, high) in bounds.items():
                reported = spans.get((topic, partition))
                start = min(starts[partition], reported[0] if reported else high)
                end = high
                if run.ended_us is not None and topic == run.topic:
                    noted = run.end_watermarks.get(partition)
                    if noted is not None:
                        end = min(high, max(noted[1], reported[1] + 1 if reported else 0))
                whole = run.ended_us is not None
                stretches.append(Stretch(topic, partition, start, low, end, whole, compacted))
        if not any(stretch.end >= 0 for stretch in stretches):
            raise AuditImpossible(
                f"None of the topics of run {run.uuid} ({', '.join(topics)}) is there any more."
            )
        total = sum(max(s.end - max(s.start, s.low), 0) for s in stretches)
        return Checkpoint(stretches, max(-(-total // SLICE), 1))

    def _starts(
        self,
        read_back: ReadBack,
        topic: str,
        bounds: Mapping[int, tuple[int, int]],
        *,
        by_time: bool,
    ) -> dict[int, int]:
        """The first offset of each partition that may hold a record of the run.

        Args:
            by_time: The cluster can be asked for the offset of a time; the embedded one answers
                that there is none.
        """
        if topic == self._run.topic and self._run.start_watermarks:
            noted = self._run.start_watermarks
            return {
                partition: noted[partition][1] if partition in noted else 0 for partition in bounds
            }
        if not by_time:
            return {partition: low for partition, (low, _) in bounds.items()}
        since_ms = self._run.started_us // 1000 - CLOCKS_APART_MS
        found = read_back.offsets_at(topic, list(bounds), since_ms)
        return {partition: found.get(partition, high) for partition, (_, high) in bounds.items()}

    def _claim(self, matcher: Matcher, at: Checkpoint, upto: int) -> None:
        """Take the run's outcomes in, up to a row of ``delivery_lots``."""
        run, numbers = self._run, _numbers(at)
        while claims := self._reader(
            lambda db: run_claims.undelivered_claims(db, run, at.undelivered)
        ):
            matcher.claim(
                np.asarray([claim.sequence for claim in claims], dtype=np.int64),
                np.asarray(
                    [_claim_of(claim.outcome, claim.stored) for claim in claims], dtype=np.uint8
                ),
                np.asarray(
                    [
                        # Of what was not stored it does not matter where it is not.
                        numbers.get((claim.topic, claim.partition), NOWHERE)
                        if claim.partition is not None and claim.stored != "no"
                        else NOWHERE
                        for claim in claims
                    ],
                    dtype=np.int64,
                ),
            )
            at.undelivered = claims[-1].id
        while at.lot < upto:
            lots = self._reader(lambda db: run_claims.report_lots(db, run, at.lot))
            if not lots:
                return
            for lot in lots:
                its = lot.reports
                places = np.full(len(its), NOWHERE, dtype=np.int64)
                for partition in np.unique(its.partitions).tolist():
                    number = numbers.get((lot.topic, partition), NOWHERE)
                    places[its.partitions == partition] = number
                claim = Claim.DELIVERED if lot.outcome == "delivered" else Claim.UNCONFIRMED
                matcher.claim(its.sequences, claim, places, its.offsets)
            at.lot = lots[-1].id

    def _read(
        self, read_back: ReadBack, matcher: Matcher, at: Checkpoint, reached: list[int]
    ) -> None:
        """Take the records of the next slice in."""
        numbers = _numbers(at)
        run = bytes.fromhex(self._run.uuid)
        for topic in dict.fromkeys(stretch.topic for stretch in at.stretches if stretch.end >= 0):
            slice_ = {
                stretch.partition: (reached[number], stretch.upto(at.done + 1, at.slices))
                for number, stretch in enumerate(at.stretches)
                if stretch.topic == topic and stretch.end >= 0
            }
            for lot in read_back.read(topic, slice_, stopped=self._stopped):
                self._take(lot, topic, run, matcher, at, reached, numbers)
                self._progress(self._share(at, reached))
            for partition, (_, end) in slice_.items():
                # The last of it may be no record: a transaction's marker, or compacted away.
                number = numbers[topic, partition]
                reached[number] = max(reached[number], end)

    def _take(
        self,
        lot: list[Message],
        topic: str,
        run: bytes,
        matcher: Matcher,
        at: Checkpoint,
        reached: list[int],
        numbers: Mapping[tuple[str, int], int],
    ) -> None:
        found, foreign = sightings(lot, run)
        at.records += len(lot)
        at.foreign += foreign
        for its in found:
            matcher.sight(
                numbers[topic, its.partition], its.offsets, its.sequences, its.corrupt, its.replayed
            )
        for message in lot:
            partition, offset = message.partition(), message.offset()
            assert partition is not None
            assert offset is not None
            reached[numbers[topic, partition]] = offset + 1

    def _share(self, at: Checkpoint, reached: list[int]) -> float:
        first = [max(stretch.start, stretch.low) for stretch in at.stretches]
        total = sum(max(s.end - low, 0) for s, low in zip(at.stretches, first, strict=True))
        done = sum(max(to - low, 0) for to, low in zip(reached, first, strict=True))
        return min(done / total, 1.0) if total else 1.0

    def _place(self, read_back: ReadBack, stretch: Stretch, read_to: int) -> Place:
        """How far a stretch was read, and what has been deleted of it by now."""
        low = stretch.low
        if stretch.end >= 0:
            try:
                low, _ = read_back.watermarks(stretch.topic, [stretch.partition])[stretch.partition]
            except ReadBackIncomplete:
                # Nothing is known of what was deleted meanwhile: what was not read is not known.
                low = max(low, read_to)
        return Place(
            stretch.topic,
            stretch.partition,
            stretch.start,
            low,
            max(read_to, 0),
            stretch.whole and read_to >= stretch.end >= 0,
            stretch.compacted,
        )


def _numbers(at: Checkpoint) -> dict[tuple[str, int], int]:
    return {(place.topic, place.partition): n for n, place in enumerate(at.stretches)}


def _claim_of(outcome: str, stored: str) -> Claim:
    if outcome == "failed":
        return Claim.FAILED if stored == "no" else Claim.IN_DOUBT
    return Claim.REJECTED if outcome == "rejected" else Claim.UNRESOLVED
