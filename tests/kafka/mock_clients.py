"""Short-lived clients for the tests of the embedded cluster."""

from __future__ import annotations

from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from producer_agent.kafka.embedded import EmbeddedCluster
from tests.waiting import wait_until


@dataclass(frozen=True, slots=True)
class Report:
    """What became of one record: code 0 for delivered, `raised` where produce() raised it."""

    code: int
    offset: int | None = None
    raised: bool = False


class RecordingProducer:
    """A real producer on the embedded cluster that keeps every delivery report."""

    def __init__(self, cluster: EmbeddedCluster, **settings: str | int | bool) -> None:
        self.reports: list[Report] = []
        self._producer = Producer(
            {
                **cluster.client_defaults,
                "topic.metadata.propagation.max.ms": 200,
                "linger.ms": 0,
                "log_level": 0,
                **{name.replace("_", "."): value for name, value in settings.items()},
            }
        )

    def send(self, topic: str, value: bytes = b"x") -> None:
        try:
            self._producer.produce(topic, value, partition=0, on_delivery=self._keep)
        except KafkaException as error:
            self.reports.append(Report(error.args[0].code(), raised=True))
        self._producer.poll(0)

    def settle(self, timeout_s: float = 15.0) -> list[Report]:
        """Wait until every record has its report, and return all reports."""
        assert self._producer.flush(timeout_s) == 0, "some records have no delivery report"
        return self.reports

    def _keep(self, error: KafkaError | None, message: Message) -> None:
        code = error.code() if error else 0
        self.reports.append(Report(code, message.offset()))


def send_one(cluster: EmbeddedCluster, topic: str, **settings: str | int | bool) -> Report:
    """The report of one record, sent by a producer of its own."""
    producer = RecordingProducer(cluster, **settings)
    producer.send(topic)
    return producer.settle()[0]


def read_partition(cluster: EmbeddedCluster, topic: str, count: int) -> list[bytes]:
    """The first `count` values in partition 0 of `topic`."""
    consumer = Consumer({**cluster.client_defaults, "group.id": "reader", "log_level": 0})
    values: list[bytes] = []

    def enough() -> bool:
        for message in consumer.consume(count - len(values), timeout=0.2):
            assert message.error() is None
            values.append(message.value() or b"")
        return len(values) >= count

    try:
        consumer.assign([TopicPartition(topic, 0, 0)])
        wait_until(enough, 10, f"{count} records never arrived in {topic}")
    finally:
        consumer.close()
    return values


def watermarks(cluster: EmbeddedCluster, topic: str) -> tuple[int, int]:
    """Low and high watermark of partition 0 of `topic`."""
    consumer = Consumer({**cluster.client_defaults, "group.id": "reader", "log_level": 0})
    try:
        low, high = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=5)
    finally:
        consumer.close()
    return low, high
