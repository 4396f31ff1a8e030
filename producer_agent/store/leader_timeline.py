"""Who led a partition for the whole of a record's life, as far as it was watched.

A record is put down to a broker only where that broker led its partition from one moment to the
other. Everything else has a name of its own, as a guess would blame the broker that took over for
the silence of the one before it:

=================== ================================================================
:data:`NO_LEADER`   nobody led the partition all that time
:data:`CHANGED`     its leader changed meanwhile, or between the two looks around it
:data:`NO_PARTITION` there was no such partition, or the record never got one
:data:`NOT_KNOWN`   nobody watched the cluster then, or it could not be reached
=================== ================================================================
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

import numpy as np
import numpy.typing as npt
from sqlite_utils import Database

from producer_agent.store.queries.cluster_changes import StateThen, topic_states

NO_LEADER: Final = -1
CHANGED: Final = -2
NO_PARTITION: Final = -3
NOT_KNOWN: Final = -4

SLACK_US: Final = 1_000_000
"""A look is dated when it is written down; what it saw is older than that, by less than this."""

_NO_LOOK_BEFORE_US: Final = 4_000_000
"""In place of the look before, where a change does not name it: two rounds of looking."""

_EVER_US: Final = -(2**62)

Int64s = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Steps:
    """The leader of one partition over time: ``leaders[i]`` from ``from_us[i]`` on."""

    from_us: Int64s
    leaders: Int64s


@dataclass(frozen=True, slots=True)
class LeaderTimeline:
    """The leaders of one topic's partitions since some time, for arrays of records."""

    since_us: int
    """From then on it is right; of earlier times it knows nothing."""
    _steady: Int64s
    """By partition, the one leader since then; one more at its end, for partitions unknown."""
    _changing: Mapping[int, _Steps]
    """Of partitions that had more than one."""
    _unwatched_from_us: Int64s
    _unwatched_until_us: Int64s

    def leaders(
        self, partitions: Int64s, sent_us: Int64s, settled_us: Int64s, looked_us: int
    ) -> Int64s:
        """The broker that led each record's partition all its life, or one of the names below 0.

        Args:
            partitions: Of the records; below 0 where they never got one.
            sent_us: When each was produced.
            settled_us: When its outcome was known.
            looked_us: Of what came after nothing is known.
        """
        beyond = len(self._steady) - 1
        within = (partitions >= 0) & (partitions < beyond)
        found: Int64s = self._steady[np.where(within, partitions, beyond)]
        for partition, steps in self._changing.items():
            at = np.flatnonzero(partitions == partition)
            if len(at):
                first = np.searchsorted(steps.from_us, sent_us[at], "right") - 1
                last = np.searchsorted(steps.from_us, settled_us[at], "right") - 1
                found[at] = np.where(first == last, steps.leaders[first], CHANGED)
        first_us, last_us = sent_us.min(initial=-_EVER_US), settled_us.max(initial=_EVER_US)
        if ((self._unwatched_until_us > first_us) & (self._unwatched_from_us < last_us)).any():
            # The first gap that ends after it was sent: has that begun before it was settled?
            gap = np.searchsorted(self._unwatched_until_us, sent_us, "right")
            begins_us = np.append(self._unwatched_from_us, -_EVER_US)[gap]
            found[begins_us < settled_us] = NOT_KNOWN
        found[settled_us > looked_us] = NOT_KNOWN
        return found


def read_timeline(db: Database, topic: str, since_us: int) -> LeaderTimeline:
    """The leaders of a topic from ``since_us`` to the last look."""
    looks_before = _looks_before(db, since_us)
    partitions = {
        partition: _steps(list(history), since_us, looks_before)
        for partition, history in groupby(
            topic_states(db, topic, since_us, -_EVER_US), key=lambda then: then.state.partition
        )
    }
    steady = np.full(max(partitions, default=-1) + 2, NO_PARTITION, dtype=np.int64)
    for partition, steps in partitions.items():
        if len(steps.leaders) == 1:
            steady[partition] = steps.leaders[0]
    gaps = _unwatched(db, since_us)
    return LeaderTimeline(
        since_us,
        steady,
        {number: steps for number, steps in partitions.items() if len(steps.leaders) > 1},
        np.array([begin for begin, _ in gaps], dtype=np.int64),
        np.array([end for _, end in gaps], dtype=np.int64),
    )


def _steps(history: Sequence[StateThen], since_us: int, looks_before: Mapping[int, int]) -> _Steps:
    from_us, leaders = [_EVER_US], [NO_PARTITION]
    for then in history:
        leader = NO_LEADER if then.state.leader is None else then.state.leader
        if not then.state.replicas:
            leader = NO_PARTITION
        if then.at_us <= since_us:
            from_us, leaders = [_EVER_US], [leader]
        elif leader != leaders[-1]:
            # It changed somewhere between two looks: what happened between is nobody's.
            before_us = looks_before.get(then.at_us, then.at_us - _NO_LOOK_BEFORE_US)
            from_us += [max(before_us - SLACK_US, from_us[-1] + 1), then.at_us]
            leaders += [CHANGED, leader]
    return _Steps(np.array(from_us, dtype=np.int64), np.array(leaders, dtype=np.int64))


def _looks_before(db: Database, since_us: int) -> dict[int, int]:
    """Of each look since then that saw a change, when the look before it was."""
    return dict(
        db.execute(
            "SELECT at_us, max(after_us) FROM cluster_changes WHERE at_us > ? "
            "AND after_us IS NOT NULL GROUP BY at_us",
            [since_us],
        ).fetchall()
    )


def _unwatched(db: Database, since_us: int) -> list[tuple[int, int]]:
    """Times since then in which nobody looked, or nobody answered; in order, none touching."""
    kinds = "kind IN ('watch_began', 'cluster_unreachable', 'cluster_reachable')"
    began = db.execute(
        "SELECT max(at_us) FROM cluster_changes WHERE kind = 'watch_began' AND at_us <= ?",
        [since_us],
    ).fetchone()[0]
    rows: Iterable[tuple[str, int, int | None]] = db.execute(
        f"SELECT kind, at_us, after_us FROM cluster_changes WHERE {kinds} AND at_us >= ? "
        "ORDER BY at_us, id",
        [_EVER_US if began is None else began],
    ).fetchall()
    gaps: list[tuple[int, int]] = []
    dark_since_us: int | None = _EVER_US if began is None else None
    for kind, at_us, after_us in rows:
        if kind == "cluster_unreachable":
            if dark_since_us is None:
                dark_since_us = (at_us if after_us is None else after_us) - SLACK_US
            continue
        if kind == "watch_began" and dark_since_us is None and at_us != began:
            dark_since_us = (_EVER_US if after_us is None else after_us) - SLACK_US
        if dark_since_us is not None:
            gaps.append((max(dark_since_us, gaps[-1][1] if gaps else _EVER_US), at_us))
            dark_since_us = None
    if dark_since_us is not None:
        gaps.append((dark_since_us, -_EVER_US))
    return gaps
