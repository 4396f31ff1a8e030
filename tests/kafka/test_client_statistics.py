"""Statistics are read from the installed librdkafka's own emissions, whose traps are provoked."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import Producer

from producer_agent.kafka.client_statistics import StatisticsReader
from producer_agent.kafka.embedded import ALL_BROKERS, EmbeddedCluster
from producer_agent.store.client_statistics import ClientSample, Spread
from producer_agent.store.clock import now_us
from tests.waiting import wait_until

NOT_ENOUGH_REPLICAS = 19


class Client:
    """A producer that emits ten times a second, and keeps what was read of it."""

    def __init__(self, cluster: EmbeddedCluster, **settings: Any) -> None:
        self.told: list[dict[str, Any]] = []
        self.samples: list[ClientSample] = []
        self.began_us = now_us()
        self._reader = StatisticsReader()
        self._producer = Producer(
            {
                **cluster.client_defaults,
                "statistics.interval.ms": 100,
                "stats_cb": self._take,
                **{name.replace("_", "."): value for name, value in settings.items()},
            }
        )

    def _take(self, text: str) -> None:
        self.told.append(json.loads(text))
        self.samples.append(self._reader.read(self.told[-1], now_us()))

    def send(self, topic: str, n: int) -> None:
        for _ in range(n):
            self._producer.produce(topic, b"x" * 200, partition=0)
            self._producer.poll(0)

    def until(self, holds: Callable[[], bool], what: str) -> None:
        def told() -> bool:
            self._producer.poll(0.01)
            return holds()

        wait_until(told, 10, what)

    def sum(self, of: Callable[[ClientSample], int]) -> int:
        return sum(of(sample) for sample in self.samples)

    def close(self) -> None:
        self._producer.purge()
        self._producer.flush(1)
        self._producer.close()


def trips(sample: ClientSample) -> int:
    return sum(broker.trip.n for broker in sample.brokers)


def requests(sample: ClientSample) -> int:
    return sum(broker.requests for broker in sample.brokers)


def queue_of(sample: ClientSample) -> Spread:
    """Of the one broker that leads partition 0."""
    return max((broker.queue for broker in sample.brokers), key=lambda spread: spread.n)


def produced(client: Client, topic: str) -> int:
    return client.sum(lambda sample: sample.topics[topic].produced if sample.topics else 0)


def transmitted(client: Client, topic: str) -> int:
    return client.sum(lambda sample: sample.topics[topic].transmitted if sample.topics else 0)


def test_counts_of_all_samples_add_up_to_what_was_sent(shared_cluster: EmbeddedCluster) -> None:
    shared_cluster.create_topic("counted", 1)
    client = Client(shared_cluster, linger_ms=5)
    client.send("counted", 500)
    client.until(
        lambda: (
            client.sum(lambda s: queue_of(s).n if s.brokers else 0) == 500
            and client.samples[-1].queued == 0
        ),
        "500 events never left the queue",
    )
    client.close()
    assert produced(client, "counted") == 500, "or those of the partition -1 were counted twice"
    assert transmitted(client, "counted") == 500
    assert client.sum(lambda s: s.topics["counted"].transmitted_bytes) == 500 * 200
    assert client.sum(lambda s: s.topics["counted"].batch_events.total) == 500
    sent = client.sum(requests)
    assert 0 < sent == client.sum(lambda s: s.topics["counted"].batch_events.n)
    last = client.samples[-1]
    assert {broker.broker for broker in last.brokers} == {1, 2, 3}
    states = {broker.broker: broker.state for broker in last.brokers}
    leader = client.told[-1]["topics"]["counted"]["partitions"]["0"]["leader"]
    assert states[leader] == "UP", "others may be INIT: no connection was needed"
    assert (last.queue_limit, last.queue_limit_bytes) == (100_000, 1 << 30)


def test_samples_follow_each_other_without_a_gap(shared_cluster: EmbeddedCluster) -> None:
    client = Client(shared_cluster)
    client.until(lambda: len(client.samples) >= 5, "no statistics")
    client.close()
    assert abs(client.samples[0].since_us - client.began_us) < 1_500_000
    for before, after in zip(client.samples, client.samples[1:], strict=False):
        assert after.since_us == before.until_us
        assert after.since_us < after.until_us


def test_one_served_late_is_put_into_the_second_it_tells() -> None:
    told = {"name": "a", "time": 1_000, "age": 5_000_000, "topics": {}, "brokers": {}}
    told |= {"msg_cnt": 0, "msg_max": 1, "msg_size": 0, "msg_size_max": 1}
    sample = StatisticsReader().read(told, 1_030 * 1_000_000)
    assert 1_000_000_000 <= sample.until_us < 1_001_000_000
    assert sample.since_us == sample.until_us - 5_000_000


def test_under_acks_0_no_produce_request_has_a_round_trip(shared_cluster: EmbeddedCluster) -> None:
    shared_cluster.create_topic("told", 1)
    client = Client(shared_cluster, acks=0, linger_ms=0)
    for _ in range(30):
        client.send("told", 1)
        client.until(lambda: True, "")
    client.until(lambda: client.sum(requests) >= 5, "nothing was sent")
    sent, answered = client.sum(requests), client.sum(trips)
    client.close()
    assert answered < sent, "the metadata's alone"


def test_what_is_tried_again_shows_in_transmitted_and_in_the_time_queued(
    own_cluster: EmbeddedCluster,
) -> None:
    own_cluster.create_topic("again", 1)
    own_cluster.push_produce_errors([NOT_ENOUGH_REPLICAS] * 3)
    client = Client(own_cluster, linger_ms=0, retry_backoff_ms=150, retry_backoff_max_ms=200)
    client.send("again", 1)
    client.until(
        lambda: transmitted(client, "again") == 4,
        "it was not sent four times",
    )
    client.close()
    assert produced(client, "again") == 1
    longest = max(queue_of(sample).largest for sample in client.samples if sample.brokers)
    assert longest > 3 * 100_000, "the attempts before are in it"
    assert client.told[-1]["brokers"].popitem()[1]["txretries"] == 0, "which is why it is not used"


def test_a_round_trip_beyond_the_histogram_is_told_by_the_largest(
    own_cluster: EmbeddedCluster,
) -> None:
    """librdkafka's own p99 is 0 there."""
    own_cluster.create_topic("slow", 1)
    client = Client(own_cluster, linger_ms=0)
    client.send("slow", 1)
    client.until(lambda: client.sum(trips) > 3 and client.samples[-1].queued == 0, "no answer")
    own_cluster.set_broker_rtt(ALL_BROKERS, 700)
    client.send("slow", 1)

    def seen() -> list[Spread]:
        return [b.trip for s in client.samples for b in s.brokers if b.trip.largest > 600_000]

    client.until(lambda: bool(seen()), "no slow round trip was told")
    client.close()
    assert all(spread.p99 == spread.largest for spread in seen())


