"""The board's consumer group: offsets committed for whoever looks at lag.

The positions in the database are what reading goes by. These follow them, so no commit is waited
for, and one that fails changes nothing but what lag tools show.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

log = logging.getLogger(__name__)

COMMIT_EVERY_S = 1.0
CLOSE_S = 2.0


class GroupOffsets:
    """Commits what is stored, at most once in :data:`COMMIT_EVERY_S`."""

    def __init__(self, group: str) -> None:
        self.group = group
        self.error: str | None = None
        """Why the last commit failed, or None."""
        self._due: dict[tuple[str, int], int] = {}
        self._outstanding = 0
        self._next_s = 0.0

    def reached(self, offsets: Mapping[tuple[str, int], int]) -> None:
        """Note the next offset to read of partitions; what is before it is stored."""
        self._due.update(offsets)

    def commit(self, consumer: Consumer) -> None:
        """Ask for a commit of what is new, if it is time; returns at once."""
        if self._due and time.monotonic() >= self._next_s:
            self._commit(consumer)

    def close(self, consumer: Consumer) -> None:
        """Commit what is left, and wait a moment for the answer."""
        if self._due:
            self._commit(consumer)
        # confluent-kafka's own waiting commit was seen to take 46 s while brokers were away.
        deadline = time.monotonic() + CLOSE_S
        while self._outstanding and not self.error and time.monotonic() < deadline:
            consumer.poll(0.05)  # answers are told in here; nothing is assigned any more

    def failed(self, error: KafkaError) -> None:
        """Note that the group may not or cannot be used."""
        words = error.str()
        if words != self.error:
            log.warning("offsets of group %s are not committed: %s", self.group, words)
        self.error = words

    def on_commit(self, error: KafkaError | None, partitions: Sequence[TopicPartition]) -> None:
        """librdkafka's answer; called while the consumer polls."""
        self._outstanding = max(0, self._outstanding - 1)
        problem = error or next((at.error for at in partitions if at.error is not None), None)
        if problem is None:
            self.error = None
        else:
            self.failed(problem)

    def _commit(self, consumer: Consumer) -> None:
        offsets = [TopicPartition(topic, at, n) for (topic, at), n in self._due.items()]
        self._next_s = time.monotonic() + COMMIT_EVERY_S
        try:
            consumer.commit(offsets=offsets, asynchronous=True)
        except KafkaException as error:
            self.failed(error.args[0])
            return
        self._outstanding += 1
        self._due.clear()
