"""What the Replays page and the terminal ask of plans and their ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlite_utils import Database

from producer_agent.store import replay_plans, replay_rules
from producer_agent.store.replay_plans import PlanRow
from producer_agent.store.replay_rules import LastHour, Rule

RATE_RECORDS = 20_000
"""The rate of a plan is that of so many records before its newest."""

RATE_US = 15_000_000
"""And of these, of so long before it."""

STATES = ("planned", "refused", "intent", "done", "already", "failed", "unknown", "cancelled")
"""Every state of a ledger row."""


@dataclass(frozen=True, slots=True)
class PlanCounts:
    """The ledger of one plan, counted."""

    by_state: dict[str, int]
    """``planned`` (those under way among them), ``refused``, ``done``, ``already``, ``failed``,
    ``unknown``, ``cancelled``; absent where there is none."""
    came_back: int
    """Records that were read from a dead-letter topic again."""
    rate_per_s: float | None
    """Records that landed a second, lately; None before the second one did."""

    @property
    def total(self) -> int:
        """All records of the plan."""
        return sum(self.by_state.values())

    @property
    def to_send(self) -> int:
        """Records that are or were to be sent: all but those refused and found there already."""
        return self.total - self.by_state.get("refused", 0) - self.by_state.get("already", 0)

    @property
    def done(self) -> int:
        """Records on their target."""
        return self.by_state.get("done", 0)

    @property
    def left(self) -> int:
        """Records that are still to be sent or settled."""
        return sum(self.by_state.get(state, 0) for state in ("planned", "unknown"))


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan and how far it is."""

    row: PlanRow
    counts: PlanCounts
    cluster_kind: str | None


@dataclass(frozen=True, slots=True)
class PlanRecord:
    """One record of a plan."""

    plan: int
    sequence: int
    replay_id: str
    dead_letter: int
    edited: bool
    target_topic: str | None
    target_partition: int | None
    state: str
    reason: str | None
    partition: int | None
    offset: int | None
    came_back_us: int | None
    settled_us: int | None
    key_text: str | None
    """Of the original key."""


@dataclass(frozen=True, slots=True)
class RuleView:
    """An automatic rule, and what it did lately."""

    rule: Rule
    cause: int | None
    """Row id of its cause; None while no letter of it is known here."""
    title: str
    """The cause's."""
    lately: LastHour


def rules(db: Database) -> tuple[RuleView, ...]:
    """Every automatic rule, the oldest first."""
    found = []
    for rule in replay_rules.all_rules(db):
        row = db.execute(
            "SELECT id, title FROM causes WHERE fingerprint = ?", [rule.cause]
        ).fetchone()
        cause, title = (None, rule.cause) if row is None else row
        found.append(RuleView(rule, cause, title, replay_rules.last_hour(db, rule)))
    return tuple(found)


def rule_of_cause(db: Database, fingerprint: str) -> Rule | None:
    """The automatic rule of a cause."""
    return replay_rules.of_cause(db, fingerprint)


def plan(db: Database, plan_id: int) -> Plan | None:
    """One plan."""
    row = replay_plans.get(db, plan_id)
    return None if row is None else _plan(db, row)


def plans(db: Database, *, limit: int = 50, offset: int = 0) -> tuple[Plan, ...]:
    """The newest plans, newest first."""
    return tuple(_plan(db, row) for row in replay_plans.latest(db, limit, offset))


def count_plans(db: Database) -> int:
    """How many plans there are."""
    return int(db.execute("SELECT count(*) FROM replay_plans").fetchone()[0])


def open_plans(db: Database) -> tuple[Plan, ...]:
    """Plans that somebody still has to run, watch or decide about, newest first."""
    rows = db.execute(
        "SELECT id FROM replay_plans WHERE state NOT IN ('done', 'cancelled', 'failed') "
        "ORDER BY id DESC"
    ).fetchall()
    return tuple(found for (row,) in rows if (found := plan(db, row)) is not None)


