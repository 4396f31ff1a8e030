"""A cluster's metadata from whichever broker answers first.

One client asks one broker of its choice, and a broker that hangs (a frozen process, a full disk)
keeps its connections: the request waits for nothing while two others could have answered. So
several brokers are asked at once, each by a client that knows no other yet.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

from producer_agent.kafka.admin import Admin, ClusterUnreachable
from producer_agent.kafka.cluster_view import ClusterView, view_of

log = logging.getLogger(__name__)

MOST_ASKED = 5
"""Brokers asked at once: each answers with the whole metadata."""


def first_view(
    connection: Mapping[str, Any], addresses: Sequence[str], timeout_s: float
) -> tuple[Admin, ClusterView]:
    """The first answer, and the client that got it.

    Args:
        connection: librdkafka properties that reach the cluster.
        addresses: ``host:port`` of brokers, the likeliest to answer first; at most
            :data:`MOST_ASKED` are asked.
        timeout_s: For all of them together.

    Raises:
        ClusterUnreachable: none answered; the text has what each said.
    """
    asked = list(dict.fromkeys(address.strip() for address in addresses if address.strip()))
    pool = ThreadPoolExecutor(MOST_ASKED, "first-view")
    said: list[str] = []
    try:
        waiting = [
            pool.submit(_view, connection, address, timeout_s) for address in asked[:MOST_ASKED]
        ]
        for done in as_completed(waiting):
            try:
                return done.result()
            except ClusterUnreachable as error:
                said.append(str(error))
    finally:
        # Whoever still waits gives up by itself when its time is over.
        pool.shutdown(wait=False, cancel_futures=True)
    raise ClusterUnreachable(
        "; ".join(said) or "no address of a broker is known: set KAFKA_BOOTSTRAP_SERVERS"
    )


def _view(
    connection: Mapping[str, Any], address: str, timeout_s: float
) -> tuple[Admin, ClusterView]:
    # It lives for one diagnosis, and its broker may well be down: that is told in the error.
    quiet = {"log_level": 2, "reconnect.backoff.ms": 200}
    admin = Admin({**connection, **quiet, "bootstrap.servers": address})
    return admin, view_of(admin.metadata(timeout_s))
