"""One comparison from its first turn to its last, in a thread of the agent's.

All profiles send to one topic, one after the other, and so to the same partitions, leaders and
replicas: a topic each would give each other leaders, and one slow broker would be one profile's.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, NamedTuple

from producer_agent.advice.compare.client_statistics import ClientFigures
from producer_agent.advice.compare.plan import PRACTICE, ComparisonPlan, TurnPlan
from producer_agent.advice.compare.reader import Readings
from producer_agent.advice.compare.sender import (
    COMMIT_S,
    CONNECT_S,
    SETTLE_S,
)
from producer_agent.advice.compare.turn import TurnOrder, TurnResult
from producer_agent.advice.compare.worker import Worker, WorkerDied
from producer_agent.delivery.profiles import Profile
from producer_agent.store import comparisons
from producer_agent.store.clock import now_us
from producer_agent.store.comparisons import State, Turn, TurnMeasures
from producer_agent.store.database import StoreError
from producer_agent.store.writer import Writer

log = logging.getLogger(__name__)

SLACK_S: Final = 30.0
OFFSETS_S: Final = 60.0

EMBEDDED_FETCH_MS: Final = 5
"""The embedded cluster answers a fetch only when its time is up, and not when a record comes."""


class End(NamedTuple):
    """How it ended."""

    state: State
    reason: str | None = None


class _Ended(Exception):
    def __init__(self, state: State, reason: str | None = None) -> None:
        super().__init__(reason)
        self.end = End(state, reason)


class ComparisonRun:
    """Measures turn after turn, and keeps each as it ends.

    Args:
        number: Its row.
        plan: What to measure.
        connection: librdkafka properties that reach the cluster.
        embedded: It is the embedded cluster.
        topic: The comparison's own, which is there.
        writer: The database.
        beside: Events a second that others sent since it was last asked.
        reachable: Why the cluster cannot be reached now; None if it can.
    """

    def __init__(
        self,
        number: int,
        plan: ComparisonPlan,
        connection: Mapping[str, Any],
        embedded: bool,
        topic: str,
        writer: Writer,
        beside: Callable[[], float],
        reachable: Callable[[], str | None],
    ) -> None:
        self.number = number
        self.plan = plan
        self._connection = dict(connection)
        self._embedded = embedded
        self._topic = topic
        self._writer = writer
        self._beside = beside
        self._reachable = reachable
        self._stop = threading.Event()
        self._stopped_as = End("cancelled")
        self._spent_s = 0.0
        self._done = 0
        self._besides: list[float] = []
        self._notes: dict[str, None] = {}

    def stop(self, state: State, reason: str | None = None) -> None:
        """End it soon; what is measured is kept."""
        self._stopped_as = End(state, reason)
        self._stop.set()

    @property
    def notes(self) -> list[str]:
        """What to read the figures with."""
        told = list(self._notes)
        if self._besides and max(self._besides) >= 1:
            mean = sum(self._besides) / len(self._besides)
            told.append(
                f"Other profiles went on sending beside it, {mean:,.0f} events/s on average: they "
                f"shared the cluster and this machine. Pause them for figures of these alone."
            )
        return told

    def measure(self) -> End:
        """Do all of it; never raises."""
        try:
            with Worker("sender") as sender, Worker("reader") as reader:
                reader.tell(
                    "open",
                    connection={
                        **self._connection,
                        **({"fetch.wait.max.ms": EMBEDDED_FETCH_MS} if self._embedded else {}),
                    },
                    topic=self._topic,
                    partitions=self.plan.layout.partitions,
                )
                reader.answer(OFFSETS_S)
                for turn in (*self.plan.practice(), *self.plan.schedule()):
                    self._turn(turn, sender, reader)
        except _Ended as ended:
            return ended.end
        except WorkerDied as error:
            gone = self._reachable()
            if gone is not None:
                return End("incomplete", _gone(gone))
            return End("incomplete", str(error))
        except (StoreError, TimeoutError) as error:
            return End("incomplete", f"The database could not be written: {error}")
        except Exception as error:
            log.exception("comparison %d broke", self.number)
            return End("incomplete", f"It broke: {error}")
        return End("done")

    def _turn(self, turn: TurnPlan, sender: Worker, reader: Worker) -> None:
        if self._stop.is_set():
            raise _Ended(*self._stopped_as)
        profile = self.plan.profiles[turn.profile]
        self._tell_progress(turn, profile)
        began_s, started_us = time.monotonic(), now_us()
        self._beside()
        order = self._order(turn, profile)
        reader.tell(
            "begin",
            turn=order.turn,
            first=round(self.plan.load.warm_up_s * turn.rate),
            committed_only=profile.producer.is_transactional,
        )
        reader.answer(OFFSETS_S, self._stop.is_set)
        sender.tell("turn", **order.to_json())
        load = self.plan.load
        longest_s = load.warm_up_s + load.seconds + 4 * CONNECT_S + SETTLE_S + 3 * COMMIT_S
        result = TurnResult.from_json(sender.answer(longest_s + SLACK_S, self._stop.is_set))
        self._require_whole(turn, profile, result)
        beside_per_s = self._beside()
        reader.tell(
            "finish",
            end=result.end,
            without_ack=result.without_ack,
            rejected=result.rejected_sequences,
        )
        readings = Readings.from_json(reader.answer(longest_s + SLACK_S, self._stop.is_set))
        if self._stop.is_set():
            raise _Ended(*self._stopped_as)
        self._done += 1
        self._spent_s += time.monotonic() - began_s
        if turn.round == PRACTICE:
            return
        if readings.why is not None:
            self._notes[
                f"What was lost is not told of every turn of {profile.name}: {readings.why}."
            ] = None
        self._besides.append(beside_per_s)
        kept = Turn(
            rate=turn.rate,
            round=turn.round,
            profile=turn.profile,
            position=turn.position,
            started_us=started_us,
            ended_us=now_us(),
            measures=_measures(profile, result, readings, beside_per_s),
            ack=tuple((number, n) for number, n in result.ack),
            end_to_end=tuple((number, n) for number, n in readings.end_to_end),
            delay=tuple((number, n) for number, n in result.delay),
        )
        self._writer.call(partial(comparisons.add_turn, comparison=self.number, turn=kept))

    def _require_whole(self, turn: TurnPlan, profile: Profile, result: TurnResult) -> None:
        if self._stop.is_set():
            raise _Ended(*self._stopped_as)
        which = "the practice round" if turn.round == PRACTICE else f"round {turn.round}"
        where = f"in {which} at {turn.rate:g}/s, in the turn of {profile.name}"
        if result.ended == "gone":
            raise _Ended("incomplete", _gone(f"{where}: {result.why}"))
        if result.ended is not None:
            gone = self._reachable()
            if gone is not None:
                raise _Ended("incomplete", _gone(f"{where}: {gone}"))
            raise _Ended("incomplete", f"It ended {where}: {result.why}")
        nothing = result.acknowledged == 0 and (result.unresolved or result.failed)
        if nothing and (gone := self._reachable()) is not None:
            raise _Ended("incomplete", _gone(f"{where}: {gone}"))

    def _order(self, turn: TurnPlan, profile: Profile) -> TurnOrder:
        settings = profile.producer.librdkafka()
        if profile.producer.is_transactional:
            # Not the profile's own: that would fence off a run of it.
            settings["transactional.id"] = f"{self._topic}-{turn.profile}"
        return TurnOrder(
            config={**self._connection, **settings},
            topic=self._topic,
            turn=uuid.uuid4().hex,
            load=self.plan.load.model_dump(mode="json"),
            seed=self.plan.seed,
            rate=turn.rate,
            round=turn.round,
            transaction_ms=profile.workload.transaction_ms
            if profile.producer.is_transactional
            else None,
        )

    def _tell_progress(self, turn: TurnPlan, profile: Profile) -> None:
        left = self.plan.turns + len(self.plan.profiles) - self._done
        which = (
            "practice round, left out"
            if turn.round == PRACTICE
            else f"round {turn.round} of {self.plan.rounds}"
        )
        turn_s = self._spent_s / self._done if self._done else self.plan.turn_s
        self._writer.call(
            partial(
                comparisons.set_progress,
                comparison=self.number,
                progress=f"{turn.rate:g}/s, {which}: {profile.name}",
                expected_end_us=now_us() + int(left * turn_s * 1e6),
            )
        )


def _gone(how: str) -> str:
    return (
        f"The cluster went away {how}. What was measured before is kept; compare again when it is "
        f"back."
    )


def _measures(
    profile: Profile, result: TurnResult, readings: Readings, beside_per_s: float
) -> TurnMeasures:
    confirmed = profile.acks_label != "0"
    client = result.client or ClientFigures(*[None] * 10)
    return TurnMeasures(
        seconds=result.seconds,
        sent=result.sent,
        acknowledged=result.acknowledged if confirmed else 0,
        unconfirmed=0 if confirmed else result.acknowledged,
        unresolved=result.unresolved,
        failed=result.failed,
        rejected=result.rejected,
        rate_reached=result.sent / result.seconds if result.seconds else 0.0,
        read_back=readings.read_back,
        lost=readings.lost,
        duplicated=readings.duplicated,
        phantom=readings.phantom,
        batches=client.batches,
        batch_bytes=client.batch_bytes,
        batch_messages=client.batch_messages,
        requests=client.requests,
        message_bytes=client.message_bytes,
        wire_bytes=client.wire_bytes,
        client_queue_us=client.client_queue_us,
        client_send_us=client.client_send_us,
        broker_us=client.broker_us,
        throttle_ms=client.throttle_ms,
        commits=result.commits,
        aborts=result.aborts,
        cpu_us_per_message=result.cpu_s * 1e6 / result.sent if result.sent else None,
        beside_per_s=beside_per_s,
    )
