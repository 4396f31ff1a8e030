"""Which services of a team's own record here, and how they fare."""

from __future__ import annotations

from dataclasses import dataclass

from sqlite_utils import Database


@dataclass(frozen=True, slots=True)
class ApplicationRow:
    """One producer in a service, with its run."""

    id: int
    name: str
    """The profile that its runs and dead letters are shown under."""
    host: str
    pid: int
    version: str
    started_us: int
    heartbeat_us: int
    ended_us: int | None
    end_reason: str | None
    not_kept: int
    """Outcomes that are counted, and were too many to be kept one by one."""
    letters_lost: int
    """Failures that found no way to a dead letter."""
    run_uuid: str | None
    """None: it has sent nothing yet."""
    acks: str | None
    topic: str | None
    """The first it sent to."""
    accepted: int
    settled: int
    commits: int
    aborts: int

    @property
    def outstanding(self) -> int:
        """Events that have no outcome yet; a quarter of a second old at most."""
        return max(self.accepted - self.settled, 0)


def applications(db: Database, ended_since_us: int) -> tuple[ApplicationRow, ...]:
    """Those that live and those that ended since then: the living first, newest first."""
    rows = db.execute(
        "SELECT a.id, a.name, a.host, a.pid, a.version, a.started_us, a.heartbeat_us, a.ended_us, "
        "a.end_reason, a.not_kept, a.letters_lost, r.uuid, r.acks, r.topic, "
        "coalesce(r.accepted, 0), coalesce(r.settled, 0), coalesce(r.commits, 0), "
        "coalesce(r.aborts, 0) FROM applications a "
        "LEFT JOIN runs r ON r.id = (SELECT max(id) FROM runs WHERE application = a.id) "
        "WHERE a.ended_us IS NULL OR a.ended_us >= ? "
        "ORDER BY a.ended_us IS NOT NULL, a.id DESC",
        [ended_since_us],
    ).fetchall()
    return tuple(ApplicationRow(*row) for row in rows)


def outstanding_by_acks(db: Database) -> dict[str, int]:
    """``{acks: events}`` of living services that have no outcome yet."""
    return dict(
        db.execute(
            "SELECT r.acks, sum(max(r.accepted - r.settled, 0)) FROM runs r "
            "JOIN applications a ON a.id = r.application "
            "WHERE r.ended_us IS NULL AND a.ended_us IS NULL GROUP BY r.acks"
        ).fetchall()
    )


@dataclass(frozen=True, slots=True)
class Transactions:
    """Transactions of one profile in a window."""

    profile: str
    acks: str
    commits: int
    aborts: int


def transactions(
    db: Database, resolution_s: int, start_s: int, end_s: int
) -> tuple[Transactions, ...]:
    """Commits and aborts by profile, of those that had any, in the rollups of one width."""
    rows = db.execute(
        "SELECT s.profile, s.acks, sum(r.commits), sum(r.aborts) FROM rollups r "
        "JOIN series s ON s.id = r.series "
        "WHERE r.resolution = ? AND r.bucket >= ? AND r.bucket < ? "
        "GROUP BY s.id HAVING sum(r.commits + r.aborts) > 0 ORDER BY 1, 2",
        [resolution_s, start_s, end_s],
    ).fetchall()
    return tuple(Transactions(*row) for row in rows)
