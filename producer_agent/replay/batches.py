"""The next batches of a plan: their intent is in the ledger before they are handed out.

Some are asked for ahead, so that the ledger is written while the batch before is on its way.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial

from producer_agent.replay.original import Original, marked
from producer_agent.replay.sender import Outgoing
from producer_agent.store import letter_edits, replay_letters, replays
from producer_agent.store.reader import Reader
from producer_agent.store.replay_letters import LetterToReplay
from producer_agent.store.replay_plans import PlanRow
from producer_agent.store.replays import RecordToSend, Settled
from producer_agent.store.writer import Writer

log = logging.getLogger(__name__)

BATCH_BYTES = 16_000_000


@dataclass(frozen=True, slots=True)
class Batch:
    """Records whose intent is in the ledger."""

    number: int
    sequences: list[int]
    """Of its records in the plan."""
    outgoing: list[Outgoing]


class Batches:
    """Of one plan.

    Args:
        plan: The plan.
        writer, reader: The ledger.
        original_of: Reads the original of a dead letter whose own bytes are not what is sent.
    """

    def __init__(
        self,
        plan: PlanRow,
        writer: Writer,
        reader: Reader,
        original_of: Callable[[LetterToReplay], Original],
    ) -> None:
        self._plan = plan
        self._writer = writer
        self._reader = reader
        self._original_of = original_of
        self._asked: deque[tuple[int, Future[tuple[int, int] | None]]] = deque()
        self._next = 0
        self.tell = True
        """Whether the letters' statuses follow at once, see ``replays.intend``."""

    def begin_at(self, number: int) -> None:
        """The number of the next batch; nothing may be asked for."""
        assert not self._asked
        self._next = number

    def ask(self, most: int, ahead: int) -> None:
        """Ask for batches of up to ``most`` records until ``ahead`` are on their way."""
        while len(self._asked) < ahead:
            self._asked.append(
                (
                    self._next,
                    self._writer.submit(
                        partial(
                            replays.intend,
                            plan=self._plan.id,
                            batch=self._next,
                            most=most,
                            most_bytes=BATCH_BYTES,
                            tell=self.tell,
                        ),
                        must=True,
                    ),
                )
            )
            self._next += 1

    def take(self) -> Batch | None:
        """The batch that was asked for first; None if nothing is left to send."""
        while self._asked:
            number, asked = self._asked.popleft()
            stretch = asked.result()
            if stretch is None:
                return None
            batch = self._load(number, *stretch)
            if batch.outgoing:
                return batch
        return None

    def void(self, batch: Batch | None = None) -> None:
        """Put back what was asked for and, if it is given, a batch that was not handed over."""
        if batch is not None:
            self._put_back(batch.sequences)
        while self._asked:
            number, asked = self._asked.popleft()
            stretch = asked.result()
            if stretch is not None:
                self._put_back(self._load(number, *stretch).sequences)

    def _put_back(self, sequences: list[int]) -> None:
        self._settle([Settled(sequence, "planned") for sequence in sequences])

    def _load(self, number: int, first: int, last: int) -> Batch:
        records = self._reader(partial(replays.to_send, plan=self._plan.id, first=first, last=last))
        batch = Batch(number, [], [])
        failed: list[Settled] = []
        for record in records:
            try:
                batch.outgoing.append(self._outgoing(record))
                batch.sequences.append(record.sequence)
            except Exception as error:
                log.exception("replay: dead letter %d", record.dead_letter)
                reason = f"it could not be prepared: {error}"
                failed.append(Settled(record.sequence, "failed", reason))
        if failed:
            self._settle(failed)
        return batch

    def _outgoing(self, record: RecordToSend) -> Outgoing:
        key, value, headers = record.key, record.value, record.headers
        if record.edit is not None:
            edit = self._reader(partial(letter_edits.get, edit=record.edit))
            assert edit is not None, "edits are never deleted"
            key, value = edit.key, edit.value
        elif not record.own_bytes:
            (letter,) = self._reader(partial(replay_letters.letters, ids=[record.dead_letter]))
            original = self._original_of(letter)
            key, value = original.key, original.value
            if headers is None:  # planned before plans kept them
                headers = marked(
                    original.headers, self._plan.uuid, record.sequence, letter.times_back
                )
        return Outgoing(record.topic, record.partition, key, value, headers or ())

    def _settle(self, outcomes: list[Settled]) -> None:
        self._writer.submit(
            partial(replays.settle, plan=self._plan.id, outcomes=outcomes), must=True
        ).result()
