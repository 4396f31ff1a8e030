"""``diagnose``: what is the matter with a topic, how that is known, and what to do."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from producer_agent.advice.diagnosis.diagnose import diagnose as diagnosed
from producer_agent.advice.diagnosis.diagnosis import Diagnosis
from producer_agent.advice.diagnosis.gathering import FactsGatherer, Question
from producer_agent.cli.connection import reached_by
from producer_agent.cli.options import DbOption, JsonOption, settings_for
from producer_agent.cli.output import fail, moment, print_json, print_table, say
from producer_agent.delivery.errors import BY_NAME
from producer_agent.settings import Settings
from producer_agent.store.database import open_database
from producer_agent.store.queries import failed_events
from producer_agent.store.reader import Reader

CodeOption = Annotated[
    str | None,
    typer.Option("--code", metavar="NAME", help="Why do records fail with this error code?"),
]
LetterOption = Annotated[
    int | None, typer.Option("--letter", metavar="ID", help="Why did this dead letter fail?")
]
EventOption = Annotated[
    str | None,
    typer.Option("--event", metavar="RUN:SEQ", help="Why did this event of a run fail?"),
]


def diagnose(
    topic: Annotated[str, typer.Argument(metavar="TOPIC", help="The topic's name.")],
    code: CodeOption = None,
    letter: LetterOption = None,
    event: EventOption = None,
    as_json: JsonOption = False,
    db: DbOption = None,
) -> None:
    """Say what is the matter with a topic: asks the brokers now, and reads what was recorded.

    Answers within 5 s, also where brokers are down. Needs no agent; what one recorded (changes
    of the cluster, failures and their attempts) makes it tell more.

    Exit codes: 0 the topic is healthy now; 1 something is the matter, or it cannot be told; 2 bad
    usage.
    """
    if letter is not None and event is not None:
        raise typer.BadParameter("give --letter or --event, not both")
    settings = settings_for(db)
    with _reader(settings.db) as reader:
        asked = _question(reader, topic, _known_code(code), letter, event)
        live = _gatherer(settings, reader).gather([asked])[0]
        if asked.event is not None and live.record is None:
            fail(
                f"Run {asked.event[0]} has no failure with sequence {asked.event[1]}: it was "
                "delivered, or retention took its row (ACKBOARD_KEEP_UNDELIVERED_DAYS)."
            )
        if live.record is not None and live.record.event.topic != topic:
            raise typer.BadParameter(f"that record went to {live.record.event.topic}, not {topic}")
        wanted = asked.cause
        if wanted is None and live.record is not None:
            wanted = live.record.event.code
        found = diagnosed(live, wanted)
    if as_json:
        print_json({"healthy": not found.state.is_matter, **found.to_json()})
    else:
        _print(found)
    if found.state.is_matter:
        raise typer.Exit(1)


def _known_code(code: str | None) -> str | None:
    if code is None:
        return None
    name = code.upper()
    for candidate in (name, f"_{name}"):
        if candidate in BY_NAME:
            return candidate
    raise typer.BadParameter(
        f"{code!r} is no error code that a producer reports. Known: {', '.join(sorted(BY_NAME))}."
    )


def _question(
    reader: Reader, topic: str, code: str | None, letter: int | None, event: str | None
) -> Question:
    if letter is not None:
        number = letter
        found = reader(lambda db: failed_events.letter_event(db, number))
        if found is None:
            fail(
                f"There is no dead letter {letter} of an event that this board recorded: a letter "
                "of another system's has no attempts here. Ask by --code instead."
            )
        return Question(topic, code, found)
    if event is not None:
        run, _, sequence = event.partition(":")
        if not run or not sequence.isdigit():
            raise typer.BadParameter(
                f"{event!r} is no event: write RUN:SEQUENCE, such as 1f0c...:42, as "
                "`dead-letters show` tells them"
            )
        return Question(topic, code, (run.replace("-", ""), int(sequence)))
    return Question(topic, code)


@contextmanager
def _reader(path: Path) -> Iterator[Reader]:
    """The database; where there is none yet an empty one for the time of the command."""
    if path.exists():
        yield Reader(path)
        return
    with tempfile.TemporaryDirectory() as folder:
        empty = Path(folder) / "empty.db"
        open_database(empty).close()
        yield Reader(empty)


def _gatherer(settings: Settings, reader: Reader) -> FactsGatherer:
    reached = reached_by(settings, reader)
    return FactsGatherer(reached.connection, reached.kind, reader, str(settings.lab_folder))


def _print(found: Diagnosis) -> None:
    say(f"{found.state.value.upper()}: {found.headline}")
    if found.facts:
        say()
        print_table(
            ["fact", "value", "told by", "as of"],
            [[fact.label, fact.value, fact.source, moment(fact.at_us)] for fact in found.facts],
        )
    if found.partitions:
        say()
        print_table(
            ["partition", "leader", "replicas", "in sync", "state"],
            [
                [
                    partition.partition,
                    partition.leader,
                    ",".join(map(str, partition.replicas)),
                    ",".join(map(str, partition.isrs)),
                    partition.words,
                ]
                for partition in found.partitions
            ],
            right=["partition", "leader"],
        )
    _list("What follows", found.findings)
    _list("What still works", [f"{works.what} Price: {works.price}" for works in found.still_works])
    if found.options:
        say("\nWhat to do, the safest first")
        for number, option in enumerate(found.options, 1):
            say(f"  {number}. {option.title} [{option.safety.value}]")
            say(f"     {option.costs}")
            if option.command is not None:
                say(f"     $ {option.command}")
            if option.undo_fault is not None:
                say("     An injected fault: undo it on the Cluster page.")
    _list("Not known", found.not_known)


def _list(title: str, lines: tuple[str, ...] | list[str]) -> None:
    if lines:
        say(f"\n{title}")
        for line in lines:
            say(f"  - {line}")
