"""``advise``: from what breaks when an event is lost to the settings of its producer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from sqlite_utils import Database

from producer_agent.advice.advisor import words
from producer_agent.advice.advisor.advice import Advice, Choice, Conflict, Evidence
from producer_agent.advice.advisor.advise import advise as advise_on
from producer_agent.advice.advisor.example import EXAMPLE
from producer_agent.advice.advisor.measurements import measurements
from producer_agent.advice.advisor.profile import profile_of
from producer_agent.advice.advisor.properties_files import java_properties, librdkafka_properties
from producer_agent.advice.advisor.python_program import python_program
from producer_agent.advice.advisor.question import (
    AnswersInvalid,
    Question,
    question_from,
    questions_from_json,
)
from producer_agent.advice.advisor.surroundings import surroundings
from producer_agent.cli import profile_files
from producer_agent.cli.options import DbOption, JsonOption, settings_for
from producer_agent.cli.output import fail, note, print_json, print_table, say
from producer_agent.store import facts
from producer_agent.store.reader import Reader

_WRITERS: dict[str, Callable[[Advice], str]] = {
    "python": python_program,
    "librdkafka": librdkafka_properties,
    "java": java_properties,
    "profile": lambda advice: profile_of(advice).to_json(),
}
_FILE = {"metavar": "FILE", "dir_okay": False}


def advise(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="The event type: a-z, 0-9, . _ -")
    ] = None,
    if_lost: Annotated[
        str | None,
        typer.Option(
            "--if-lost", help="What breaks if one is lost: nothing, experience, business."
        ),
    ] = None,
    tolerated_loss: Annotated[
        str | None,
        typer.Option("--tolerated-loss", help="Share that may be lost: 0 is never, 0.001, 0.1%."),
    ] = None,
    latency: Annotated[
        float | None,
        typer.Option("--latency-ms", help="Latency allowed at p99, in ms; default: any."),
    ] = None,
    rate: Annotated[float | None, typer.Option("--rate", help="Events a second now.")] = None,
    peak: Annotated[
        float | None, typer.Option("--peak", help="Events a second at peak; default: as now.")
    ] = None,
    payload: Annotated[
        int | None, typer.Option("--payload-bytes", help="Usual size of one; default: 500.")
    ] = None,
    tells_duplicates: Annotated[
        bool, typer.Option("--tells-duplicates", help="Consumers drop what comes twice.")
    ] = False,
    ordered: Annotated[
        bool, typer.Option("--ordered-per-key", help="The order of each key has to hold.")
    ] = False,
    atomic: Annotated[
        bool, typer.Option("--atomic", help="Written together with other topics, or not at all.")
    ] = False,
    brokers: Annotated[
        int | None, typer.Option("--brokers", help="Default: the connected cluster's, else 3.")
    ] = None,
    replication_factor: Annotated[
        int | None, typer.Option("--replication-factor", help="Default: the topic's, else 3.")
    ] = None,
    min_insync_replicas: Annotated[
        int | None, typer.Option("--min-insync-replicas", help="Default: the topic's, else 2.")
    ] = None,
    answers: Annotated[
        Path | None,
        typer.Option(
            "--answers", metavar="FILE", help="Answers as JSON, one or a list; - is stdin."
        ),
    ] = None,
    example: Annotated[
        bool, typer.Option("--example", help="The worked example: three event types.")
    ] = False,
    python: Annotated[
        Path | None, typer.Option("--python", help="Write the Python program here.", **_FILE)
    ] = None,
    librdkafka: Annotated[
        Path | None, typer.Option("--librdkafka", help="Write librdkafka properties here.", **_FILE)
    ] = None,
    java: Annotated[
        Path | None, typer.Option("--java", help="Write Java properties here.", **_FILE)
    ] = None,
    profile: Annotated[
        Path | None,
        typer.Option("--profile", help="Write a profile here, for profiles import.", **_FILE),
    ] = None,
    as_json: JsonOption = False,
    db: DbOption = None,
) -> None:
    """Advise a producer's settings for a type of event, with the reason and price of each.

    Contradictions and what is impossible come first. Several event types are laid side by side
    (--answers FILE, --example).

    Exit codes: 0 it can be had as asked; 1 it cannot, or a file cannot be read or written; 2 bad
    usage, or an answer that cannot be used.
    """
    given = {
        "name": name,
        "if_lost": if_lost,
        "tolerated_loss": None if tolerated_loss is None else _share(tolerated_loss),
        "latency_p99_ms": latency,
        "rate_per_s": rate,
        "peak_per_s": peak,
        "payload_bytes": payload,
        "tells_duplicates": tells_duplicates or None,
        "ordered_per_key": ordered or None,
        "atomic": atomic or None,
        "brokers": brokers,
        "replication_factor": replication_factor,
        "min_insync_replicas": min_insync_replicas,
    }
    path = settings_for(db).db
    try:
        questions = _questions(given, answers, example, _cluster(path))
    except AnswersInvalid as error:
        fail(str(error), code=2)
    advices = [advise_on(question, _measured(path)) for question in questions]
    files = {"python": python, "librdkafka": librdkafka, "java": java, "profile": profile}
    _write(advices, {kind: file for kind, file in files.items() if file is not None})
    if as_json:
        print_json({"advices": [document(advice) for advice in advices]})
    else:
        _print(advices)
    if not all(advice.is_possible for advice in advices):
        raise typer.Exit(1)


def _questions(
    given: dict[str, Any], file: Path | None, example: bool, cluster: dict[str, Any] | None
) -> tuple[Question, ...]:
    told = {field: value for field, value in given.items() if value is not None}
    if (file is not None) + example + bool(told) > 1:
        raise typer.BadParameter(
            "Give the answers by options, or --answers FILE, or --example: one of them."
        )
    if file is not None:
        return questions_from_json(profile_files.read_text(file))
    if example:
        return EXAMPLE
    if not told:
        raise typer.BadParameter(
            "Give the event type and its answers, such as: advise orders --if-lost business "
            "--tolerated-loss 0 --latency-ms 50 --rate 200; or --example."
        )
    around = surroundings(cluster, given["name"]).answers() | told
    if "min_insync_replicas" not in told:
        # Asked for fewer copies: what has to be in sync follows, and is no answer of theirs.
        follows = max(around["replication_factor"] - 1, 1)
        around["min_insync_replicas"] = min(around["min_insync_replicas"], follows)
    return (question_from(around),)


def _share(text: str) -> float | str:
    """`0.1%` as 0.001; what is no share is left for the question to refuse."""
    number = text.strip()
    try:
        return float(number[:-1]) / 100 if number.endswith("%") else float(number)
    except ValueError:
        return text


def _cluster(path: Path) -> dict[str, Any] | None:
    if not path.exists():
        return None
    fact = Reader(path)(lambda db: facts.get(db, "cluster"))
    return None if fact is None else dict(fact.body)


def _measured(path: Path) -> tuple[Evidence, ...]:
    def read(db: Database) -> tuple[Evidence, ...]:
        return measurements(db)

    return Reader(path)(read) if path.exists() else ()


def _write(advices: Sequence[Advice], files: dict[str, Path]) -> None:
    if files and len(advices) > 1:
        raise typer.BadParameter(
            f"{', '.join('--' + kind for kind in files)} write what one event type needs, and "
            f"there are {len(advices)}: give the answers of one."
        )
    for kind, file in files.items():
        file.write_text(_WRITERS[kind](advices[0]), encoding="utf-8")
        note(f"Written: {file}")


def document(advice: Advice) -> dict[str, Any]:
    """One advice in ``advise --json``."""
    return {
        "event": advice.question.name,
        "answer": words.answer(advice),
        "possible": advice.is_possible,
        "answers": advice.question.model_dump(mode="json"),
        "conflicts": [_conflict(conflict) for conflict in advice.conflicts],
        "producer": [_choice(choice) for choice in advice.producer],
        "topic": [_choice(choice) for choice in advice.topic],
        "transactions": advice.transactions,
        "objective": {
            "success_ratio": advice.objective.success_ratio,
            "latency_p99_ms": advice.objective.latency_p99_ms,
        },
        "measured": [asdict(found) for found in advice.support],
    }


def _choice(choice: Choice) -> dict[str, Any]:
    return asdict(choice)


def _conflict(conflict: Conflict) -> dict[str, Any]:
    return asdict(conflict) | {"settings": list(conflict.settings)}


def _print(advices: Sequence[Advice]) -> None:
    for advice in advices:
        say(words.answer(advice))
    told = [(advice, conflict) for advice in advices for conflict in advice.conflicts]
    if told:
        say()
        print_table(
            ["", "event", "what", "mend"],
            [[c.kind, advice.question.name, c.message, c.mend] for advice, c in told],
        )
    say()
    if len(advices) > 1:
        names = [advice.question.name for advice in advices]
        rows = words.side_by_side(advices)
        print_table(["setting", *names], [[name, *values] for name, values in rows])
    for advice in advices:
        say()
        say(f"{advice.question.name}: why, and at which price")
        print_table(
            ["setting", "value", "reason", "cost", "source"],
            [
                [c.name, c.shown, c.reason, c.cost, c.source]
                for c in (*advice.producer, *advice.topic)
            ],
        )
        say(advice.transactions)
        say(words.objective(advice))
    say()
    for line in dict.fromkeys(line for advice in advices for line in words.evidence(advice)):
        say(f"measured: {line}")
