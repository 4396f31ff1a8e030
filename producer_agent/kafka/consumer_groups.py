"""Which consumer groups read a topic: those that have committed an offset on it."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from typing import Any, Final

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException

from producer_agent.kafka.admin import Admin
from producer_agent.kafka.cluster_view import view_of

log = logging.getLogger(__name__)

OURS: Final = "ackboard-"
"""How the groups of Ackboard itself begin: none of them reads a target."""

MOST_GROUPS: Final = 500


def groups_reading(
    client: Mapping[str, Any] | Admin, topics: Iterable[str], timeout_s: float = 10.0
) -> dict[str, list[str]] | None:
    """``{topic: groups}``, both sorted; None where the cluster does not tell.

    A group that was stopped counts, as it goes on where it committed. Best effort within the
    time: groups that we may not describe are left out.
    """
    wanted = set(topics)
    deadline = time.monotonic() + timeout_s
    admin = Admin.of(client)
    try:
        if view_of(admin.metadata(timeout_s)).embedded:
            return None
        listed = admin.client.list_consumer_groups(request_timeout=timeout_s).result(timeout_s)
        names = sorted(
            group.group_id for group in listed.valid if not group.group_id.startswith(OURS)
        )
        found: dict[str, list[str]] = {topic: [] for topic in wanted}
        asked: list[tuple[str, Future[ConsumerGroupTopicPartitions]]] = []
        for name in names[:MOST_GROUPS]:
            asked += admin.client.list_consumer_group_offsets(
                [ConsumerGroupTopicPartitions(name)], request_timeout=timeout_s
            ).items()
        for name, future in asked:
            try:
                offsets = future.result(max(0.1, deadline - time.monotonic()))
            except (KafkaException, TimeoutError) as error:
                log.debug("no offsets of group %s: %s", name, error)
                continue
            for topic in {at.topic for at in offsets.topic_partitions or [] if at.offset >= 0}:
                if topic in wanted:
                    found[topic].append(name)
    except (KafkaException, TimeoutError) as error:
        log.info("consumer groups cannot be listed: %s", error)
        return None
    return {topic: sorted(groups) for topic, groups in sorted(found.items())}
