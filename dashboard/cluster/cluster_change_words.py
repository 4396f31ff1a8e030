"""What changed on the cluster, in plain words for one line of a table. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dashboard.formats import count, duration
from producer_agent.store.queries.cluster_changes import ChangeRow

_MOVES = {
    "leaders_changed": "leader",
    "isr_shrank": "in sync, fewer",
    "isr_grew": "in sync, more",
    "replicas_changed": "replicas",
}
_LISTED_MOVES = 3
_LISTED_PARTITIONS = 6


def what(row: ChangeRow) -> str:
    """What happened: ``Broker 2 left``, ``leader: 0, 3 from 1 to 2``."""
    detail = row.detail
    match row.kind:
        case "watch_began":
            return f"Watching began with {_brokers(detail)}"
        case "cluster_unreachable":
            return f"No broker answered: {detail.get('error', 'no reason was given')}"
        case "cluster_reachable":
            return f"Brokers answer again: {_brokers(detail)}"
        case "broker_joined":
            return f"Broker {row.broker} came ({detail.get('address', 'address not told')})"
        case "broker_left":
            return f"Broker {row.broker} left ({detail.get('address', 'address not told')})"
        case "controller_changed":
            return f"The controller moved from broker {detail['before']} to {detail['after']}"
        case "topic_created" | "topic_deleted" if "topics" in detail:
            done = "created" if row.kind == "topic_created" else "deleted"
            return f"{count(detail['topics'])} topics were {done}"
        case "topic_created":
            return (
                f"Created with {_partitions(detail['partitions'])}, "
                f"replication factor {detail['replication_factor']}"
            )
        case "topic_deleted":
            return f"Deleted, or no longer seen ({_partitions(detail['partitions'])})"
        case "partitions_added" if "topics" in detail:
            return f"{count(detail['topics'])} topics have more partitions"
        case "partitions_added":
            return f"From {count(detail['before'])} to {_partitions(detail['after'])}"
        case "setting_changed":
            return f"{detail['name']} from {detail['before']} to {detail['after']}"
        case kind if kind in _MOVES:
            return _moved(_MOVES[kind], row.partitions or 0, detail)
    return row.kind.replace("_", " ")


def about(row: ChangeRow) -> str:
    """What it is about: a topic, ``broker 2``, ``the cluster``."""
    if row.topic is not None:
        return row.topic
    if "topics" in row.detail:
        return f"{count(row.detail['topics'])} topics"
    return "the cluster" if row.broker is None else f"broker {row.broker}"


def within(row: ChangeRow) -> str:
    """How exactly its time is known: looks are that far apart."""
    if row.after_us is None:
        return "first look"
    seconds = (row.at_us - row.after_us) / 1e6
    return f"{seconds:.1f} s" if seconds < 10 else duration(seconds)


def _moved(noun: str, n: int, detail: Mapping[str, Any]) -> str:
    moves: Mapping[str, Any] = detail.get("moves", {})
    told = [_move(move, of) for move, of in list(moves.items())[:_LISTED_MOVES]]
    more = len(moves) - len(told)
    rest = f"; and {count(more)} other moves" if more > 0 else ""
    return f"{_partitions(n)}, {noun}: {'; '.join(told)}{rest}"


def _move(move: str, of: Any) -> str:
    before, _, after = move.partition(" > ")
    ids = f"{count(of)} of them" if isinstance(of, int) else _ids(of)
    return f"{ids} from {_spaced(before)} to {_spaced(after)}"


def _ids(partitions: list[int]) -> str:
    shown = ", ".join(map(str, partitions[:_LISTED_PARTITIONS]))
    more = len(partitions) - _LISTED_PARTITIONS
    return f"{shown} and {count(more)} more" if more > 0 else shown


def _spaced(ids: str) -> str:
    return ids.replace(",", "+")


def _partitions(n: int) -> str:
    return f"{count(n)} partition{'' if n == 1 else 's'}"


def _brokers(detail: Mapping[str, Any]) -> str:
    ids = detail.get("brokers", [])
    if len(ids) > 12:
        return f"{count(len(ids))} brokers"
    return f"broker{'' if len(ids) == 1 else 's'} {', '.join(map(str, ids)) or 'none'}"
