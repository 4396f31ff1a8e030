"""Deleting topics that were made for a while."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from confluent_kafka import KafkaError, KafkaException

from producer_agent.kafka.admin import Admin, ClusterUnreachable

log = logging.getLogger(__name__)


def remove_topics(
    connection: Mapping[str, Any], names: Sequence[str], timeout_s: float = 10.0
) -> dict[str, str]:
    """Delete topics; returns why for those that are still there.

    The embedded cluster cannot delete a topic, and forgets all of them with its process.
    """
    try:
        admin = Admin(connection)
        admin.metadata(timeout_s)
    except ClusterUnreachable as error:
        return dict.fromkeys(names, str(error))
    left: dict[str, str] = {}
    futures = admin.client.delete_topics(
        list(names), operation_timeout=timeout_s, request_timeout=timeout_s
    )
    for name, future in futures.items():
        try:
            future.result()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                left[name] = admin.clean(error.args[0].str())
    return left
