"""The time of the record at an offset, which Kafka tells only by handing the record out."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicPartition

log = logging.getLogger(__name__)


class FirstRecords:
    """Reads single records beside whoever reads the topic; commits and joins nothing."""

    def __init__(self, connection: Mapping[str, Any], group: str) -> None:
        self._config: dict[str, Any] = {
            **connection,
            "group.id": group,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            # One record a partition is wanted, so nothing is fetched ahead.
            "queued.min.messages": 1,
            "queued.max.messages.kbytes": 1,
            "fetch.message.max.bytes": 1,
            "error_cb": lambda error: log.debug("first records: %s", error),
        }

    def timestamps_ms(
        self, places: Mapping[tuple[str, int], int], timeout_s: float = 3.0
    ) -> dict[tuple[str, int], int]:
        """Timestamp, UTC milliseconds, of the first record from each offset on.

        Args:
            places: Offset by topic and partition.
            timeout_s: For all of them; what was not had by then is left out.
        """
        if not places:
            return {}
        found: dict[tuple[str, int], int] = {}
        consumer = Consumer(self._config)
        try:
            consumer.assign(
                [TopicPartition(topic, at, offset) for (topic, at), offset in places.items()]
            )
            deadline = time.monotonic() + timeout_s
            while len(found) < len(places) and (left := deadline - time.monotonic()) > 0:
                message = consumer.poll(left)
                if message is None or message.error() is not None:
                    continue
                place = (message.topic() or "", message.partition() or 0)
                kind, timestamp = message.timestamp()
                if kind and place not in found:
                    found[place] = timestamp
                consumer.pause([TopicPartition(*place)])
        except KafkaException as error:
            log.debug("first records cannot be read: %s", error)
        finally:
            consumer.close()
        return found
