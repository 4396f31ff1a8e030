"""Making a plan: which records go where, which do not and why, all before anything is sent."""

from __future__ import annotations

import logging
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial

from producer_agent.kafka.read_back import ReadBack, ReadBackIncomplete
from producer_agent.replay.doubt import Doubt, look_for
from producer_agent.replay.options import PlanOptions
from producer_agent.replay.original import REPLAY_HEADER, TIMES_HEADER, Original, Refused
from producer_agent.replay.partitioners import PARTITIONERS
from producer_agent.replay.target_cluster import TargetCluster
from producer_agent.store import letter_edits, replay_plans, replays
from producer_agent.store.headers import Headers, as_bytes
from producer_agent.store.reader import Reader
from producer_agent.store.replays import LetterToReplay, PlannedRecord
from producer_agent.store.writer import Writer

log = logging.getLogger(__name__)

CHUNK = 500
CHUNK_BYTES = 16_000_000

OVERHEAD_BYTES = 61 + 40
"""What a batch of one record takes beside key, value and headers: the batch's header (61 bytes,
``DefaultRecordBatch.RECORD_BATCH_OVERHEAD``) and, generously, the record's own numbers."""

MOST_HEADER_NAMES = 50


@dataclass(slots=True)
class TargetFindings:
    """What is known of one target."""

    records: int = 0
    partitions: int | None = None
    """How many it has; None: it is not there."""
    max_message_bytes: int | None = None
    by_partition: dict[int, int] = field(default_factory=dict)
    """Records by the partition they will go to."""
    kept_partition: int = 0
    """Records that go to the partition number they had."""
    by_key: int = 0
    """Records whose partition was computed from their key."""
    anywhere: int = 0
    """Records without key and without a known partition."""


@dataclass(slots=True)
class Findings:
    """What planning found. Kept with the plan as JSON."""

    targets: dict[str, TargetFindings] = field(default_factory=dict)
    groups: dict[str, list[str]] | None = None
    """Consumer groups that will see the records again, by topic; None: it does not tell."""
    dropped_headers: dict[str, int] = field(default_factory=dict)
    """Records by the name of a header that they are sent without."""
    kept_headers: dict[str, int] = field(default_factory=dict)
    edited: int = 0
    keys_checked: int = 0
    """Records whose key and partition are both known, as far as they were looked at."""
    keys_agree: dict[str, int] = field(default_factory=dict)
    """How many of those each partitioner puts where they were."""
    partitioner: str | None = None
    """The one that keys without a known partition are put by."""
    looked_for: int = 0
    """Records that may lie on their target already, and could be looked for."""
    not_looked_for: int = 0
    """Records that may lie there already and cannot be known there, or it could not be read."""
    look_problem: str | None = None
    compression: str | None = None
    """Set where a record fits its topic compressed only."""


