"""From a dead letter and its original to one row of a plan: sent where and how, or why not."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Sequence

from producer_agent.kafka.our_headers import REPLAY_HEADERS
from producer_agent.replay.doubt import Doubt
from producer_agent.replay.findings import Findings, TargetFindings
from producer_agent.replay.header_names import require_header_name
from producer_agent.replay.options import PlanOptions
from producer_agent.replay.original import Original, Refused, marked
from producer_agent.replay.partitioners import PARTITIONERS
from producer_agent.replay.target_cluster import TargetCluster
from producer_agent.store import letter_edits
from producer_agent.store.headers import Headers, as_bytes
from producer_agent.store.replay_letters import LetterToReplay
from producer_agent.store.replays import PlannedRecord

OVERHEAD_BYTES = 61 + 40
"""What a batch of one record takes beside key, value and headers: the batch's header (61 bytes,
``DefaultRecordBatch.RECORD_BATCH_OVERHEAD``) and, generously, the record's own numbers."""

MOST_HEADER_NAMES = 50


class RecordPlanning:
    """One plan in the making: what is carried from chunk to chunk."""

    def __init__(
        self, cluster: TargetCluster, cluster_row: int, plan_uuid: str, options: PlanOptions
    ) -> None:
        self._plan_uuid = plan_uuid
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
        try:
            for name, _ in headers:
                require_header_name(name)
        except ValueError as error:
            return row("refused", str(error), topic=topic)
        refusal = self._too_large(key, value, headers, topic, target)
        if refusal is not None:
            return row("refused", refusal, topic=topic)
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
            headers=marked(headers, self._plan_uuid, sequence, letter.times_back),
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

    def _too_large(
        self,
        key: bytes | None,
        value: bytes | None,
        headers: Headers,
        topic: str,
        target: TargetFindings,
    ) -> str | None:
        """Why a record does not fit its topic, or None; notes where it fits compressed only."""
        limit, size = target.max_message_bytes, _size(key, value, headers)
        if limit is None or size <= limit:
            return None
        payload = (key or b"") + (value or b"")
        if size - len(payload) + len(zlib.compress(payload, 1)) > limit:
            return (
                f"it takes {size:,} bytes and {topic} takes {limit:,} (max.message.bytes): raise "
                f"that, or edit the record"
            )
        self.findings.compression = "gzip"
        return None

    def _headers(self, letter: LetterToReplay, original: Original) -> Headers:
        if not self._options.keep_failure_headers:
            return original.headers
        return [
            (name, as_bytes(value)) for name, value in letter.headers if name not in REPLAY_HEADERS
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
    return len(key or b"") + len(value or b"") + in_headers + OVERHEAD_BYTES + 100


def _already(state: str, plan: int | None) -> str:
    return {
        "intent": f"plan {plan} is sending it",
        "done": f"it was replayed before, by plan {plan}",
        "unknown": f"plan {plan} may have sent it: its target is read back when that plan goes on",
    }[state]
