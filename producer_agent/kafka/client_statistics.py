"""Reads librdkafka's statistics: what happened between one emission and the next.

From ``STATISTICS.md`` of librdkafka 2.16, and from what its figures turned out to be:

- Counters run from the client's start; windows (``int_latency``, ``rtt``, ``batchsize``, …) are of
  the interval, with their own ``sum`` and ``cnt``.
- A window's percentiles come from a histogram that begins with a range (100 ms for
  ``int_latency``, 500 ms for ``rtt``) and is widened after values were out of it. Of an interval
  that had some, ``p99`` is of the rest alone, and 0 if there is none. ``outofrange`` counts on
  from interval to interval until the histogram is replaced, which its ``hdrsize`` tells.
- ``int_latency`` counts an event in every attempt, from its produce() on.
- ``rtt`` has every request that is answered, whatever it asks. Under acks=0 no produce request is.
- ``msgs`` of the partition -1 are counted again in the partition they go to.
- ``txretries`` stays 0 whatever is tried again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from producer_agent.store.client_statistics import (
    BrokerSample,
    ClientSample,
    Spread,
    TopicSample,
)

_S: Final = 1_000_000
_NO_PARTITION: Final = "-1"

Told = Mapping[str, Any]


class StatisticsReader:
    """Turns the emissions of one client, in order, into samples.

    A client made anew under the same reader begins anew: it is known by its name.
    """

    def __init__(self) -> None:
        self._client: str | None = None
        self._until_us = 0
        self._counters: dict[tuple[object, ...], int] = {}
        self._histograms: dict[tuple[object, ...], tuple[int, int]] = {}

    def read(self, told: Told, now_us: int) -> ClientSample:
        """One emission, decoded.

        Args:
            now_us: When it was served. If that was late, the second that it tells counts.

        Raises:
            KeyError, TypeError: it is not of the shape that is known.
        """
        until_us = min(max(now_us, told["time"] * _S), told["time"] * _S + _S - 1)
        if told["name"] != self._client:
            self._client = told["name"]
            self._counters.clear()
            self._histograms.clear()
            self._until_us = until_us - told["age"]
        since_us, self._until_us = self._until_us, until_us
        return ClientSample(
            since_us=since_us,
            until_us=until_us,
            queued=told["msg_cnt"],
            queue_limit=told["msg_max"],
            queued_bytes=told["msg_size"],
            queue_limit_bytes=told["msg_size_max"],
            # Brokers without an id are addresses to begin with, and coordinators by a name of
            # their role: each is one of those with an id once the cluster has told them.
            brokers=tuple(
                self._broker(broker) for broker in told["brokers"].values() if broker["nodeid"] >= 0
            ),
            topics={name: self._topic(name, topic) for name, topic in told["topics"].items()},
        )

    def _broker(self, told: Told) -> BrokerSample:
        broker = told["nodeid"]

        def since(name: str, now: int) -> int:
            return self._since((broker, name), now)

        def spread(name: str) -> Spread:
            return self._spread((broker, name), told[name])

        return BrokerSample(
            broker=broker,
            state=told["state"],
            queue=spread("int_latency"),
            send=spread("outbuf_latency"),
            trip=spread("rtt"),
            throttle=spread("throttle"),
            requests=since("Produce", told["req"].get("Produce", 0)),
            unanswered=told["waitresp_cnt"],
            timeouts=since("timeouts", told["req_timeouts"]),
            errors=since("errors", told["txerrs"] + told["rxerrs"]),
            disconnects=since("disconnects", told["disconnects"]),
        )

    def _topic(self, name: str, told: Told) -> TopicSample:
        def since(counter: str) -> int:
            return sum(
                self._since((name, number, counter), partition[counter])
                for number, partition in told["partitions"].items()
                if number != _NO_PARTITION
            )

        return TopicSample(
            produced=since("msgs"),
            transmitted=since("txmsgs"),
            transmitted_bytes=since("txbytes"),
            batch_bytes=self._spread((name, "batchsize"), told["batchsize"]),
            batch_events=self._spread((name, "batchcnt"), told["batchcnt"]),
        )

    def _since(self, key: tuple[object, ...], now: int) -> int:
        """How far a counter came. One that fell is of a broker or partition that came anew."""
        before = self._counters.get(key, 0)
        self._counters[key] = now
        return now - before if now >= before else now

    def _spread(self, key: tuple[object, ...], told: Told) -> Spread:
        n, largest, outside = told["cnt"], told["max"], told["outofrange"]
        size, outside_before = self._histograms.get(key, (told["hdrsize"], 0))
        self._histograms[key] = (told["hdrsize"], outside)
        if size == told["hdrsize"] and outside >= outside_before:
            outside -= outside_before
        p99 = largest if outside * 100 > n else min(told["p99"], largest)
        return Spread(n, told["sum"], p99, largest)
