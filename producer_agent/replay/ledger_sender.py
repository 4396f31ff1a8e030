"""Exactly once by the ledger and the target: for clusters that do not keep transactions.

An idempotent producer; what an agent's death left open is looked for on the target before it is
sent again. Nothing fences the producer that died, so a request of it that a broker still holds
when the target is read could land afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from confluent_kafka import Producer

from producer_agent.replay.produced_batch import (
    ProducedBatch,
    blamed,
    discard,
    producer_config,
)
from producer_agent.replay.sender import Outgoing, Sent


class LedgerSender:
    """See the module and :class:`sender.Sender`.

    Args:
        connection: librdkafka properties that reach the cluster.
        gives_up: Whether to wait no longer: the agent ends, and the next one goes on.
        compression: librdkafka's name, or None.
        batch_bytes: The largest produce batch.
    """

    def __init__(
        self,
        connection: Mapping[str, Any],
        gives_up: Callable[[], bool],
        compression: str | None = None,
        batch_bytes: int = 1_000_000,
    ) -> None:
        self._producer = Producer(producer_config(connection, compression, batch_bytes))
        self._batch = ProducedBatch()
        self._gives_up = gives_up

    def committed_batches(self) -> int | None:
        """Not known: the target has to be read."""
        return None

    def begin(self, number: int, records: Sequence[Outgoing]) -> None:
        """See :class:`Sender`; the number is of no use here."""
        self._batch.produce(self._producer, records)

    def finish(self) -> Sent:
        """See :class:`Sender`."""
        self._batch.wait(self._producer, self._gives_up)
        sent, records = self._batch.sent, self._batch.records
        blame = blamed(self._batch.failed, sent.refused)
        sent.refused = blame.refused
        for at, error in self._batch.failed.items():
            if at not in blame.refused and at not in blame.suspects:
                sent.doubtful[at] = error.str()
        for at, reason in blame.suspects.items():
            self._send_alone(at, records[at], reason, sent)
        for at in range(len(records)):
            if at not in sent.landed and at not in sent.refused:
                sent.doubtful.setdefault(at, "no acknowledgement in time")
        return sent

    def _send_alone(self, at: int, record: Outgoing, reason: str, sent: Sent) -> None:
        """Send a record whose request was refused for the sake of one record in it."""
        alone = ProducedBatch()
        alone.produce(self._producer, [record])
        alone.wait(self._producer, self._gives_up)
        if alone.is_whole:
            sent.landed[at] = alone.sent.landed[0]
        elif blamed(alone.failed, alone.sent.refused).refused:
            sent.refused[at] = reason

    def close(self) -> None:
        """See :class:`Sender`."""
        discard(self._producer)
