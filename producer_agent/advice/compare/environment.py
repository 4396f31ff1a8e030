"""Where a comparison was measured: what another one has to share to be laid beside it."""

from __future__ import annotations

import os
import platform
import socket
from typing import Any

import confluent_kafka

from producer_agent.kafka.cluster_view import ClusterView


def environment_of(
    view: ClusterView, kind: str, bootstrap_servers: str, topic: str
) -> dict[str, Any]:
    """Cluster, versions and host, as ``comparisons.environment`` keeps them.

    A broker does not tell its version to a client; ``broker_version`` is kept for the day it does.
    """
    return {
        "cluster_id": view.cluster_id,
        "cluster_kind": kind,
        "bootstrap_servers": bootstrap_servers,
        "brokers": len(view.brokers),
        "broker_version": None,
        "librdkafka": confluent_kafka.libversion()[0],
        "confluent_kafka": confluent_kafka.__version__,
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
        "host": socket.gethostname(),
        "platform": platform.platform(),
        "topic": topic,
    }
