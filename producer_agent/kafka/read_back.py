"""Reading a stretch of a topic back: what truly lies there, between two offsets per partition."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from producer_agent.kafka.messages import headers_of

BATCH = 5_000
STALLED_S = 30.0
"""Without a record for so long, the rest counts as out of reach."""


class ReadBackIncomplete(Exception):
    """Not all of the stretch could be read; the text says how far, why, and what may be done."""


class ReadBack:
    """A consumer that reads stretches, for as long as the block lasts.

    Args:
        connection: librdkafka properties that reach the cluster.
        committed_only: Leave out what aborted or open transactions wrote.
    """

    def __init__(self, connection: Mapping[str, Any], *, committed_only: bool = True) -> None:
        self._consumer = Consumer(
            {
                **connection,
                "group.id": "ackboard-read-back",  # never joined, nothing is committed
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "auto.offset.reset": "earliest",
                "isolation.level": "read_committed" if committed_only else "read_uncommitted",
                "enable.partition.eof": True,
                "error_cb": lambda error: None,
            }
        )
        # The end of a stretch is where records are, not where they are committed: an open
        # transaction below must not hide that something is still to come.
        self._ends = Consumer(
            {
                **connection,
                "group.id": "ackboard-read-back",
                "enable.auto.commit": False,
                "isolation.level": "read_uncommitted",
                "error_cb": lambda error: None,
            }
        )

    def __enter__(self) -> ReadBack:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connections."""
        self._consumer.close()
        self._ends.close()

    def watermarks(
        self, topic: str, partitions: Sequence[int], timeout_s: float = 10.0
    ) -> dict[int, tuple[int, int]]:
        """``{partition: (first offset kept, offset after the last)}``.

        Raises:
            ReadBackIncomplete: a partition did not answer.
        """
        found = {}
        for partition in partitions:
            try:
                found[partition] = self._ends.get_watermark_offsets(
                    TopicPartition(topic, partition), timeout=timeout_s
                )
            except KafkaException as error:
                raise ReadBackIncomplete(
                    f"{topic}[{partition}] does not tell where it ends: {error.args[0].str()}"
                ) from error
        return found

    def offsets_at(
        self, topic: str, partitions: Sequence[int], time_ms: int, timeout_s: float = 10.0
    ) -> dict[int, int]:
        """The first offset of each partition whose record is not older than ``time_ms`` (UTC
        milliseconds); a partition without one is left out.

        Raises:
            ReadBackIncomplete: the cluster did not answer.
        """
        asked = [TopicPartition(topic, partition, time_ms) for partition in partitions]
        try:
            found = self._ends.offsets_for_times(asked, timeout=timeout_s)
        except KafkaException as error:
            raise ReadBackIncomplete(
                f"{topic} cannot be searched by time: {error.args[0].str()}"
            ) from error
        return {at.partition: at.offset for at in found if at.error is None and at.offset >= 0}

    def read(
        self,
        topic: str,
        stretch: Mapping[int, tuple[int, int]],
        *,
        stopped: Callable[[], bool] = lambda: False,
        stalled_s: float = STALLED_S,
    ) -> Iterator[list[Message]]:
        """All records in ``{partition: (first offset, offset after the last)}``, in lots.

        Raises:
            ReadBackIncomplete: some could not be read in time, or ``stopped`` said so.
        """
        left = {partition: end for partition, (start, end) in stretch.items() if start < end}
        if not left:
            return
        assigned = [TopicPartition(topic, partition, stretch[partition][0]) for partition in left]
        self._consumer.assign(assigned)
        # A stretch read before may have left them paused, which an assignment does not end.
        self._consumer.resume(assigned)
        deadline = time.monotonic() + stalled_s
        while left:
            if stopped():
                raise ReadBackIncomplete(f"reading {topic} back was stopped")
            lot: list[Message] = []
            for message in self._consumer.consume(BATCH, 0.25):
                partition, offset = message.partition(), message.offset()
                error = message.error()
                if error is not None:
                    if error.code() != KafkaError._PARTITION_EOF:
                        raise ReadBackIncomplete(
                            f"{topic} cannot be read back: {error.str()}. It is tried again when "
                            f"the plan goes on."
                        )
                    if partition in left and offset is not None and offset >= left[partition]:
                        self._leave(topic, partition, left)
                    continue
                if partition not in left or offset is None:
                    continue
                if offset < left[partition]:
                    lot.append(message)
                if offset + 1 >= left[partition]:
                    self._leave(topic, partition, left)
            if lot:
                deadline = time.monotonic() + stalled_s
                yield lot
            elif time.monotonic() >= deadline:
                places = ", ".join(f"[{partition}] up to {end}" for partition, end in left.items())
                raise ReadBackIncomplete(
                    f"{topic} could not be read back whole: {places} is missing. A transaction of "
                    f"another producer may be open there, or a partition has no leader."
                )

    def find_header(
        self,
        topic: str,
        stretch: Mapping[int, tuple[int, int]],
        name: str,
        *,
        stopped: Callable[[], bool] = lambda: False,
    ) -> Iterator[tuple[bytes, int, int]]:
        """Value, partition and offset wherever a record in ``stretch`` has a header ``name`` that
        is not null.

        Raises:
            ReadBackIncomplete: see :meth:`read`.
        """
        for lot in self.read(topic, stretch, stopped=stopped):
            for message in lot:
                partition, offset = message.partition(), message.offset()
                assert partition is not None
                assert offset is not None
                for its, value in headers_of(message):
                    if its == name and value is not None:
                        yield value, partition, offset

    def _leave(self, topic: str, partition: int, left: dict[int, int]) -> None:
        """Fetch no more of a partition whose stretch was read, whatever else arrives there."""
        del left[partition]
        self._consumer.pause([TopicPartition(topic, partition)])
