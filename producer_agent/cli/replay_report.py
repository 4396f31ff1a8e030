"""A replay plan told: as JSON, and to people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

from sqlite_utils import Database

from producer_agent.cli.output import count, moment, print_pairs, print_table, say, visible
from producer_agent.store.queries import replays as queries
from producer_agent.store.queries.replays import Plan, PlanRecord
from producer_agent.store.reader import Reader

STATES = ("planned", "refused", "already", "intent", "done", "failed", "unknown", "cancelled")
"""Of a record."""

_FINDINGS = (
    "groups",
    "dropped_headers",
    "kept_headers",
    "edited",
    "partitioner",
    "looked_for",
    "not_looked_for",
    "look_problem",
    "compression",
)

Refusals = Sequence[tuple[str, int, int]]


def read_plan(reader: Reader, plan: int) -> tuple[Plan, Refusals] | None:
    """A plan and why records of it are refused; None if there is no such plan."""

    def ask(db: Database) -> tuple[Plan, Refusals] | None:
        found = queries.plan(db, plan)
        return None if found is None else (found, queries.refusals(db, plan))

    return reader(ask)


def read_records(reader: Reader, plan: int, state: str, limit: int) -> tuple[PlanRecord, ...]:
    """Records of a plan: in one state, or ``all``, or those that ``came-back``."""
    states = [state] if state in STATES else None
    ask = partial(queries.records, plan_id=plan, states=states, limit=limit)
    return reader(partial(ask, came_back=state == "came-back"))


def method_of(plan: Plan) -> str:
    """What keeps it exactly once, or will when it is run."""
    if plan.row.method is not None:
        return plan.row.method
    if plan.cluster_kind == "embedded":
        return "ledger"
    return str(plan.row.options.get("exactly_once") or "transactions")


def plan_document(plan: Plan) -> dict[str, Any]:
    """One plan, as a list tells it."""
    row, counts = plan.row, plan.counts
    return {
        "plan": row.id,
        "uuid": row.uuid,
        "title": row.title,
        "state": row.state,
        "reason": row.reason,
        "progress": row.progress,
        "made_by": row.made_by,
        "made_us": row.made_us,
        "started_us": row.started_us,
        "ended_us": row.ended_us,
        "rule": row.rule,
        "cluster_kind": plan.cluster_kind,
        "exactly_once": method_of(plan),
        "records": {state: counts.by_state.get(state, 0) for state in STATES},
        "total": counts.total,
        "to_send": counts.to_send,
        "came_back": counts.came_back,
        "rate_per_s": None if counts.rate_per_s is None else round(counts.rate_per_s, 3),
    }


def whole_document(plan: Plan, refusals: Refusals) -> dict[str, Any]:
    """One plan with what it will do, or did."""
    found = plan.row.findings
    return {
        **plan_document(plan),
        "selection": plan.row.selection,
        "options": plan.row.options,
        "targets": found.get("targets", {}),
        **{name: found.get(name) for name in _FINDINGS},
        "refusals": [
            {"reason": reason, "records": n, "example": letter} for reason, n, letter in refusals
        ],
    }


def print_plan(plan: Plan, refusals: Refusals) -> None:
    """What it will do, or did."""
    row, counts, found = plan.row, plan.counts, plan.row.findings
    state = counts.by_state
    print_pairs(
        {
            "plan": f"{row.id}, {row.title}",
            "state": row.state + (f": {row.reason}" if row.reason else ""),
            "doing": row.progress,
            "made": f"{moment(row.made_us)} by {row.made_by}",
            "began": moment(row.started_us),
            "ended": moment(row.ended_us),
            "records": _records(plan),
            "came back": count(counts.came_back) if counts.done else None,
            "exactly once": _METHODS[method_of(plan)],
            "pace": _pace(row.options),
            "read again by": _groups(found.get("groups")),
            "edited": f"{count(found['edited'])} are sent as somebody edited them"
            if found.get("edited")
            else None,
            "sent with": _names(found.get("kept_headers")),
            "sent without": _names(found.get("dropped_headers")),
            "keys go by": found.get("partitioner"),
            "compressed": f"{found['compression']}, as a record fits only so"
            if found.get("compression")
            else None,
            "may be there": _doubt(found, state.get("already", 0)),
        }
    )
    if found.get("targets"):
        say()
        _print_targets(found["targets"])
    if refusals:
        say()
        print_table(
            ["not sent", "such as", "because"],
            [[count(n), letter, reason] for reason, n, letter in refusals],
            right=["not sent", "such as"],
        )


def print_plans(plans: Sequence[Plan]) -> None:
    """A line each."""
    print_table(
        ["plan", "made", "state", "to send", "done", "failed", "came back", "title"],
        [
            [
                plan.row.id,
                moment(plan.row.made_us),
                plan.row.state,
                count(plan.counts.to_send),
                count(plan.counts.done),
                count(plan.counts.by_state.get("failed", 0)),
                count(plan.counts.came_back),
                plan.row.title,
            ]
            for plan in plans
        ],
        right=["plan", "to send", "done", "failed", "came back"],
    )


def print_records(records: Sequence[PlanRecord]) -> None:
    """A line each, in the order of sending."""
    print_table(
        ["record", "letter", "state", "on", "key", "came back", "because"],
        [
            [
                record.sequence,
                record.dead_letter,
                record.state + (", edited" if record.edited else ""),
                _place(record),
                record.key_text,
                moment(record.came_back_us),
                record.reason,
            ]
            for record in records
        ],
        right=["record", "letter"],
    )


def record_document(record: PlanRecord) -> dict[str, Any]:
    """One record; the plan's number stands above it."""
    told = asdict(record)
    del told["plan"]
    return told


