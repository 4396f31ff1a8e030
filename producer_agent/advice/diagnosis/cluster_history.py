"""Watches the cluster: compares each look with the last and has the difference written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice

from sqlite_utils import Database

from producer_agent.advice.diagnosis.cluster_comparison import (
    Seen,
    differences,
    seen_in,
    setting_changes,
)
from producer_agent.kafka.cluster_view import ClusterView
from producer_agent.store import cluster_changes as table
from producer_agent.store import facts
from producer_agent.store.cluster_changes import Change, PartitionState
from producer_agent.store.queries import cluster_changes as query
from producer_agent.store.writer import Writer

STATES_A_TRANSACTION = 2_000
"""So that outcomes are never kept waiting while 10,000 partitions change at once."""

WRITE_S = 30.0


class ClusterHistory:
    """Keeps ``cluster_changes`` and ``partition_states``; called by one thread, look by look.

    Only what changed since the last look is written. An agent that was started again goes on from
    what the last one saw, so that what happened while none watched is not lost.
    """

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._cluster_id: str | None = None
        self._cluster: int | None = None
        self._seen: Seen | None = None
        self._settings: Mapping[str, Mapping[str, str]] = {}
        self._controller: int | None = None
        self._reachable: bool | None = None
        self._looked_us: int | None = None

    def reached(
        self,
        view: ClusterView,
        at_us: int,
        settings: Mapping[str, Mapping[str, str]],
        controller: int | None,
    ) -> None:
        """A look that found the cluster.

        Args:
            view: What was seen, of a cluster that is registered.
            at_us: When.
            settings: Settings by topic as last read; they may be those of the look before.
            controller: The active controller where it is known.

        Raises:
            StoreError, TimeoutError: it was not written; the next look sees the change again.
        """
        if view.cluster_id != self._cluster_id or self._seen is None or self._cluster is None:
            self._begin(view, at_us)
            self._settings, self._controller = settings, controller
            return
        after = seen_in(view, self._seen)
        found = differences(self._seen, after)
        changes = [
            *(
                [Change("cluster_reachable", detail={"brokers": sorted(after.brokers)})]
                if self._reachable is False
                else []
            ),
            *_controller_changes(self._controller, controller),
            *found.changes,
            *setting_changes(self._settings, settings),
        ]
        self._write(self._cluster, at_us, changes, found.states)
        self._seen = after
        self._settings = {**self._settings, **settings}
        self._controller = controller if controller is not None else self._controller
        self._reachable, self._looked_us = True, at_us

    def unreachable(self, error: str, at_us: int) -> None:
        """A look that found nobody; only the first of a row is written."""
        if self._reachable is not False:
            change = Change("cluster_unreachable", detail={"error": error})
            self._write(self._cluster, at_us, [change], ())
        self._reachable, self._looked_us = False, at_us

    def _begin(self, view: ClusterView, at_us: int) -> None:
        """The first look at a cluster: compared with what a former agent saw of it last."""
        after = seen_in(view)
        last = self._writer.call(partial(_last_look, cluster_id=view.cluster_id or ""), WRITE_S)
        before = Seen(
            last.brokers or after.brokers,
            {key: state for key, (of, state) in last.states.items() if of == last.cluster},
        )
        # Another cluster's topics of other names are no longer looked at.
        strays = [
            PartitionState(state.topic, state.partition, None, (), ())
            for key, (of, state) in last.states.items()
            if of != last.cluster and key not in after.states
        ]
        found = differences(before, after)
        changes = [Change("watch_began", detail={"brokers": sorted(after.brokers)})]
        if before.states:
            changes += found.changes
        self._looked_us = last.at_us
        self._write(last.cluster, at_us, changes, (*found.states, *strays))
        self._cluster_id, self._cluster, self._seen = view.cluster_id, last.cluster, after
        self._reachable, self._looked_us = True, at_us

    def _write(
        self,
        cluster: int | None,
        at_us: int,
        changes: Sequence[Change],
        states: Sequence[PartitionState],
    ) -> None:
        rest = iter(states)
        while cluster is not None and (step := list(islice(rest, STATES_A_TRANSACTION))):
            self._writer.call(
                partial(table.add_states, cluster=cluster, at_us=at_us, states=step), WRITE_S
            )
        if changes:
            self._writer.call(
                partial(
                    table.add_changes,
                    cluster=cluster,
                    at_us=at_us,
                    after_us=self._looked_us,
                    changes=changes,
                ),
                WRITE_S,
            )


def _controller_changes(before: int | None, after: int | None) -> list[Change]:
    if before is None or after is None or before == after:
        return []
    return [Change("controller_changed", broker=after, detail={"before": before, "after": after})]


@dataclass(frozen=True, slots=True)
class _Last:
    """What was known before this look, by whichever agent."""

    cluster: int | None
    at_us: int | None
    brokers: Mapping[int, str]
    """Empty where the last look was at another cluster, or found nobody."""
    states: Mapping[tuple[str, int], tuple[int, PartitionState]]


def _last_look(db: Database, cluster_id: str) -> _Last:
    fact = facts.get(db, "cluster")
    brokers = (
        {broker["id"]: f"{broker['host']}:{broker['port']}" for broker in fact.body["brokers"]}
        if fact is not None and fact.body["cluster_id"] == cluster_id
        else {}
    )
    return _Last(
        query.cluster_row(db, cluster_id),
        None if fact is None else fact.at_us,
        brokers,
        table.last_states(db),
    )
