"""What was measured here of any profile: what the Advisor supports its words with."""

from __future__ import annotations

from dataclasses import dataclass

from sqlite_utils import Database

from producer_agent.advice.compare.analysis import Figure, analyse
from producer_agent.advice.compare.plan import PlanInvalid
from producer_agent.delivery.profiles import Profile
from producer_agent.store.queries import comparisons as queries


@dataclass(frozen=True, slots=True)
class MeasuredProfile:
    """One profile at one rate of one comparison."""

    comparison: int
    at_us: int
    name: str
    body: Profile
    """As it was when it was measured."""
    acks: str
    rate: float
    rate_reached: float
    rounds: int
    events: int
    """Sent in the measured windows."""
    payload_bytes: int
    ack_p50: Figure | None
    """None with acks=0, or where too few events back it."""
    ack_p99: Figure | None
    end_to_end_p99: Figure | None
    success_ratio: float | None
    lost: int | None
    replication_factor: int
    min_insync_replicas: int
    cluster_kind: str
    """``embedded``: nothing was replicated."""
    cluster_id: str


def measured(db: Database, *, comparisons: int = 20) -> tuple[MeasuredProfile, ...]:
    """Everything that the newest comparisons measured, the newest first."""
    found: list[MeasuredProfile] = []
    for summary in queries.comparisons(db, limit=comparisons):
        whole = queries.comparison(db, summary.id)
        if whole is None or not whole.measured:
            continue
        try:
            analysis = analyse(whole)
        except PlanInvalid:
            continue  # of a version that knew other fields: its page says so
        for at in analysis.rates:
            for result in at.profiles:
                ack = result.ack if result.confirmed else {}
                found.append(
                    MeasuredProfile(
                        comparison=summary.id,
                        at_us=summary.started_us,
                        name=result.name,
                        body=analysis.plan.profiles[result.profile],
                        acks=result.acks,
                        rate=result.rate,
                        rate_reached=result.rate_reached,
                        rounds=result.rounds,
                        events=result.sent,
                        payload_bytes=analysis.plan.load.payload_bytes,
                        ack_p50=ack.get("p50"),
                        ack_p99=ack.get("p99"),
                        end_to_end_p99=result.end_to_end.get("p99"),
                        success_ratio=result.success_ratio,
                        lost=result.lost,
                        replication_factor=analysis.plan.layout.replication_factor,
                        min_insync_replicas=analysis.plan.layout.min_insync_replicas,
                        cluster_kind=str(summary.environment["cluster_kind"]),
                        cluster_id=str(summary.environment["cluster_id"]),
                    )
                )
    return tuple(found)
