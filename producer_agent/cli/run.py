"""``run``: one profile from start to stop, and what became of its events."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from producer_agent.cli import profile_files
from producer_agent.cli.agent_run import run_in_agent
from producer_agent.cli.deliveries import latencies_ms
from producer_agent.cli.local_run import run_here
from producer_agent.cli.options import DbOption, JsonOption, seconds_of, settings_for
from producer_agent.cli.output import (
    count,
    duration,
    fail,
    latency,
    moment,
    print_json,
    print_pairs,
)
from producer_agent.cli.progress import progress_bar
from producer_agent.cli.run_request import Look, RunRequest
from producer_agent.cli.serving import serving_agent
from producer_agent.cli.stop import Stop, stopping_on_signals
from producer_agent.delivery.profiles import Profile
from producer_agent.delivery.run import RunLimits
from producer_agent.settings import Settings
from producer_agent.store.queries.summary import OUTCOMES, RunSummary, run_summary
from producer_agent.store.reader import Reader


def run(
    profile: Annotated[
        str,
        typer.Argument(
            metavar="PROFILE", help="A profile's name (stored or shipped), or its FILE.json."
        ),
    ],
    events: Annotated[
        int | None, typer.Option("--count", metavar="N", min=1, help="End after N events.")
    ] = None,
    length: Annotated[
        str | None,
        typer.Option("--duration", metavar="S", help="End after S seconds; also 90s, 5m, 1h."),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(metavar="R", min=0.001, max=100_000, help="Events a second, not its own."),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 1 also if an event failed or was rejected.")
    ] = False,
    as_json: JsonOption = False,
    db: DbOption = None,
) -> None:
    """Run a profile until its limit, Ctrl-C or SIGTERM; then tell what became of every event.

    Where an agent serves the database, it does the run (and may send some events more than
    --count, which it is stopped at); else it is done in this process. What fails goes to the
    dead-letter queue either way. With neither limit it runs until it is stopped.

    Exit codes: 0 it ran, and every accepted event has an outcome; a failed event is a finding,
    not an error of the command, unless --strict. 1 it could not run, or broke, or was ended
    before its limit by somebody else, or left events unresolved, or left failures that are not on
    the dead-letter topic yet; with --strict, also if an event failed or was rejected. 2 bad usage.
    """
    settings = settings_for(db)
    _log_to_stderr(settings)
    limits = RunLimits(events, None if length is None else seconds_of(length))
    request = _request(profile, settings.db, limits, rate)
    with stopping_on_signals() as stop, _progress(request, as_json) as look:
        if serving_agent(settings.db) is None:
            where, uuid = "this process", run_here(request, settings, stop, look)
        else:
            where, uuid = "agent", run_in_agent(request, settings.db, stop, look)
    found = Reader(settings.db)(partial(run_summary, uuid=uuid))
    assert found is not None, "runs are never deleted"
    if as_json:
        print_json(_document(found, where, request))
    else:
        _print(found, where, request)
    _judge(found, stop, strict)


def _request(profile: str, db: Path, limits: RunLimits, rate: float | None) -> RunRequest:
    if profile_files.is_file_name(profile):
        parsed = Profile.from_json(profile_files.read_text(Path(profile)))
        return RunRequest(parsed, "file", limits, rate)
    found = profile_files.find(db, profile)
    return RunRequest(
        Profile.from_json(found.body),
        found.source,
        limits,
        rate if rate is not None else found.rate,
    )


def _judge(found: RunSummary, stop: Stop, strict: bool) -> None:
    """Exit with 1, and say why, if the run did not do what was asked."""
    unresolved = found.accepted - sum(found.outcomes.values()) + found.outcomes["unresolved"]
    lost = found.outcomes["failed"] + found.outcomes["rejected"]
    if found.end_reason is None or found.end_reason.startswith(("broke", "did not start")):
        fail(f"The run broke: {found.end_reason}")
    if unresolved:
        fail(
            f"{count(unresolved)} events have no report: they may or may not be on "
            f"{found.topic}. Look at the cluster; `deliveries` in the database names them."
        )
    if found.end_reason != "complete" and not stop.asked and not stop.at_limit:
        fail(f"The run was ended by somebody else: {found.end_reason}.")
    if not found.letters.settled:
        fail(
            f"{count(found.letters.due - found.letters.published)} failed events still wait for "
            "the dead-letter topic and are kept in the database: the next agent on it sends them "
            "(`python -m producer_agent serve`)."
        )
    if strict and lost:
        fail(f"{count(lost)} events failed or were rejected, and --strict was given.")


def _log_to_stderr(settings: Settings) -> None:
    # A run of minutes has a progress bar to show; its log is for when it was asked for.
    level = settings.log_level if "ACKBOARD_LOG_LEVEL" in os.environ else "WARNING"
    logging.basicConfig(level=level, format="%(levelname)-7s %(name)s: %(message)s")


@contextmanager
def _progress(request: RunRequest, as_json: bool) -> Iterator[Look]:
    limits = request.limits
    total = limits.events if limits.events is not None else limits.seconds
    began_s = time.monotonic()
    with progress_bar(request.profile.name, quiet=as_json, total=total) as move:

        def look(accepted: int, state: str) -> None:
            spent_s = time.monotonic() - began_s
            done = accepted if limits.events is not None else spent_s
            move(done, f"{count(accepted)} accepted, {duration(spent_s)}, {state}")

        yield look


def _document(found: RunSummary, where: str, request: RunRequest) -> dict[str, Any]:
    return {
        "run": found.uuid,
        "profile": found.profile,
        "acks": found.acks,
        "topic": found.topic,
        "ran_in": where,
        "started_us": found.started_us,
        "ended_us": found.ended_us,
        "end_reason": found.end_reason,
        "accepted": found.accepted,
        **found.outcomes,
        "not_sent": found.not_sent,
        "rate_asked": request.wanted_rate,
        "rate_reached": None if found.rate_reached is None else round(found.rate_reached, 3),
        "latency_ms": latencies_ms(found.quantiles_us),
        "dead_letters": {
            "due": found.letters.due,
            "published": found.letters.published,
            "stored": found.letters.stored,
        },
    }


def _print(found: RunSummary, where: str, request: RunRequest) -> None:
    told = latencies_ms(found.quantiles_us) or {}
    print_pairs(
        {
            "run": f"{found.uuid} of {found.profile} (acks={found.acks}) to {found.topic}, in "
            + ("the agent" if where == "agent" else where),
            "began": moment(found.started_us),
            "ended": f"{moment(found.ended_us)}, {found.end_reason}",
            "accepted": count(found.accepted),
            **{
                outcome: count(found.outcomes[outcome])
                for outcome in OUTCOMES
                if found.outcomes[outcome] or outcome in _ALWAYS
            },
            "not sent": f"{count(found.not_sent)} were due while it was paused"
            if found.not_sent
            else None,
            "rate": None
            if found.rate_reached is None
            else f"{found.rate_reached:.1f}/s reached, {request.wanted_rate:g}/s asked",
            "latency": f"p50 {latency(told['p50'])}, p99 {latency(told['p99'])}" if told else None,
            "dead letters": f"{count(found.letters.due)} due, {count(found.letters.published)} "
            f"published, {count(found.letters.stored)} ready for triage"
            if found.letters.due
            else None,
        }
    )


_ALWAYS = ("failed", "rejected", "unresolved")
