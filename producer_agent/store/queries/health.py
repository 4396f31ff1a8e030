"""Is what the pages show to be trusted: the agent, the cluster, the runs, the clockwork?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlite_utils import Database

from producer_agent.store import facts


@dataclass(frozen=True, slots=True)
class AgentHealth:
    """What the agent last said of itself."""

    heartbeat_us: int
    started_us: int
    state: str
    """``starting``, ``running`` or ``stopping``."""
    blocked: str | None
    """Why it cannot write the database, or None."""
    backlog: int
    """Delivery reports it holds that are not yet committed."""
    messages: tuple[str, ...]
    """What it wants a page to show."""


@dataclass(frozen=True, slots=True)
class ClusterHealth:
    """The cluster as the agent last saw it."""

    kind: str
    """``embedded``, ``lab`` or ``real``."""
    bootstrap_servers: str
    reachable: bool
    since_us: int | None
    """Since when it is reachable, or is not."""
    error: str | None
    brokers: int
    problems: tuple[str, ...]
    """In words, of its topics."""


@dataclass(frozen=True, slots=True)
class RunNow:
    """A run that is under way."""

    profile: str
    acks: str
    topic: str
    rate: float
    """Events a second that it is asked to send."""
    outstanding: int
    """Accepted by librdkafka and without a report yet."""
    paused_because: str | None


@dataclass(frozen=True, slots=True)
class FailedJob:
    """Something that runs by the clock and failed when it last ran."""

    name: str
    last_run_us: int
    detail: str | None
    failed_in_row: int


@dataclass(frozen=True, slots=True)
class Health:
    """All of it, of one moment."""

    agent: AgentHealth | None
    """None: no agent ever served this database."""
    cluster: ClusterHealth | None
    """None: no cluster was ever looked at."""
    runs: tuple[RunNow, ...]
    failed_jobs: tuple[FailedJob, ...]


def health(db: Database) -> Health:
    """What the agent last wrote about itself, its cluster, its runs and its jobs."""
    agent, cluster, runs = (facts.get(db, name) for name in ("agent", "cluster", "runs"))
    return Health(
        None if agent is None else _agent(agent),
        None if cluster is None else _cluster(cluster.body),
        () if runs is None else tuple(_run(body) for body in runs.body),
        tuple(
            FailedJob(*row)
            for row in db.execute(
                "SELECT name, last_run_us, detail, failed_in_row FROM jobs "
                "WHERE last_state = 'failed' ORDER BY name"
            )
        ),
    )


def unresolved_in_open_runs(db: Database) -> dict[str, int]:
    """``{acks: events}`` accepted and not settled in runs without an end.

    What an agent left behind that is silent; a live one tells it more freshly in the fact
    ``runs``.
    """
    return dict(
        db.execute(
            "SELECT acks, sum(max(accepted - settled, 0)) FROM runs WHERE ended_us IS NULL "
            "GROUP BY acks"
        ).fetchall()
    )


def _agent(fact: facts.Fact) -> AgentHealth:
    body = fact.body
    return AgentHealth(
        heartbeat_us=fact.at_us,
        started_us=body["started_us"],
        state=body["state"],
        blocked=body["blocked"],
        backlog=body["backlog"],
        messages=tuple(body["messages"]),
    )


def _cluster(body: dict[str, Any]) -> ClusterHealth:
    return ClusterHealth(
        kind=body["kind"],
        bootstrap_servers=body["bootstrap_servers"],
        reachable=body["reachable"],
        since_us=body["since_us"],
        error=body["error"],
        brokers=len(body["brokers"]),
        problems=tuple(f"{problem['topic']}: {problem['message']}" for problem in body["problems"]),
    )


def _run(body: dict[str, Any]) -> RunNow:
    return RunNow(
        profile=body["profile"],
        acks=body["acks"],
        topic=body["topic"],
        rate=body["rate"],
        outstanding=body["outstanding"],
        paused_because=body["paused_because"],
    )
