"""``audit``: what a run claimed, held against what is on its topics."""

from __future__ import annotations

import time
from functools import partial
from typing import Annotated, Any, Final

import typer

from producer_agent.cli.connection import reached_by
from producer_agent.cli.options import DbOption, JsonOption, settings_for
from producer_agent.cli.output import count, fail, print_json, print_table, say
from producer_agent.cli.progress import progress_bar
from producer_agent.cli.stop import stopping_on_signals
from producer_agent.durability import words
from producer_agent.durability.audit import AuditImpossible
from producer_agent.durability.recorded import audit_run
from producer_agent.durability.verdicts import Claim, Found, Kind, Matrix
from producer_agent.store.queries import audits as queries
from producer_agent.store.queries import run_claims
from producer_agent.store.queries.audits import AuditRow
from producer_agent.store.queries.run_claims import RunRecord
from producer_agent.store.reader import Reader
from producer_agent.store.writer import Writer

LISTED: Final = 100
"""Events of each kind that are told one by one, unless asked for more."""

_CLAIMS: Final = {
    Claim.DELIVERED: "delivered",
    Claim.UNCONFIRMED: "unconfirmed (acks=0)",
    Claim.FAILED: "failed, not stored",
    Claim.IN_DOUBT: "failed, in doubt",
    Claim.REJECTED: "rejected",
    Claim.UNRESOLVED: "unresolved",
    Claim.NONE: "no outcome yet",
}
_FOUND: Final = {
    Found.ONCE: "once",
    Found.MORE: "more than once",
    Found.ABSENT: "absent",
    Found.TRIMMED: "trimmed",
    Found.COMPACTED: "compacted",
    Found.UNSEEN: "not read",
}


def audit(
    run: Annotated[
        str | None,
        typer.Argument(metavar="[RUN]", help="The run's id, or how it begins."),
    ] = None,
    last: Annotated[bool, typer.Option("--last", help="The run that began last.")] = False,
    profile: Annotated[
        str | None, typer.Option("--profile", metavar="NAME", help="With --last: of this profile.")
    ] = None,
    listed: Annotated[
        int, typer.Option("--list", metavar="N", min=0, help="List N events of each kind.")
    ] = LISTED,
    as_json: JsonOption = False,
    db: DbOption = None,
) -> None:
    """Read a run's topics back, and tell what was truly kept, lost, doubled or out of order.

    A run that goes on is held against what is there by now. Ctrl-C ends the reading and judges
    what was read. One that was killed goes on where it was.

    Exit codes: 0 nothing that was acknowledged is known to be lost, and everything was read;
    1 something was lost, or not everything could be read, or there is nothing to read; 2 bad
    usage.
    """
    if (run is None) is not last:
        raise typer.BadParameter("give a run, or --last")
    if profile is not None and not last:
        raise typer.BadParameter("--profile goes with --last")
    settings = settings_for(db)
    reader = Reader(settings.db)
    found = _run(reader, run, profile)
    connection = reached_by(settings, reader).connection
    began = time.monotonic()
    with (
        stopping_on_signals() as stop,
        progress_bar(f"reading {found.topic} back", quiet=as_json, total=1.0) as bar,
        Writer(settings.db) as writer,
    ):
        try:
            number = audit_run(
                connection,
                reader,
                writer,
                found,
                stopped=lambda: stop.asked,
                progress=lambda share: bar(share, f"{share:.0%}"),
            )
        except AuditImpossible as error:
            fail(str(error))
    took_s = time.monotonic() - began
    made = reader(partial(queries.audit, audit_id=number))
    assert made is not None
    assert made.matrix is not None
    matrix = Matrix.from_json(made.matrix)
    if as_json:
        print_json(_document(reader, made, matrix, found, listed, took_s))
    else:
        _print(reader, made, matrix, found, listed, took_s)
    if matrix.lost or made.state != "done":
        raise typer.Exit(1)


def _run(reader: Reader, run: str | None, profile: str | None) -> RunRecord:
    if run is None:
        found = reader(partial(run_claims.latest_run, profile=profile))
        if found is None:
            of = "" if profile is None else f" of {profile!r}"
            fail(f"There is no run{of} yet. `run PROFILE` makes one.")
        return found
    named = reader(partial(run_claims.runs_named, uuid=run))
    if not named:
        fail(f"There is no run {run}. `run` and the pages tell their ids; or use --last.")
    if len(named) > 1:
        fail(f"Several runs begin with {run}: give more of the id.")
    return named[0]


def _headline(reader: Reader, made: AuditRow, matrix: Matrix) -> str:
    lost = reader(partial(queries.findings, audit_id=made.id, kind=Kind.LOST.word, limit=1_000_000))
    return words.headline(made.profile, matrix, lost, complete=made.state == "done")


def _document(
    reader: Reader, made: AuditRow, matrix: Matrix, run: RunRecord, listed: int, took_s: float
) -> dict[str, Any]:
    return {
        "audit": made.id,
        "run": made.run,
        "profile": made.profile,
        "acks": made.acks,
        "state": made.state,
        "not_known": made.reason,
        "headline": _headline(reader, made, matrix),
        "run_ended": run.ended_us is not None,
        "accepted": made.accepted,
        "acknowledged": matrix.of(Claim.DELIVERED),
        "kept": matrix.kept,
        "lost": matrix.lost,
        "unknown": matrix.unknown,
        "duplicated": matrix.duplicated,
        "phantoms": matrix.phantoms,
        "matrix": made.matrix,
        "records": made.records,
        "seconds": round(took_s, 3),
        "places": made.places,
        "findings": {
            kind.word: [
                {
                    "sequence": row.sequence,
                    "claim": row.claim,
                    "sent_us": row.sent_us,
                    "topic": row.topic,
                    "partition": row.partition,
                    "offset": row.offset,
                    "found": [list(at) for at in row.found],
                }
                for row in reader(
                    partial(queries.findings, audit_id=made.id, kind=kind.word, limit=listed)
                )
            ]
            for kind in Kind
        },
    }


def _print(
    reader: Reader, made: AuditRow, matrix: Matrix, run: RunRecord, listed: int, took_s: float
) -> None:
    say(_headline(reader, made, matrix))
    if made.reason is not None:
        say(f"Incomplete: {made.reason}")
    say()
    columns = [found for found in _FOUND if matrix.of(found=found)]
    print_table(
        ["claimed", *(_FOUND[found] for found in columns)],
        [
            [name, *(count(matrix.of(claim, found)) for found in columns)]
            for claim, name in _CLAIMS.items()
            if matrix.of(claim)
        ],
        right=[_FOUND[found] for found in columns],
    )
    notes = words.notes(matrix, ended=run.ended_us is not None)
    if notes:
        say()
    for line in notes:
        say(f"  - {line}")
    for kind in Kind:
        rows = reader(partial(queries.findings, audit_id=made.id, kind=kind.word, limit=listed))
        if rows:
            say(f"\n{kind.word.replace('_', ' ')} (the first {count(len(rows))})")
            print_table(
                ["sequence", "claimed", "reported at", "found at"],
                [
                    [
                        row.sequence,
                        row.claim,
                        None if row.topic is None else _at(row.topic, row.partition, row.offset),
                        ", ".join(_at(*at) for at in row.found) or "nowhere",
                    ]
                    for row in rows
                ],
                right=["sequence"],
            )
    say(
        f"\nRun {made.run} (acks={made.acks}): {count(made.records)} records read in "
        f"{took_s:.1f} s."
    )


def _at(topic: str, partition: int | None, offset: int | None) -> str:
    return f"{topic}[{partition}]" + ("" if offset is None else f"@{offset}")