def refusals(db: Database, plan_id: int) -> tuple[tuple[str, int, int], ...]:
    """Why records are not sent: ``(reason, how many, one of their dead letters)``, the most
    frequent first. Numbers of dead letters in a reason do not tell reasons apart."""
    rows = db.execute(
        "SELECT reason, count(*), min(dead_letter) FROM replays WHERE plan = ? AND state = "
        "'refused' GROUP BY CASE WHEN reason LIKE 'dead letter % of this plan%' THEN 'twice' "
        "ELSE reason END ORDER BY 2 DESC",
        [plan_id],
    )
    return tuple((row[0] or "", row[1], row[2]) for row in rows.fetchall())


def records(
    db: Database,
    plan_id: int,
    *,
    states: Sequence[str] | None = None,
    came_back: bool = False,
    limit: int = 100,
    offset: int = 0,
) -> tuple[PlanRecord, ...]:
    """Records of a plan in the order of sending, some states only if told."""
    clauses, values = ["r.plan = ?"], [plan_id]
    if states is not None:
        # Written out, so that SQLite can tell which partial index answers.
        named = ", ".join(f"'{state}'" for state in STATES if state in states)
        clauses.append(f"r.state IN ({named})")
    if came_back:
        clauses.append("r.came_back_us IS NOT NULL")
    rows = db.execute(
        "SELECT r.plan, r.sequence, p.uuid || '-' || r.sequence, r.dead_letter, "
        "r.edit IS NOT NULL, "
        'r.target_topic, r.target_partition, r.state, r.reason, r.partition, r."offset", '
        "r.came_back_us, r.settled_us, d.original_key_text FROM replays r "
        "JOIN replay_plans p ON p.id = r.plan "
        f"JOIN dead_letters d ON d.id = r.dead_letter WHERE {' AND '.join(clauses)} "
        "ORDER BY r.sequence LIMIT ? OFFSET ?",
        [*values, limit, offset],
    )
    found = []
    for row in rows.fetchall():
        fields = list(row)
        fields[4] = fields[4] == 1
        found.append(PlanRecord(*fields))
    return tuple(found)


def _plan(db: Database, row: PlanRow) -> Plan:
    by_state: dict[str, int] = dict(
        db.execute(
            "SELECT state, count(*) FROM replays WHERE plan = ? AND state IN "
            "('refused', 'already', 'failed', 'unknown', 'cancelled') GROUP BY state",
            [row.id],
        ).fetchall()
    )
    left = row.records - row.landed - sum(by_state.values())
    by_state |= {state: n for state, n in (("planned", left), ("done", row.landed)) if n > 0}
    back = db.execute(
        "SELECT count(*) FROM replays WHERE plan = ? AND came_back_us IS NOT NULL", [row.id]
    ).fetchone()[0]
    kind = db.execute("SELECT kind FROM clusters WHERE id = ?", [row.cluster]).fetchone()
    return Plan(
        row, PlanCounts(by_state, int(back), _rate(db, row)), None if kind is None else kind[0]
    )


def _rate(db: Database, row: PlanRow) -> float | None:
    """Records that landed a second, lately: pauses and the watching of a ramp are long ago soon."""
    if row.started_us is None or not row.landed:
        return None
    # The records that landed last: they settle in the order of the plan, up to the next planned,
    # and a batch at a time.
    batches = db.execute(
        "SELECT settled_us, count(*) FROM (SELECT settled_us FROM replays "
        "WHERE plan = ?1 AND state = 'done' AND sequence < coalesce((SELECT min(sequence) FROM "
        "replays WHERE plan = ?1 AND state = 'planned'), ?2) ORDER BY sequence DESC LIMIT ?3) "
        "GROUP BY settled_us ORDER BY settled_us",
        [row.id, row.records, RATE_RECORDS],
    ).fetchall()
    if not batches:
        return None
    newest = batches[-1][0]
    lately = [batch for batch in batches if batch[0] > newest - RATE_US]
    # What came before the first of these began its batch: the one before, or the run itself.
    before = [at_us for at_us, _ in batches if at_us <= newest - RATE_US]
    if not before and sum(n for _, n in lately) == row.landed:
        since_us = row.started_us
    else:
        since_us, lately = lately[0][0], lately[1:]
    landed = sum(n for _, n in lately)
    return landed / ((newest - since_us) / 1e6) if landed and newest > since_us else None
