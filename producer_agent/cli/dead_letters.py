"""``dead-letters``: list them, and show one whole; the other commands have files of their own."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated, Any

import typer
from sqlite_utils import Database

from producer_agent.cli import dead_letter_topics, dead_letters_triage
from producer_agent.cli.dead_letters_export import export
from producer_agent.cli.dead_letters_groups import list_groups
from producer_agent.cli.letter_filter import LetterOptions, choosing_letters
from producer_agent.cli.options import DbOption, JsonOption, settings_for
from producer_agent.cli.output import (
    as_base64,
    count,
    fail,
    moment,
    print_json,
    print_pairs,
    print_table,
    say,
    visible,
)
from producer_agent.dead_letters.conventions import Decoded
from producer_agent.dead_letters.stored import decoded_of
from producer_agent.store.queries import dead_letters as queries
from producer_agent.store.queries.dead_letters import Letter, ReplayRow
from producer_agent.store.queries.letter_history import HistoryEntry, history
from producer_agent.store.reader import Reader

app = typer.Typer(help="What failed, and why.", no_args_is_help=True)

SHOWN_BYTES = 4_096
"""What is printed of a payload; --json has the whole."""


@app.callback()
def _root() -> None:
    """What failed, and why."""


@app.command("list")
@choosing_letters
def list_letters(
    chosen: LetterOptions,
    sort: Annotated[
        str, typer.Option(help=f"By what: {', '.join(queries.SORTS)}; the highest first.")
    ] = "stored",
    ascending: Annotated[
        bool, typer.Option("--ascending", help="The lowest, or the first stored, first.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many rows.")] = 50,
    as_json: JsonOption = False,
    db: DbOption = None,
) -> None:
    """List dead letters, the latest first, and count all that match by cause.

    Exit codes: 0 done (also when none match); 1 the database cannot be read; 2 bad usage, such
    as a cause that fits none or several.
    """
    by = next((known for known in queries.SORTS if known == sort), None)
    if by is None:
        raise typer.BadParameter(
            f"A list cannot be sorted by {sort!r}, but by: {', '.join(queries.SORTS)}."
        )
    reader = Reader(settings_for(db).db)
    wanted = chosen.filter(reader)

    def ask(db: Database) -> tuple[queries.LetterSummary, tuple[queries.LetterRow, ...]]:
        return (
            queries.summary(db, wanted),
            queries.page(db, wanted, limit=limit, sort=by, descending=not ascending),
        )

    found, rows = reader(ask)
    if as_json:
        print_json(
            {
                "total": found.total,
                "causes": [asdict(group) for group in found.causes],
                "rows": [asdict(row) for row in rows],
            }
        )
        return
    if not rows:
        say("No dead letter matches.")
        return
    print_table(
        ["id", "stored", "status", "topic", "key", "profile", "cause", "bytes"],
        [
            [
                row.id,
                moment(row.stored_us),
                row.status,
                row.original_topic,
                row.original_key_text,
                row.profile,
                row.cause,
                count(row.size),
            ]
            for row in rows
        ],
        right=["id", "bytes"],
    )
    say()
    print_table(
        ["cause", "letters", "last", "title"],
        [
            [group.id, count(group.count), moment(group.last_seen_us), group.title]
            for group in found.causes
        ],
        right=["cause", "letters"],
    )
    say(f"{count(len(rows))} of {count(found.total)} shown.")


@app.command()
def show(
    letter: Annotated[int, typer.Argument(metavar="ID", help="Its number, as `list` tells it.")],
    as_json: JsonOption = False,
    db: DbOption = None,
) -> None:
    """Show one dead letter: what failed and why, the original record, attempts and replays.

    Payloads are shown as text where they are UTF-8, else as hex; control characters are spelt
    out. In JSON, bytes are base64.

    Exit codes: 0 done; 1 there is no such letter; 2 bad usage.
    """

    def ask(
        db: Database,
    ) -> tuple[Letter | None, tuple[ReplayRow, ...], bytes | None, tuple[HistoryEntry, ...]]:
        found = queries.letter(db, letter)
        left = None
        if found is not None and found.run_uuid is not None and found.sequence is not None:
            left = queries.value_left_behind(db, found.run_uuid, found.sequence)
        return found, queries.replays_of(db, [letter]), left, history(db, letter)

    found, replays, left, events = Reader(settings_for(db).db)(ask)
    if found is None:
        fail(f"There is no dead letter {letter}. `dead-letters list` tells those there are.")
    decoded = decoded_of(found)
    # A value that was too large to travel along is in the outbox of the agent that sent it.
    value = decoded.original_value if decoded.value_omitted is None else left
    if as_json:
        print_json(_document(found, decoded, value, replays, events))
    else:
        _print(found, decoded, value, replays, events)


app.command("groups")(list_groups)
app.add_typer(dead_letter_topics.app, name="topics")
app.command("export")(export)
dead_letters_triage.register(app)


def _document(
    letter: Letter,
    decoded: Decoded,
    value: bytes | None,
    replays: tuple[ReplayRow, ...],
    events: tuple[HistoryEntry, ...],
) -> dict[str, Any]:
    return {
        "id": letter.id,
        "status": letter.status,
        "cause": letter.cause,
        "stored_us": letter.stored_us,
        "convention": letter.convention,
        "side": letter.side,
        "error": {
            "class": letter.error_class,
            "code": letter.error_code,
            "message": letter.error_message,
        },
        "may_be_stored": decoded.may_be_stored,
        "profile": letter.profile,
        "run": letter.run_uuid,
        "sequence": letter.sequence,
        "original": {
            "topic": letter.original_topic,
            "partition": letter.original_partition,
            "offset": letter.original_offset,
            "timestamp_ms": letter.original_timestamp_ms,
            "key_base64": as_base64(decoded.original_key),
            "value_base64": as_base64(value),
            "value_omitted_bytes": decoded.value_omitted,
            "headers": _headers(decoded.original_headers),
        },
        "attempts": None if decoded.attempts is None else dict(decoded.attempts),
        "record": {
            "cluster_kind": letter.cluster_kind,
            "cluster_id": letter.cluster_id,
            "topic": letter.topic,
            "partition": letter.partition,
            "offset": letter.offset,
            "timestamp_ms": letter.timestamp_ms,
            "key_base64": as_base64(letter.key),
            "value_base64": as_base64(letter.value),
            "headers": _headers(letter.headers),
        },
        "replay_id": letter.replay_id,
        "replays": [asdict(replay) for replay in replays],
        "consumer_group": letter.consumer_group,
        "connector": letter.connector,
        "previous": letter.previous,
        "times_back": letter.times_back,
        "history": [asdict(event) for event in events],
    }


def _headers(headers: tuple[tuple[str, bytes | None], ...]) -> list[dict[str, str | None]]:
    return [{"name": name, "value_base64": as_base64(value)} for name, value in headers]


def _print(
    letter: Letter,
    decoded: Decoded,
    value: bytes | None,
    replays: tuple[ReplayRow, ...],
    events: tuple[HistoryEntry, ...],
) -> None:
    code = "" if letter.error_code is None else f" ({letter.error_code})"
    print_pairs(
        {
            "dead letter": f"{letter.id}, {letter.status}, stored {moment(letter.stored_us)}",
            "cause": letter.cause,
            "error": None if letter.error_class is None else f"{letter.error_class}{code}",
            "message": letter.error_message,
            "on its topic": _ON_ITS_TOPIC[decoded.may_be_stored],
            "meant for": _place(
                letter.original_topic, letter.original_partition, letter.original_offset
            ),
            "sent under": None
            if letter.profile is None
            else f"{letter.profile}, run {letter.run_uuid}, event {letter.sequence}",
            "original time": None
            if letter.original_timestamp_ms is None
            else moment(letter.original_timestamp_ms * 1000),
            "found at": f"{_place(letter.topic, letter.partition, letter.offset)} of "
            f"{letter.cluster_kind} cluster {letter.cluster_id}",
            "convention": f"{letter.convention}, {letter.side} side",
            "replay": letter.replay_id and f"came back from replay {letter.replay_id}",
        }
    )
    say()
    say("key: " + _on_a_line(decoded.original_key))
    for name, held in decoded.original_headers:
        say(f"header {visible(name)}: {_on_a_line(held)}")
    if value is None and decoded.value_omitted is not None:
        say(
            f"value: {count(decoded.value_omitted)} bytes, too large for the dead-letter topic and "
            "not in this database; the agent that sent it keeps it in its own."
        )
    else:
        say("value:")
        say(payload_text(value))
    if decoded.attempts:
        say()
        say("attempts:")
        say(json.dumps(dict(decoded.attempts), indent=2))
    say()
    print_table(
        ["when", "what", "who", "before", "after", "detail", "why"],
        [
            [
                moment(event.at_us),
                event.what,
                event.who,
                event.before,
                event.after,
                _detail(event),
                event.why,
            ]
            for event in events
        ],
    )


def _detail(event: HistoryEntry) -> str | None:
    told = [event.detail] if event.detail else []
    if event.plan is not None:
        told.append(f"plan {event.plan}")
    if event.letter is not None:
        told.append(f"dead letter {event.letter}")
    return ", ".join(told) or None


_ON_ITS_TOPIC = {True: "may be, after all", False: "no", None: "not known"}


def payload_text(payload: bytes | None) -> str:
    """Bytes to be read on a terminal: text where they are UTF-8, else a hex dump; cut if long."""
    if payload is None:
        return "(null)"
    if not payload:
        return "(empty)"
    shown = payload[:SHOWN_BYTES]
    cut = len(payload) - len(shown)
    try:
        payload.decode("utf-8")
        # A cut may go through the middle of a character.
        text = visible(shown.decode("utf-8", errors="ignore"), keep="\n\t")
    except UnicodeDecodeError:
        text = "\n".join(_hex_line(shown, at) for at in range(0, len(shown), 16))
    return text + (f"\n… {count(cut)} bytes more; --json has the whole." if cut else "")


def _hex_line(data: bytes, at: int) -> str:
    line = data[at : at + 16]
    seen = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in line)
    return f"{at:08x}  {line.hex(' '):<47}  {seen}"


def _on_a_line(value: bytes | None) -> str:
    if value is None:
        return "(null)"
    try:
        return visible(value.decode("utf-8")) or "(empty)"
    except UnicodeDecodeError:
        return f"0x{value.hex()}"


def _place(topic: str | None, partition: int | None, offset: int | None) -> str | None:
    if topic is None:
        return None
    return (
        topic
        + ("" if partition is None else f"[{partition}]")
        + ("" if offset is None else f"@{offset}")
    )
