"""Policies: which dead-letter topics are read, and how each is understood."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlite_utils import Database

from producer_agent.store.clock import now_us

INTERNAL_PREFIX = "__"
"""Kafka's own topics; no pattern ever reads one."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How the dead-letter topics of one name or pattern are read."""

    topic: str
    """A topic's name, or as in librdkafka a regular expression that begins with ``^``."""
    convention: str | None = None
    """The one convention that its records follow; None: detected record by record."""
    default_target: str | None = None
    """Where its records go that do not tell where they came from."""
    start_from: str = "earliest"
    """``earliest``, or ``now``: records from before the policy took effect are not read."""
    keep_closed_days: float | None = None
    """Days after which letters that are done with are deleted here; None: never."""
    id: int | None = None
    """Row id; None while it is not stored."""
    changed_us: int | None = None

    @property
    def is_pattern(self) -> bool:
        """Whether it may stand for several topics."""
        return self.topic.startswith("^")

    def covers(self, topic: str) -> bool:
        """Whether it is meant for this topic. As in librdkafka a pattern need not match to the
        end: ``^orders`` covers ``orders-dlt``."""
        if not self.is_pattern:
            return topic == self.topic
        return not topic.startswith(INTERNAL_PREFIX) and re.search(self.topic, topic) is not None


def policy_of(policies: Sequence[Policy], topic: str) -> Policy | None:
    """The policy for a topic: the one of its name, else the oldest pattern that covers it."""
    covering = [policy for policy in policies if policy.covers(topic)]
    return next((policy for policy in covering if not policy.is_pattern), None) or next(
        iter(covering), None
    )


def with_own(policies: Sequence[Policy], own_topic: str) -> list[Policy]:
    """All policies, with one for the board's own topic: it is always read."""
    if any(policy.topic == own_topic for policy in policies):
        return list(policies)
    return [Policy(own_topic), *policies]


_COLUMNS = "topic, convention, default_target, start_from, keep_closed_days, id, changed_us"


def all_policies(db: Database) -> list[Policy]:
    """Every stored policy, the oldest first."""
    rows = db.execute(f"SELECT {_COLUMNS} FROM dead_letter_policies ORDER BY id").fetchall()
    return [Policy(*row) for row in rows]


def save(db: Database, policy: Policy) -> None:
    """Insert a policy, or replace that of its topic or pattern, which keeps its place."""
    db.execute(
        "INSERT INTO dead_letter_policies "
        "(topic, convention, default_target, start_from, keep_closed_days, changed_us) "
        "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (topic) DO UPDATE SET "
        "convention = excluded.convention, default_target = excluded.default_target, "
        "start_from = excluded.start_from, keep_closed_days = excluded.keep_closed_days, "
        "changed_us = excluded.changed_us",
        [
            policy.topic,
            policy.convention,
            policy.default_target,
            policy.start_from,
            policy.keep_closed_days,
            now_us(),
        ],
    )


def delete(db: Database, topic: str) -> bool:
    """Delete the policy of this topic or pattern; what was read stays. False: there was none."""
    cursor = db.execute("DELETE FROM dead_letter_policies WHERE topic = ?", [topic])
    return int(cursor.rowcount) > 0


def begun(db: Database, cluster: int) -> frozenset[int]:
    """Row ids of the policies that have taken effect on this cluster."""
    rows = db.execute(
        "SELECT policy FROM dead_letter_policies_begun WHERE cluster = ?", [cluster]
    ).fetchall()
    return frozenset(row[0] for row in rows)


def begin(db: Database, cluster: int, policies: Iterable[int]) -> None:
    """Note that policies have taken effect: topics that appear from here on are new to them."""
    for policy in policies:
        db.execute(
            "INSERT OR IGNORE INTO dead_letter_policies_begun (policy, cluster, begun_us) "
            "SELECT id, ?, ? FROM dead_letter_policies WHERE id = ?",
            [cluster, now_us(), policy],
        )
