"""How a command reaches the cluster: the one it was given, or the one that the agent serves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from producer_agent.cli import serving
from producer_agent.cli.output import fail
from producer_agent.settings import Settings
from producer_agent.store import facts
from producer_agent.store.reader import Reader


@dataclass(frozen=True, slots=True)
class Reached:
    """A cluster that can be asked."""

    connection: dict[str, Any]
    """librdkafka properties; may hold secrets."""
    kind: str
    """``embedded``, ``lab`` or ``real``."""


def reached_by(settings: Settings, reader: Reader) -> Reached:
    """The cluster of the settings; without one that of the agent that serves the database.

    Exits with 1 where there is neither.
    """
    if settings.bootstrap_servers:
        return Reached(settings.connection(), settings.cluster_kind)
    fact = reader(lambda db: facts.get(db, "cluster"))
    if fact is None or serving.holder(settings.db) is None:
        fail(
            "There is no cluster to ask: set KAFKA_BOOTSTRAP_SERVERS, or start an agent with "
            "`python -m producer_agent serve`, whose embedded cluster is then asked."
        )
    # An agent that was started for a real cluster tells its address, and its kind.
    body: dict[str, Any] = fact.body
    connection = {**settings.connection(), "bootstrap.servers": body["bootstrap_servers"]}
    return Reached(connection, str(body["kind"]))
