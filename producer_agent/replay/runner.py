"""Replaying dead letters to the topic they came from, each at most once.

The ledger row "intent" is committed before anything is sent, and a unique index lets only one
live row exist per record: a second click, or a second person's, finds the first. After the
delivery report the row is settled. An agent that dies in between leaves an intent behind, which
the next one marks ``unknown``: it is not sent again blindly.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from producer_agent.delivery.errors import Stored, fact_of
from producer_agent.kafka.attempts import AttemptLog, stored_after
from producer_agent.store import replays
from producer_agent.store.clock import now_us
from producer_agent.store.headers import Headers
from producer_agent.store.replays import LetterToReplay, ReplayOutcome
from producer_agent.store.writer import Writer

log = logging.getLogger(__name__)

DELIVERY_TIMEOUT_MS = 20_000
PURGE_S = 2.0


@dataclass(frozen=True, slots=True)
class Original:
    """What is sent back: the record that failed, as it was."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of replaying one dead letter."""

    dead_letter: int
    state: str
    """``done``, ``failed``, ``unknown`` (it may have been sent) or ``refused`` (nothing was)."""
    reason: str | None
    topic: str | None = None
    partition: int | None = None
    offset: int | None = None


class Refused(Exception):
    """A dead letter cannot be replayed; the text says why."""