@pytest.fixture
def told(shared_cluster: EmbeddedCluster) -> dict[str, Any]:
    """An emission, to be changed."""
    shared_cluster.create_topic("changed", 1)
    client = Client(shared_cluster, linger_ms=0)
    client.send("changed", 10)
    client.until(lambda: client.sum(trips) > 3 and client.samples[-1].queued == 0, "no answer")
    client.close()
    return client.told[-1]


def test_values_out_of_an_earlier_intervals_range_do_not_count_again(told: dict[str, Any]) -> None:
    """``outofrange`` counts on until the histogram is replaced, and then begins anew."""
    window = next(b for b in told["brokers"].values() if b["nodeid"] >= 0)["rtt"]
    window |= {"cnt": 10, "sum": 100, "max": 900, "p99": 50, "outofrange": 4}
    reader = StatisticsReader()

    def p99(**changes: int) -> int:
        window.update(changes)
        read = reader.read(copy.deepcopy(told), int(time.time() * 1e6))
        return next(broker.trip.p99 for broker in read.brokers if broker.trip.n == 10)

    assert p99() == 900
    assert p99() == 50, "the same four"
    assert p99(outofrange=5) == 900
    assert p99(hdrsize=window["hdrsize"] * 2) == 900, "five of another histogram"
    assert p99(outofrange=0) == 50


def test_a_client_made_anew_is_counted_from_its_start(told: dict[str, Any]) -> None:
    reader = StatisticsReader()
    reader.read(told, now_us())
    again = copy.deepcopy(told) | {"name": "rdkafka#producer-99"}
    sample = reader.read(again, now_us())
    assert sample.topics["changed"].produced == 10
    assert sample.until_us - sample.since_us == told["age"]
    assert reader.read(again, now_us()).topics["changed"].produced == 0
