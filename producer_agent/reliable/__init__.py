"""A producer for a team's own services: confluent-kafka's, with every record's end known and told.

Importing it costs little more than confluent-kafka itself, and does nothing.
"""

from __future__ import annotations

from producer_agent.reliable.book import Counts
from producer_agent.reliable.configuration import NoConfiguration, bootstrap_servers
from producer_agent.reliable.errors import (
    FatalProducerError,
    ProducerFenced,
    ReliableProducerError,
    TransactionAborted,
    TransactionInDoubt,
)
from producer_agent.reliable.failures import Failure
from producer_agent.reliable.producer import ReliableProducer
from producer_agent.reliable.transactions import Transaction

__all__ = [
    "Counts",
    "Failure",
    "FatalProducerError",
    "NoConfiguration",
    "ProducerFenced",
    "ReliableProducer",
    "ReliableProducerError",
    "Transaction",
    "TransactionAborted",
    "TransactionInDoubt",
    "bootstrap_servers",
]