class ReplayRunner:
    """Sends dead letters back.

    Args:
        connection: librdkafka properties that reach the cluster.
        writer: The ledger.
        original_of: Reads the original out of a dead letter; raises :class:`Refused` where there
            is none.
        header: Name of the header that carries the replay id.
    """

    def __init__(
        self,
        connection: Mapping[str, Any],
        writer: Writer,
        original_of: Callable[[LetterToReplay], Original],
        header: str,
    ) -> None:
        self._config: dict[str, Any] = {
            **connection,
            "acks": "all",
            "enable.idempotence": True,
            "delivery.timeout.ms": DELIVERY_TIMEOUT_MS,
            "request.timeout.ms": 10_000,
            "linger.ms": 5,
            # Whether a record fits is for its topic to say.
            "message.max.bytes": 100_000_000,
            "topic.metadata.propagation.max.ms": 5_000,
            "error_cb": lambda error: log.info("replay: %s", error),
            # The attempts tell a record that never left from one that may have arrived.
            "debug": "msg",
        }
        self._writer = writer
        self._original_of = original_of
        self._header = header

    def replay(self, dead_letters: Sequence[int], command: int | None = None) -> list[Outcome]:
        """Replay these records (row ids), and wait for what comes of each, in their order."""
        outcomes: dict[int, Outcome] = {}
        intents: list[tuple[int, str, int, Original]] = []
        for dead_letter in dict.fromkeys(dead_letters):
            try:
                row, replay_id, original = self._intend(dead_letter, command)
            except Refused as refusal:
                outcomes[dead_letter] = Outcome(dead_letter, "refused", str(refusal))
            except Exception as error:
                # One record that cannot be read must not leave the others' intents unsent.
                log.exception("replay: dead letter %d", dead_letter)
                outcomes[dead_letter] = Outcome(
                    dead_letter, "refused", f"It could not be prepared: {error}"
                )
            else:
                intents.append((row, replay_id, dead_letter, original))
        if intents:
            for settled, original in self._send(intents):
                outcomes[settled.dead_letter] = Outcome(
                    settled.dead_letter,
                    settled.state,
                    settled.reason,
                    original.topic,
                    settled.partition,
                    settled.offset,
                )
        return [outcomes[dead_letter] for dead_letter in dict.fromkeys(dead_letters)]

    def _intend(self, dead_letter: int, command: int | None) -> tuple[int, str, Original]:
        letter = self._writer.call(partial(replays.letter, dead_letter=dead_letter))
        if letter is None:
            raise Refused(f"There is no dead letter {dead_letter}.")
        original = self._original_of(letter)
        replay_id = uuid.uuid4().hex
        row = self._writer.call(
            partial(
                replays.intend,
                dead_letter=dead_letter,
                replay_id=replay_id,
                target_topic=original.topic,
                command=command,
            )
        )
        if row is None:
            live = self._writer.call(partial(replays.live, dead_letter=dead_letter))
            raise Refused(_already(live.state if live else "intent"))
        return row, replay_id, original

    def _send(
        self, intents: list[tuple[int, str, int, Original]]
    ) -> list[tuple[ReplayOutcome, Original]]:
        settled: dict[int, ReplayOutcome] = {}
        attempts = AttemptLog("replay")
        try:
            producer = Producer(self._config, logger=attempts)
        except KafkaException as error:
            reason = f"no producer could be made: {error.args[0]}"
            for row, _, dead_letter, _ in intents:
                settled[row] = ReplayOutcome(row, dead_letter, "failed", reason, None, None)
        else:
            try:
                for row, replay_id, dead_letter, original in intents:
                    self._produce(
                        producer, row, replay_id, dead_letter, original, attempts, settled
                    )
                deadline = time.monotonic() + DELIVERY_TIMEOUT_MS / 1000 + 5
                while len(settled) < len(intents) and time.monotonic() < deadline:
                    producer.poll(0.1)
                if len(settled) < len(intents):
                    # What is purged is reported too, with whether it had left the queue.
                    producer.purge()
                    producer.flush(PURGE_S)
            except (KafkaException, SystemError) as error:
                log.error("replay: the producer had a fatal error: %s", error)
            for row, _, dead_letter, _ in intents:
                settled.setdefault(
                    row,
                    ReplayOutcome(
                        row, dead_letter, "unknown", "no acknowledgement in time", None, None
                    ),
                )
            producer.close()
        self._writer.submit(
            partial(replays.settle, outcomes=list(settled.values())), must=True
        ).result(60.0)
        return [(settled[row], original) for row, _, _, original in intents]

    def _produce(
        self,
        producer: Producer,
        row: int,
        replay_id: str,
        dead_letter: int,
        original: Original,
        attempts: AttemptLog,
        settled: dict[int, ReplayOutcome],
    ) -> None:
        sent_us = now_us()

        def report(error: KafkaError | None, message: Message) -> None:
            if error is None:
                settled[row] = ReplayOutcome(
                    row, dead_letter, "done", None, message.partition(), message.offset()
                )
            else:
                code = error.code()
                behind = attempts.behind(
                    original.topic,
                    message.partition(),
                    sent_us,
                    now_us(),
                    timed_out=code == KafkaError._MSG_TIMED_OUT,
                )
                stored = stored_after(code, behind)
                settled[row] = _failure(row, dead_letter, error, stored, behind.headline)

        headers = [pair for pair in original.headers if pair[0] != self._header]
        headers.append((self._header, replay_id.encode()))
        while True:
            try:
                for name, _ in headers:
                    _require_header_name(name)
                producer.produce(
                    original.topic,
                    original.value,
                    original.key,
                    on_delivery=report,
                    headers=headers,
                )
                return
            except BufferError:
                producer.poll(0.1)
            except KafkaException as error:
                raised: KafkaError = error.args[0]
                settled[row] = _failure(row, dead_letter, raised, fact_of(raised.code()).stored)
                return
            except (TypeError, ValueError) as error:
                # A topic or header name that is no UTF-8, say: nothing was handed over.
                settled[row] = ReplayOutcome(row, dead_letter, "failed", str(error), None, None)
                return


def _require_header_name(name: str) -> None:
    """Raise ValueError for a name that confluent-kafka 2.16 mistreats: one that is no UTF-8 (JSON
    can hold half a surrogate pair) crashes the process, and one with a NUL is cut there."""
    name.encode("utf-8")
    if "\0" in name:
        raise ValueError(f"the header name {name!r} holds a NUL and would be cut there")


def _failure(
    row: int, dead_letter: int, error: KafkaError, stored: Stored, headline: str | None = None
) -> ReplayOutcome:
    """Not stored for sure, and so to be tried again; or perhaps stored."""
    state = "failed" if stored is Stored.NO else "unknown"
    reason = f"{error.name()}: {headline or error.str()}"
    return ReplayOutcome(row, dead_letter, state, reason, None, None)


def _already(state: str) -> str:
    return {
        "intent": "A replay of it is under way.",
        "done": "It was replayed before.",
        "unknown": "An earlier replay of it may have arrived: read its topic back first.",
    }[state]
