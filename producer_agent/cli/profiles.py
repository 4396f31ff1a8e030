"""``profiles``: look at them, check one, bring one in, take one out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from producer_agent.cli import profile_files, profiles_judgement
from producer_agent.cli.options import DbOption, JsonOption, settings_for
from producer_agent.cli.output import moment, note, print_json, print_pairs, print_table, say
from producer_agent.cli.profile_files import FoundProfile, NoProfile
from producer_agent.cli.serving import serving_agent
from producer_agent.commands import Command, ask_and_wait, local_user
from producer_agent.delivery.profiles import Problem, Profile, ProfileInvalid
from producer_agent.delivery.shipped_profiles import shipped_profiles
from producer_agent.store import commands as commands_table
from producer_agent.store import facts, profiles
from producer_agent.store.database import open_database
from producer_agent.store.profiles import ProfileRow
from producer_agent.store.queries.profiles import StoredProfile, stored_profiles
from producer_agent.store.reader import Reader

app = typer.Typer(
    help="Producer profiles: list, show, check, import, export.", no_args_is_help=True
)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The profile's name.")]
FileArgument = Annotated[
    Path, typer.Argument(metavar="FILE", help="A profile as JSON; - is standard input.")
]

ConfigurationArgument = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        help="A profile, a Python dict, properties, Spring YAML or JSON; - is standard input.",
    ),
]


@app.command("list")
def list_profiles(as_json: JsonOption = False, db: DbOption = None) -> None:
    """List the profiles; without a database, those that are shipped.

    Exit codes: 0 done; 1 the database cannot be read; 2 bad usage.
    """
    path = settings_for(db).db
    if path.exists():
        reader = Reader(path)
        rows = {row.name: row for row in reader(profiles.all_profiles)}
        running = _running(reader) if serving_agent(path) else frozenset()
        documents = [
            _entry(stored, rows[stored.name], stored.name in running)
            for stored in reader(stored_profiles)
            if stored.name in rows
        ]
    else:
        note(f"There is no database at {path} yet: these are the profiles that are shipped.")
        documents = [_shipped_entry(profile) for profile in shipped_profiles()]
    if as_json:
        print_json({"profiles": documents})
        return
    print_table(
        ["profile", "acks", "topic", "rate/s", "running", "starts with agent", "description"],
        [
            [
                entry["name"],
                entry["acks"],
                entry["topic"],
                entry["rate_per_s"],
                _yes(entry["running"]),
                _yes(entry["starts_with_agent"]),
                entry["unusable"] or entry["description"],
            ]
            for entry in documents
        ],
        right=["rate/s"],
    )


@app.command()
def show(name: NameArgument, as_json: JsonOption = False, db: DbOption = None) -> None:
    """Show a profile, what is wrong with it, and its last run.

    Exit codes: 0 done; 1 there is no such profile; 2 bad usage.
    """
    path = settings_for(db).db
    found = profile_files.find(path, name)
    profile, problems = _checked(found.body)
    last_run = None
    if found.source == "database":
        stored = {row.name: row for row in Reader(path)(stored_profiles)}
        last_run = stored[name].last_run if name in stored else None
    document = {
        "name": name,
        "source": found.source,
        "rate_set": found.rate,
        "profile": None if profile is None else json.loads(profile.to_json()),
        "problems": [asdict(problem) for problem in problems],
        "last_run": None
        if last_run is None
        else {
            "run": last_run.uuid,
            "started_us": last_run.started_us,
            "ended_us": last_run.ended_us,
            "end_reason": last_run.end_reason,
            "accepted": last_run.accepted,
            "settled": last_run.settled,
        },
    }
    if as_json:
        print_json(document)
        return
    if profile is not None:
        _print_profile(profile, found)
    _print_problems(problems)
    if last_run is not None:
        how = f"ended {moment(last_run.ended_us)}" if last_run.ended_us else "not ended"
        say(
            f"last run {last_run.uuid}: began {moment(last_run.started_us)}, {how}, "
            f"{last_run.accepted:,} accepted"
        )


@app.command()
def validate(file: ConfigurationArgument, as_json: JsonOption = False) -> None:
    """Check a profile, or a producer configuration in Python, properties, YAML or JSON.

    Each setting is judged: refused by librdkafka, unknown, Java's only, without effect,
    dangerous, a default, or fine; with what to write instead, and a corrected configuration.

    Exit codes: 0 it can be run (there may be warnings and dangerous settings); 1 it cannot, or
    cannot be read; 2 bad usage.
    """
    text = profile_files.read_text(file)
    judgement, unreadable = profiles_judgement.judged(text)
    is_profile = judgement is not None and judgement.format == "profile"
    profile: Profile | None = None
    problems = [] if unreadable is None else [unreadable]
    if is_profile:
        profile, problems = _checked(text)
    valid = not _errors(problems) and (is_profile or bool(judgement and judgement.runnable))
    if as_json:
        print_json(
            {
                "file": str(file),
                "valid": valid,
                "profile": None if profile is None else profile.name,
                "problems": [asdict(problem) for problem in problems],
            }
            | profiles_judgement.document(judgement, unreadable)
        )
    else:
        _print_problems(problems)
        if judgement is not None:
            profiles_judgement.print_judgement(str(file), judgement)
        if valid and profile is not None:
            say(f"{file}: profile {profile.name} can be run.")
    if not valid:
        raise typer.Exit(1)


@app.command("import")
def import_profile(
    file: FileArgument,
    replace: Annotated[
        bool, typer.Option("--replace", help="Take the place of a different one of this name.")
    ] = False,
    as_json: JsonOption = False,
    db: DbOption = None,
) -> None:
    """Check a profile file and store it; it takes effect when the profile is next started.

    Exit codes: 0 it is stored; 1 it cannot be run, or a different one of this name is there and
    --replace was not given; 2 bad usage.
    """
    path = settings_for(db).db
    profile, problems = _checked(profile_files.read_text(file))
    if profile is None or _errors(problems):
        raise ProfileInvalid(_errors(problems))
    for problem in problems:
        note(f"{problem.severity}: {problem}")
    before = _stored(path, profile.name)
    change = "added" if before is None else "replaced"
    if before is not None and _same(before.body, profile):
        change = "unchanged"
    elif before is not None and not replace:
        raise NoProfile(
            f"There is a different profile {profile.name!r} already (`profiles show "
            f"{profile.name}`). Give --replace to have this one take its place, or change its name."
        )
    if change != "unchanged":
        save(path, profile)
    if as_json:
        print_json({"profile": profile.name, "change": change})
    else:
        say(f"Profile {profile.name} {change} in {path}.")


@app.command()
def export(
    name: NameArgument,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write to this file, not to stdout.")
    ] = None,
    db: DbOption = None,
) -> None:
    """Write a profile's JSON, as import takes it.

    Exit codes: 0 done; 1 there is no such profile, or the file cannot be written; 2 bad usage.
    """
    body = profile_files.find(settings_for(db).db, name).body
    if output is None:
        typer.echo(body, nl=False)
    else:
        output.write_text(body, encoding="utf-8")
        note(f"Profile {name} written to {output}.")


def save(path: Path, profile: Profile) -> None:
    """Store a profile: by the agent, if one serves the database, else here.

    Raises:
        CommandFailed, DatabaseBusy: the agent did not do it. StoreError: as it says.
    """
    body = {"body": profile.to_json()}
    if serving_agent(path) is not None:
        ask_and_wait(path, Command.PROFILE_SAVE, body, who=local_user())
        return
    db = open_database(path)
    try:
        # Written as a command that was done, since that table is the audit log.
        with db.atomic():
            command = commands_table.insert(
                db, Command.PROFILE_SAVE.value, body, local_user(), "no agent was running"
            )
            profiles.save(db, profile.name, profile.to_json())
            commands_table.settle(db, command, "done", {"profile": profile.name, "running": False})
    finally:
        db.close()


def _checked(body: str) -> tuple[Profile | None, list[Problem]]:
    try:
        profile = Profile.from_json(body)
    except ProfileInvalid as error:
        return None, list(error.problems)
    return profile, profile_files.problems_of(profile)


def _errors(problems: Sequence[Problem]) -> list[Problem]:
    return [problem for problem in problems if problem.severity == "error"]


def _stored(path: Path, name: str) -> ProfileRow | None:
    return Reader(path)(partial(profiles.get, name=name)) if path.exists() else None


def _same(body: str, profile: Profile) -> bool:
    try:
        return Profile.from_json(body) == profile
    except ProfileInvalid:
        return False


def _running(reader: Reader) -> frozenset[str]:
    fact = reader(lambda db: facts.get(db, "runs"))
    return frozenset() if fact is None else frozenset(run["profile"] for run in fact.body)


def _entry(stored: StoredProfile, row: ProfileRow, running: bool) -> dict[str, Any]:
    try:
        profile = Profile.from_json(stored.body)
    except ProfileInvalid as error:
        return _document(stored.name, None, shipped=stored.shipped) | {"unusable": str(error)}
    entry = _document(stored.name, profile, shipped=stored.shipped)
    entry["running"] = running
    if row.wanted is not None:
        entry["starts_with_agent"] = row.wanted
    if row.rate is not None:
        entry["rate_per_s"] = row.rate
    return entry


def _shipped_entry(profile: Profile) -> dict[str, Any]:
    return _document(profile.name, profile, shipped=True)


def _document(name: str, profile: Profile | None, *, shipped: bool) -> dict[str, Any]:
    return {
        "name": name,
        "description": profile.description if profile else None,
        "acks": profile.acks_label if profile else None,
        "topic": profile.workload.topic if profile else None,
        "rate_per_s": profile.workload.rate_per_s if profile else None,
        "shipped": shipped,
        "running": False,
        "starts_with_agent": profile.active if profile else False,
        "unusable": None,
    }


def _print_profile(profile: Profile, found: FoundProfile) -> None:
    workload, objective = profile.workload, profile.objective
    print_pairs(
        {
            "profile": f"{profile.name} ({found.source})",
            "description": profile.description or None,
            "topic": f"{workload.topic}, {workload.partitions} partitions, replication factor "
            f"{workload.replication_factor}, min.insync.replicas {workload.min_insync_replicas}",
            "load": f"{workload.rate_per_s:g} events/s of about {workload.payload_bytes} bytes"
            + ("" if found.rate is None else f", now set to {found.rate:g}/s"),
            "faults": f"{workload.faults.total:.4%} of the events are made to fail",
            "objective": _objective(objective.success_ratio, objective.latency_p99_ms),
        }
    )
    say()
    print_pairs(
        {
            name: str(value).lower() if isinstance(value, bool) else value
            for name, value in profile.producer.librdkafka().items()
        }
    )


def _objective(success_ratio: float | None, latency_p99_ms: float | None) -> str | None:
    parts = [
        *([] if success_ratio is None else [f"{success_ratio * 100:g} % delivered"]),
        *([] if latency_p99_ms is None else [f"p99 within {latency_p99_ms:g} ms"]),
    ]
    return ", ".join(parts) or None


def _print_problems(problems: Sequence[Problem]) -> None:
    for problem in problems:
        say(f"{problem.severity}: {problem}")


def _yes(value: bool) -> str:
    return "yes" if value else "no"