class Planner:
    """Makes plans.

    Args:
        cluster: Where records go.
        writer, reader: The ledger.
        original_of: Reads the original out of a dead letter; raises :class:`Refused`.
        cluster_row: Row id of the cluster.
    """

    def __init__(
        self,
        cluster: TargetCluster,
        writer: Writer,
        reader: Reader,
        original_of: Callable[[LetterToReplay], Original],
        cluster_row: int,
    ) -> None:
        self._cluster = cluster
        self._cluster_row = cluster_row
        self._writer = writer
        self._reader = reader
        self._original_of = original_of

    def make(
        self,
        plan: int,
        ids: Sequence[int],
        options: PlanOptions,
        *,
        ask_groups: bool = True,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        """Write the ledger rows of plan ``plan`` for these dead letters, and what was found; the
        plan is ``planned`` then.

        Raises:
            ClusterUnreachable: no broker answered.
        """
        row = self._reader(partial(replay_plans.get, plan=plan))
        assert row is not None, "the plan was created"
        self._writer.call(partial(replays.clear_plan, plan=plan))
        work = _Work(self._cluster, self._cluster_row, options)
        ordered = self._reader(partial(replays.in_sending_order, ids=list(dict.fromkeys(ids))))
        done = 0
        for letters in self._chunks(ordered):
            if stopped():
                return
            edits = self._reader(
                partial(letter_edits.pending, letters=[letter.id for letter in letters])
            )
            originals = [self._read(letter) for letter in letters]
            records = work.plan(letters, originals, edits)
            self._writer.call(partial(replays.write_planned, plan=plan, records=records))
            done += len(letters)
            self._tell(plan, f"{done:,} of {len(ordered):,} records planned")
        self._look_for_doubtful(plan, work, stopped)
        if ask_groups:
            self._tell(plan, "asking which consumer groups read the targets")
            groups = self._cluster.groups_reading(sorted(work.findings.targets))
            work.findings.groups = None if groups is None else dict(groups)
        work.cut_header_names()
        self._writer.call(
            partial(replay_plans.set_findings, plan=plan, findings=asdict(work.findings))
        )
        self._writer.call(
            partial(replay_plans.set_state, plan=plan, state="planned", only_from=("planning",))
        )

    def _chunks(self, ids: Sequence[int]) -> Iterator[list[LetterToReplay]]:
        """The letters in order, few enough at a time to be held."""
        chunk: list[int] = []
        total = 0
        sizes = self._reader(partial(replays.sizes, ids=ids))
        for letter in ids:
            size = sizes.get(letter, 0)
            if chunk and (len(chunk) == CHUNK or total + size > CHUNK_BYTES):
                yield self._reader(partial(replays.letters, ids=chunk))
                chunk, total = [], 0
            chunk.append(letter)
            total += size
        if chunk:
            yield self._reader(partial(replays.letters, ids=chunk))

    def _read(self, letter: LetterToReplay) -> Original | Refused:
        try:
            return self._original_of(letter)
        except Refused as refusal:
            return refusal
        except Exception as error:
            # One record that cannot be read must not keep the others from being planned.
            log.exception("replay: dead letter %d", letter.id)
            return Refused(f"It could not be prepared: {error}")

    def _look_for_doubtful(self, plan: int, work: _Work, stopped: Callable[[], bool]) -> None:
        if not work.doubtful:
            return
        findings = work.findings
        self._tell(plan, f"looking for {len(work.doubtful):,} that may lie on their target already")
        try:
            with ReadBack(self._cluster.connection) as read_back:
                found = look_for(work.doubtful, findings_partitions(findings), read_back, stopped)
        except ReadBackIncomplete as error:
            findings.look_problem = str(error)
            findings.not_looked_for += len(work.doubtful)
            return
        findings.looked_for = len(work.doubtful)
        self._writer.call(partial(replays.find_already, plan=plan, found=found))

    def _tell(self, plan: int, progress: str) -> None:
        self._writer.call(partial(replay_plans.set_progress, plan=plan, progress=progress))


def findings_partitions(findings: Findings) -> dict[str, int]:
    """``{topic: partitions}`` of the targets that are there."""
    return {
        name: target.partitions
        for name, target in findings.targets.items()
        if target.partitions is not None
    }


class _Work:
    """One plan in the making: what is carried from chunk to chunk."""

    def __init__(self, cluster: TargetCluster, cluster_row: int, options: PlanOptions) -> None:
        self._cluster = cluster
        self._cluster_row = cluster_row
        self._options = options
        self._sequence = 0
        self._originals: dict[tuple[object, ...], int] = {}
        self.findings = Findings()
        self.doubtful: list[Doubt] = []

    def plan(
        self,
        letters: Sequence[LetterToReplay],
        originals: Sequence[Original | Refused],
        edits: dict[int, letter_edits.Edit],
    ) -> list[PlannedRecord]:
        """The ledger rows of the next letters."""
        self._learn_targets([each for each in originals if isinstance(each, Original)])
        return [
            self._record(letter, original, edits.get(letter.id))
            for letter, original in zip(letters, originals, strict=True)
        ]

    def _record(
        self, letter: LetterToReplay, original: Original | Refused, edit: letter_edits.Edit | None
    ) -> PlannedRecord:
        sequence = self._sequence
        self._sequence += 1

        def row(
            state: str,
            reason: str | None = None,
            *,
            topic: str | None = None,
            partition: int | None = None,
            headers: Headers | None = None,
            own_bytes: bool = False,
        ) -> PlannedRecord:
            return PlannedRecord(
                sequence,
                letter.id,
                letter.status,
                edit.id if edit else None,
                headers,
                own_bytes,
                topic,
                partition,
                state,
                reason,
            )

        if isinstance(original, Refused):
            return row("refused", str(original))
        topic = self._options.target_of(original.topic)
        if topic is None:
            return row(
                "refused",
                "it does not tell which topic it came from: choose a target for the plan, or a "
                "default target for its dead-letter topic",
            )
        target = self.findings.targets[topic]
        refusal = self._refusal(letter, original, topic, target)
        if refusal is not None:
            return row("refused", refusal, topic=topic)
        key, value = (edit.key, edit.value) if edit else (original.key, original.value)
        headers = edit.headers if edit else self._headers(letter, original)
        size = _size(key, value, headers)
        limit = target.max_message_bytes
        if limit is not None and size > limit:
            if (
                len(zlib.compress((key or b"") + (value or b""), 1)) + size - _payload(key, value)
                > limit
            ):
                return row(
                    "refused",
                    f"it takes {size:,} bytes and {topic} takes {limit:,} "
                    f"(max.message.bytes): raise that, or edit the record",
                    topic=topic,
                )
            self.findings.compression = "gzip"
        partition = self._partition(letter, original, key, target, topic == original.topic)
        target.records += 1
        if partition is not None:
            target.by_partition[partition] = target.by_partition.get(partition, 0) + 1
        self.findings.edited += edit is not None
        if not self._options.keep_failure_headers and not edit:
            _count(self.findings.dropped_headers, set(original.dropped))
        _count(self.findings.kept_headers, {name for name, _ in headers})
        if letter.may_be_stored and topic == original.topic:
            if original.identity is None:
                self.findings.not_looked_for += 1
            else:
                self.doubtful.append(Doubt(sequence, topic, original.identity, original.sent_ms))
        return row(
            "planned",
            topic=topic,
            partition=partition,
            headers=headers,
            own_bytes=original.own_bytes and edit is None,
        )

    def _refusal(
        self, letter: LetterToReplay, original: Original, topic: str, target: TargetFindings
    ) -> str | None:
        """Why a record is not sent, or None."""
        if letter.live is not None:
            return _already(letter.live, letter.live_plan)
        if not letter.is_of(self._cluster_row, self._cluster.keeps_transactions):
            return "it was read from another cluster than the one that is connected"
        if letter.status == "archived":
            return "it is archived: restore it first"
        if letter.times_back >= self._options.most_times_back and self._options.force is None:
            return (
                f"it came back {letter.times_back} times: mend the cause first, or force it and "
                f"say why"
            )
        if topic.startswith("__"):
            return f"{topic} is internal to Kafka: nothing may be sent there"
        if topic == letter.topic:
            return f"{topic} is the dead-letter topic that it lies on"
        if target.partitions is None:
            return f"the topic {topic} is not on this cluster: create it, or choose another target"
        if None not in (original.topic, original.partition, original.offset):
            place = (original.topic, original.partition, original.offset)
            first = self._originals.setdefault(place, letter.id)
            if first != letter.id:
                return f"dead letter {first} of this plan is the same record, dead-lettered twice"
        return None

    def _headers(self, letter: LetterToReplay, original: Original) -> Headers:
        if not self._options.keep_failure_headers:
            return original.headers
        return [
            (name, as_bytes(value))
            for name, value in letter.headers
            if name not in (REPLAY_HEADER, TIMES_HEADER)
        ]

    def _learn_targets(self, originals: Sequence[Original]) -> None:
        """Look new targets up, and, with the first records, which partitioner their keys show."""
        new = sorted(
            {
                topic
                for original in originals
                if (topic := self._options.target_of(original.topic)) is not None
            }
            - self.findings.targets.keys()
        )
        if new:
            known = self._cluster.topic_sizes(new)
            for name in new:
                partitions, limit = known.get(name, (None, None))
                self.findings.targets[name] = TargetFindings(
                    partitions=partitions, max_message_bytes=limit
                )
        if self.findings.keys_checked == 0:
            self._learn_partitioner(originals)

    def _learn_partitioner(self, originals: Sequence[Original]) -> None:
        agree: Counter[str] = Counter()
        checked = 0
        for original in originals:
            target = self.findings.targets.get(original.topic or "")
            if target is None or not target.partitions or not original.key:
                continue
            if original.partition is None or original.partition >= target.partitions:
                continue
            checked += 1
            for name, partitioner in PARTITIONERS.items():
                agree[name] += partitioner(original.key, target.partitions) == original.partition
        if checked:
            self.findings.keys_checked = checked
            self.findings.keys_agree = dict(agree)
            self.findings.partitioner = max(PARTITIONERS, key=lambda name: agree[name])

    def _partition(
        self,
        letter: LetterToReplay,
        original: Original,
        key: bytes | None,
        target: TargetFindings,
        same_topic: bool,
    ) -> int | None:
        """The partition to send to, so that a key stays together; None: any."""
        assert target.partitions is not None
        known = original.partition
        if (
            self._options.partition == "same"
            and same_topic
            and known is not None
            and 0 <= known < target.partitions
        ):
            target.kept_partition += 1
            return known
        if key is None:
            target.anywhere += 1
            return None
        # Our own producers use librdkafka's partitioner; who consumes in Java mostly produces so.
        java, librdkafka = PARTITIONERS
        name = self.findings.partitioner or (librdkafka if letter.side == "producer" else java)
        if self.findings.partitioner is None:
            self.findings.partitioner = name
        target.by_key += 1
        return PARTITIONERS[name](key, target.partitions)

    def cut_header_names(self) -> None:
        """Keep the most frequent names: a record may carry a header of its own making each."""
        for counted in (self.findings.dropped_headers, self.findings.kept_headers):
            for name, _ in Counter(counted).most_common()[MOST_HEADER_NAMES:]:
                del counted[name]


def _count(counted: dict[str, int], names: Iterable[str]) -> None:
    for name in names:
        counted[name] = counted.get(name, 0) + 1


def _size(key: bytes | None, value: bytes | None, headers: Headers) -> int:
    """Bytes that a batch of this one record takes, uncompressed."""
    in_headers = sum(
        len(name.encode("utf-8", "replace")) + len(as_bytes(value) or b"") + 10
        for name, value in headers
    )
    # The replay's own two headers come on top.
    return _payload(key, value) + in_headers + OVERHEAD_BYTES + 100


def _payload(key: bytes | None, value: bytes | None) -> int:
    return len(key or b"") + len(value or b"")


def _already(state: str, plan: int | None) -> str:
    return {
        "intent": f"plan {plan} is sending it",
        "done": f"it was replayed before, by plan {plan}",
        "unknown": f"plan {plan} may have sent it: its target is read back when that plan goes on",
    }[state]
