"""``status``: is the agent alive, and what is it doing?"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import typer
from sqlite_utils import Database

from producer_agent.cli import serving
from producer_agent.cli.options import DbOption, JsonOption, settings_for
from producer_agent.cli.output import count, duration, note, print_json, print_pairs, print_table
from producer_agent.cli.serving import SILENT_AFTER_S, silence_s
from producer_agent.lock import Holder
from producer_agent.store import facts
from producer_agent.store.clock import now_us
from producer_agent.store.facts import Fact
from producer_agent.store.queries import cluster as cluster_queries
from producer_agent.store.queries.cluster import JobRow
from producer_agent.store.reader import Reader


@dataclass(frozen=True, slots=True)
class _Seen:
    agent: Fact | None
    cluster: Fact | None
    runs: Fact | None
    letters: Fact | None
    jobs: tuple[JobRow, ...]


def status(as_json: JsonOption = False, db: DbOption = None) -> None:
    """Tell whether the agent is alive, and its cluster, runs, outbox and jobs.

    Exit codes: 0 the agent is alive and the cluster reachable; 1 the agent is silent, or the
    cluster cannot be reached, or the database cannot be read; 2 bad usage.
    """
    path = settings_for(db).db
    document = _document(str(path), Reader(path)(_see), serving.holder(path))
    if as_json:
        print_json(document)
    else:
        _print(document)
    for trouble in document["troubles"]:
        note(trouble)
    if not document["healthy"]:
        raise typer.Exit(1)


def _see(db: Database) -> _Seen:
    agent, cluster, runs, letters = (
        facts.get(db, name) for name in ("agent", "cluster", "runs", "letters")
    )
    return _Seen(agent, cluster, runs, letters, cluster_queries.jobs(db))


def _document(path: str, seen: _Seen, holder: Holder | None) -> dict[str, Any]:
    agent = _agent(seen.agent, holder)
    cluster = _cluster(seen.cluster, fresh=agent["alive"])
    letters = seen.letters.body if seen.letters is not None else {}
    troubles = _troubles(agent, cluster, path, holder)
    return {
        "healthy": agent["alive"] and cluster["reachable"] is True,
        "troubles": troubles,
        "db": path,
        "agent": agent,
        "cluster": cluster,
        # What a silent agent last said of its runs says nothing of now.
        "runs": seen.runs.body if seen.runs is not None and agent["alive"] else [],
        "outbox": {
            "topic": letters.get("topic"),
            "waiting": letters.get("outbox_waiting"),
            "since_us": letters.get("outbox_since_us"),
            "behind": letters.get("behind"),
            "publisher_error": letters.get("publisher_error"),
            "consumer_error": letters.get("consumer_error"),
        },
        "jobs": [asdict(job) for job in seen.jobs],
    }


def _agent(fact: Fact | None, holder: Holder | None) -> dict[str, Any]:
    if fact is None:
        body, age_s = {}, None
    else:
        body, age_s = fact.body, silence_s(fact)
    alive = (
        holder is not None
        and holder.pid == body.get("pid")
        and age_s is not None
        and age_s <= SILENT_AFTER_S
    )
    return {
        "alive": alive,
        "state": body.get("state") if alive else "stopped" if holder is None else "silent",
        "pid": body.get("pid"),
        "host": body.get("host"),
        "version": body.get("version"),
        "started_us": body.get("started_us"),
        "uptime_s": round((now_us() - body["started_us"]) / 1e6, 1) if alive else None,
        "heartbeat_us": None if fact is None else fact.at_us,
        "heartbeat_age_s": None if age_s is None else round(age_s, 3),
        "backlog": body.get("backlog"),
        "blocked": body.get("blocked"),
        "messages": body.get("messages", []),
    }


def _cluster(fact: Fact | None, *, fresh: bool) -> dict[str, Any]:
    body = {} if fact is None else fact.body
    return {
        "kind": body.get("kind"),
        "bootstrap_servers": body.get("bootstrap_servers"),
        "cluster_id": body.get("cluster_id"),
        "reachable": body.get("reachable") if fresh else None,
        "since_us": body.get("since_us"),
        "error": body.get("error"),
        "brokers": len(body.get("brokers", [])),
        "topics": len(body.get("topics", [])),
        "problems": body.get("problems", []),
    }


def _troubles(
    agent: dict[str, Any], cluster: dict[str, Any], path: str, holder: Holder | None
) -> list[str]:
    """What is wrong, in words, each with its mend."""
    if agent["alive"]:
        found = list(agent["messages"])
        if agent["blocked"]:
            found.append(f"The agent cannot write the database: {agent['blocked']}")
        if cluster["reachable"] is False:
            found.append(
                f"The cluster at {cluster['bootstrap_servers']} cannot be reached: "
                f"{cluster['error']}"
            )
        elif cluster["reachable"] is None:
            found.append("The agent has just begun and has not looked at the cluster yet.")
        found += [
            f"{problem['topic']}: {problem['message']}"
            + (f" Mend: {problem['mend']}" if problem["mend"] else "")
            for problem in cluster["problems"]
        ]
        return found
    if holder is None:
        return [
            f"No agent serves {path}. Start one with `python -m producer_agent serve`, or open "
            "the dashboard, which starts its own."
        ]
    if holder.pid != agent["pid"]:
        return [
            f"Pid {holder.pid} on {holder.host} has {path} and is no agent (yet): most likely "
            "`run` in another terminal, or an agent that has just begun."
        ]
    return [
        f"The agent (pid {holder.pid} on {holder.host}) is there and silent: its last heartbeat "
        f"was {duration(agent['heartbeat_age_s'])} ago. Look at its log; if it hangs, end it with "
        f"`kill {holder.pid}` and start it again."
    ]


def _print(document: dict[str, Any]) -> None:
    agent, cluster, outbox = document["agent"], document["cluster"], document["outbox"]
    print_pairs(
        {
            "database": document["db"],
            "agent": agent["state"]
            + (f", pid {agent['pid']} on {agent['host']}" if agent["alive"] else ""),
            "uptime": duration(agent["uptime_s"]) if agent["alive"] else None,
            "heartbeat": None
            if agent["heartbeat_age_s"] is None
            else f"{duration(agent['heartbeat_age_s'])} ago",
            "cluster": None
            if cluster["kind"] is None
            else f"{cluster['kind']} at {cluster['bootstrap_servers']}: "
            + _REACHABLE[cluster["reachable"]]
            + f", brokers {cluster['brokers']}, topics {cluster['topics']}",
            "outbox": None
            if outbox["waiting"] is None
            else f"{count(outbox['waiting'])} waiting for {outbox['topic']}",
        }
    )
    if document["runs"]:
        print_table(
            ["run of", "acks", "topic", "rate/s", "accepted", "outstanding", "paused because"],
            [
                [
                    run["profile"],
                    run["acks"],
                    run["topic"],
                    f"{run['rate']:g}",
                    count(run["accepted"]),
                    count(run["outstanding"]),
                    run["paused_because"],
                ]
                for run in document["runs"]
            ],
            right=["rate/s", "accepted", "outstanding"],
        )
    if document["jobs"]:
        print_table(
            ["job", "last run", "state", "detail"],
            [
                [
                    job["name"],
                    f"{duration((now_us() - job['last_run_us']) / 1e6)} ago",
                    job["last_state"],
                    job["detail"],
                ]
                for job in document["jobs"]
            ],
        )


_REACHABLE = {True: "reachable", False: "not reachable", None: "not known"}