def _print_targets(targets: dict[str, Any]) -> None:
    print_table(
        ["to", "records", "partitions", "where they were", "by their key", "anywhere", "takes"],
        [
            [
                topic,
                count(target["records"]),
                "it is not there" if target["partitions"] is None else target["partitions"],
                count(target["kept_partition"]),
                count(target["by_key"]),
                count(target["anywhere"]),
                None
                if target["max_message_bytes"] is None
                else f"{count(target['max_message_bytes'])} bytes",
            ]
            for topic, target in targets.items()
        ],
        right=["records", "partitions", "where they were", "by their key", "anywhere", "takes"],
    )


_METHODS = {
    "transactions": "by transactions: each batch lands whole or not at all",
    "ledger": "by the ledger: what is in doubt is looked for on its target before it is sent again",
}

_WORDS = {
    "planned": "to send",
    "refused": "not sent",
    "already": "on their target already",
    "intent": "under way",
    "done": "sent",
    "failed": "failed",
    "unknown": "not known whether sent",
    "cancelled": "cancelled",
}


def _records(plan: Plan) -> str:
    told = [
        f"{count(plan.counts.by_state[state])} {_WORDS[state]}"
        for state in STATES
        if plan.counts.by_state.get(state)
    ]
    return f"{count(plan.counts.total)}: {', '.join(told)}" if told else "0"


def _pace(options: dict[str, Any]) -> str:
    told = []
    if options.get("ramp"):
        wait = options.get("ramp_wait_s", 10)
        told.append(f"first {', then '.join(map(count, options['ramp']))}, {wait:g} s watched each")
    rate = options.get("rate_per_s")
    told.append("no limit" if rate is None else f"{rate:g} records/s")
    share = options.get("stop_share", 0.2)
    told.append("never stops by itself" if share is None else f"stops if {share:.0%} come back")
    return "; ".join(told)


def _groups(groups: dict[str, list[str]] | None) -> str | None:
    if groups is None:
        return None
    told = sorted({name for names in groups.values() for name in names})
    return ", ".join(visible(name) for name in told) or "no consumer group"


def _names(counted: dict[str, int] | None) -> str | None:
    return ", ".join(map(visible, counted)) if counted else None


def _doubt(found: dict[str, Any], already: int) -> str | None:
    told = []
    if found.get("looked_for"):
        told.append(f"{count(found['looked_for'])} were looked for, {count(already)} found")
    if found.get("not_looked_for"):
        why = f" ({found['look_problem']})" if found.get("look_problem") else ""
        told.append(f"{count(found['not_looked_for'])} could not be looked for{why}")
    return "; ".join(told) or None


def _place(record: PlanRecord) -> str | None:
    if record.target_topic is None:
        return None
    partition = record.target_partition if record.partition is None else record.partition
    return (
        record.target_topic
        + ("" if partition is None else f"[{partition}]")
        + ("" if record.offset is None else f"@{record.offset}")
    )
