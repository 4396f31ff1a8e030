"""A board with dead letters, their originals, and a cluster to send them to."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from confluent_kafka import Message

from producer_agent.kafka.admin import Admin
from producer_agent.kafka.cluster_view import cluster_view
from producer_agent.kafka.embedded import EmbeddedCluster
from producer_agent.kafka.messages import headers_of
from producer_agent.kafka.our_headers import REPLAY_HEADER, TIMES_HEADER
from producer_agent.kafka.read_back import ReadBack
from producer_agent.replay.manager import ReplayManager
from producer_agent.replay.options import PlanOptions
from producer_agent.replay.original import Original
from producer_agent.replay.planner import Planner
from producer_agent.replay.target_cluster import TargetCluster
from producer_agent.store import dead_letters, replay_plans, runs
from producer_agent.store.queries import replays as queries
from producer_agent.store.queries.replays import Plan, PlanRecord
from producer_agent.store.reader import Reader
from producer_agent.store.replay_letters import LetterToReplay
from producer_agent.store.writer import Writer
from tests.recording import letter, register_cluster, rows
from tests.waiting import wait_until

TOPIC = "orders"
MARK_TOPIC = "dead"


@dataclass
class FakeCluster:
    """Topics and what they take, without a broker."""

    sizes: dict[str, tuple[int, int | None]] = field(default_factory=lambda: {TOPIC: (3, None)})
    groups: dict[str, list[str]] | None = None
    keeps_transactions: bool = False
    connection: Mapping[str, Any] = field(
        default_factory=lambda: {"bootstrap.servers": "127.0.0.1:1"}
    )

    def topic_sizes(self, names: Sequence[str]) -> Mapping[str, tuple[int, int | None]]:
        return {name: self.sizes[name] for name in names if name in self.sizes}

    def groups_reading(self, names: Sequence[str]) -> Mapping[str, list[str]] | None:
        if self.groups is None:
            return None
        return {name: self.groups[name] for name in names if name in self.groups}


class EmbeddedTarget:
    """The embedded cluster as the replay sees it."""

    def __init__(self, cluster: EmbeddedCluster, *, keeps_transactions: bool = False) -> None:
        self.cluster = cluster
        self.connection: Mapping[str, Any] = {**cluster.client_defaults, "log_level": 0}
        self.keeps_transactions = keeps_transactions
        self._admin = Admin(cluster.client_defaults)

    def topic_sizes(self, names: Sequence[str]) -> Mapping[str, tuple[int, int | None]]:
        view = cluster_view(self._admin, 1.0)
        found = [topic for name in names if (topic := view.topic(name)) and not topic.error]
        return {topic.name: (len(topic.partitions), None) for topic in found}

    def groups_reading(self, _names: Sequence[str]) -> None:
        return None


def original(at: int = 0, **changes: Any) -> Original:
    """The record at offset ``at`` of the first partition; any field may be given."""
    made = Original(
        topic=TOPIC,
        key=b"key-%d" % at,
        value=b"value %d" % at,
        headers=(("tenant", b"acme"), ("empty", None)),
        own_bytes=True,
        dropped=("failure",),
        partition=0,
        offset=at,
    )
    return replace(made, **changes)


class Board:
    """Stores letters together with the originals that they are decoded to, and makes plans."""

    def __init__(self, writer: Writer, reader: Reader, cluster: TargetCluster) -> None:
        self.writer = writer
        self.reader = reader
        self.cluster = cluster
        self.row = register_cluster(writer)
        self._originals: dict[tuple[str, int], Original | Exception] = {}

    def store(self, *originals: Original | Exception, **fields: Any) -> list[int]:
        """One letter each; ``fields`` are the letters'. Returns their row ids."""
        topic = fields.get("topic", MARK_TOPIC)
        first = fields.pop("first", self.count())
        letters = []
        for at, of in enumerate(originals, first):
            self._originals[topic, at] = of
            told: dict[str, Any] = {}
            if isinstance(of, Original):
                told = {
                    "original_topic": of.topic,
                    "original_partition": of.partition,
                    "original_offset": of.offset,
                    "original_key": of.key,
                    "key": of.key,
                    "value": of.value,
                    "headers": (*of.headers, *((name, b"x") for name in of.dropped)),
                }
            letters.append(letter(at, **{**told, **fields}))
        before = rows(self.reader, "SELECT coalesce(max(id), 0) FROM dead_letters")[0]
        self.writer.call(partial(dead_letters.insert, cluster=self.row, letters=letters))
        return rows(self.reader, "SELECT id FROM dead_letters WHERE id > ? ORDER BY id", before)

    def count(self) -> int:
        return int(rows(self.reader, "SELECT count(*) FROM dead_letters")[0])

    def connect_to(self, cluster_id: str, kind: str) -> None:
        """Another cluster is connected from now on."""
        self.row = self.writer.call(
            partial(
                runs.register_cluster,
                cluster_id=cluster_id,
                kind=kind,
                bootstrap_servers="127.0.0.1:2",
            )
        )

    def come_back(self, plan: int, *sequences: int, **fields: Any) -> list[int]:
        """Letters of records of a plan that failed again, as the consumer stores them."""
        found = self.plan(plan)
        made = []
        for sequence in sequences:
            of = self._of_record(plan, sequence)
            made += self.store(of, replay_id=f"{found.row.uuid}-{sequence}", **fields)
        return made

    def _of_record(self, plan: int, sequence: int) -> Original:
        ((topic, offset),) = rows(
            self.reader,
            'SELECT d.topic, d."offset" FROM replays r JOIN dead_letters d ON d.id = r.dead_letter '
            "WHERE r.plan = ? AND r.sequence = ?",
            plan,
            sequence,
        )
        of = self._originals[topic, offset]
        assert isinstance(of, Original)
        return of

    def original_of(self, of: LetterToReplay) -> Original:
        found = self._originals[of.topic, of.offset]
        if isinstance(found, Exception):
            raise found
        return found

    def make(self, ids: Sequence[int], ask_groups: bool = True, **options: Any) -> int:
        """Make a plan in this thread; returns its id."""
        read = PlanOptions.read(options)
        plan = self.writer.call(
            partial(
                replay_plans.create,
                uuid=uuid.uuid4().hex,
                cluster=self.row,
                title="test",
                selection={"dead_letters": list(ids)},
                options=read.model_dump(mode="json", exclude_defaults=True),
                made_by="kim",
            )
        )
        self._planner().make(plan, ids, read, ask_groups=ask_groups)
        return int(plan)

    def make_again(self, plan: int, ids: Sequence[int], *, stopped: bool = False) -> None:
        """Make a plan anew whose making was cut off."""
        self._planner().make(plan, ids, PlanOptions(), stopped=lambda: stopped)

    def _planner(self) -> Planner:
        return Planner(self.cluster, self.writer, self.reader, self.original_of, self.row)

    def plan(self, plan: int) -> Plan:
        found = self.reader(partial(queries.plan, plan_id=plan))
        assert found is not None
        return found

    def state(self, plan: int) -> str:
        return self.plan(plan).row.state

    def wait_for(self, plan: int, *states: str, timeout_s: float = 15) -> None:
        """Wait until a plan is in one of these states."""
        try:
            wait_until(lambda: self.state(plan) in states, timeout_s, f"it is not {states}")
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.plan(plan)}") from error

    def records(self, plan: int) -> tuple[PlanRecord, ...]:
        return self.reader(partial(queries.records, plan_id=plan, limit=100_000))

    def states(self, plan: int) -> list[str]:
        return [record.state for record in self.records(plan)]

    def statuses(self) -> list[str]:
        return rows(self.reader, "SELECT status FROM dead_letters ORDER BY id")

    def change(self, sql: str, *values: object) -> None:
        self.writer.call(lambda db: db.execute(sql, list(values)))

    @contextmanager
    def manager(self, cluster: TargetCluster | None = None) -> Iterator[ReplayManager]:
        """A manager of plans, as an agent has one; it leaves what runs when the block ends."""
        made = ReplayManager(
            cluster or self.cluster,
            self.row,
            self.writer,
            Reader(self.writer.path),
            self.original_of,
            MARK_TOPIC,
        )
        made.start()
        try:
            yield made
        finally:
            made.close()


def on_topic(cluster: EmbeddedCluster, topic: str = TOPIC, partitions: int = 3) -> list[Message]:
    """All that lies on a topic, by partition and offset."""
    found: list[Message] = []
    with ReadBack(cluster.client_defaults) as read_back:
        for lot in read_back.read(topic, read_back.watermarks(topic, range(partitions))):
            found += lot
    return sorted(found, key=lambda message: (message.partition(), message.offset()))


def header(message: Message, name: str) -> bytes | None:
    """The one header of this name."""
    (value,) = [value for told, value in headers_of(message) if told == name]
    return value


def replay_ids(messages: Sequence[Message]) -> list[str]:
    """The replay ids that records carry, sorted."""
    return sorted((header(message, REPLAY_HEADER) or b"").decode() for message in messages)


def times(message: Message) -> int:
    return int(header(message, TIMES_HEADER) or b"")
