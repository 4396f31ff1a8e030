"""A run that the agent does, watched through the database."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

from producer_agent.cli import serving
from producer_agent.cli.output import note
from producer_agent.cli.profiles import save
from producer_agent.cli.run_request import LETTERS_TIMEOUT_S, LOOK_EVERY_S, Look, RunRequest
from producer_agent.cli.stop import Stop
from producer_agent.commands import Command, CommandFailed, ask_and_wait, local_user
from producer_agent.delivery.profiles import Profile, ProfileInvalid
from producer_agent.delivery.run_manager import RunRefused, require_usable
from producer_agent.store import profiles
from producer_agent.store.queries.summary import (
    RunProgress,
    letters_of_run,
    newest_run,
    run_progress,
)
from producer_agent.store.reader import Reader

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 90.0
"""A run that is stopped waits for outstanding reports and for the database first."""

ALIVE_EVERY_S = 1.0


def run_in_agent(request: RunRequest, db: Path, stop: Stop, look: Look) -> str:
    """Have the agent run it, and wait for what failed to be stored; returns the run's uuid.

    Raises:
        CommandFailed: the agent refused, or died. ProfileInvalid, RunRefused: it cannot run.
    """
    reader = Reader(db)
    name = request.profile.name
    _have_profile(request, db, reader)
    started_s = time.monotonic()
    arguments = {"profile": name} if request.rate is None else _with_rate(name, request.rate)
    ask_and_wait(db, Command.RUN_START, arguments, who=local_user(), timeout_s=START_TIMEOUT_S)
    run = reader(partial(newest_run, profile=name))
    assert run is not None, "the agent has begun it"
    ended = _watch(request, db, reader, run, started_s, stop, look)
    if not ended:
        _stop(db, reader, run.uuid, name)
    accepted = _progress(reader, run.uuid).accepted
    _wait_for_letters(reader, run.uuid, accepted, stop, look)
    return run.uuid


def _with_rate(name: str, rate: float) -> dict[str, str | float]:
    return {"profile": name, "rate": rate}


def _have_profile(request: RunRequest, db: Path, reader: Reader) -> None:
    """The agent runs what is stored, so what comes from a file has to be there as well."""
    if request.source == "database":
        return
    require_usable(request.profile)
    name = request.profile.name
    row = reader(partial(profiles.get, name=name))
    if row is None:
        note(f"The agent runs stored profiles: {name} is stored.")
        save(db, request.profile)
    elif not _same(row.body, request.profile):
        raise RunRefused(
            f"The agent's profile {name!r} is another than this file's. Store the file's first "
            "(`profiles import FILE --replace`), or give it another name."
        )


def _same(body: str, profile: Profile) -> bool:
    try:
        return Profile.from_json(body) == profile
    except ProfileInvalid:
        return False


def _watch(
    request: RunRequest,
    db: Path,
    reader: Reader,
    run: RunProgress,
    started_s: float,
    stop: Stop,
    look: Look,
) -> bool:
    """Wait for the run's limit or a signal; returns whether the run has ended by itself."""
    limits = request.limits
    next_alive_s = started_s + ALIVE_EVERY_S
    while True:
        now = _progress(reader, run.uuid)
        look(now.accepted, f"{now.accepted - now.settled} open")
        if now.ended_us is not None:
            return True
        spent_s = time.monotonic() - started_s
        stop.at_limit = (limits.events is not None and now.accepted >= limits.events) or (
            limits.seconds is not None and spent_s >= limits.seconds
        )
        if stop.asked or stop.at_limit:
            return False
        if time.monotonic() >= next_alive_s:
            next_alive_s = time.monotonic() + ALIVE_EVERY_S
            if serving.holder(db) is None:
                raise CommandFailed(
                    f"The agent ended while it ran {request.profile.name}. Its next start settles "
                    f"the run ({run.uuid}); `python -m producer_agent serve` starts one."
                )
        time.sleep(LOOK_EVERY_S)


def _stop(db: Path, reader: Reader, uuid: str, name: str) -> None:
    try:
        ask_and_wait(
            db, Command.RUN_STOP, {"profile": name}, who=local_user(), timeout_s=STOP_TIMEOUT_S
        )
    except CommandFailed:
        if _progress(reader, uuid).ended_us is None:
            raise  # else somebody was faster


def _wait_for_letters(reader: Reader, uuid: str, accepted: int, stop: Stop, look: Look) -> None:
    deadline = time.monotonic() + LETTERS_TIMEOUT_S
    while not stop.impatient and time.monotonic() < deadline:
        letters = reader(partial(letters_of_run, uuid=uuid))
        if letters.settled:
            return
        look(accepted, f"dead letters {letters.stored} of {letters.due}")
        time.sleep(LOOK_EVERY_S)


def _progress(reader: Reader, uuid: str) -> RunProgress:
    found = reader(partial(run_progress, uuid=uuid))
    assert found is not None, "runs are never deleted"
    return found
