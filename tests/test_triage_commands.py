"""What the agent does when a person decides: in steps, on a frozen selection, on the record."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from producer_agent.commands import Command
from producer_agent.store import causes, commands, triage
from producer_agent.store.causes import CauseRefused
from producer_agent.store.commands import CommandRow
from producer_agent.store.database import open_database
from producer_agent.store.queries import dead_letters as q
from producer_agent.store.queries.dead_letters import LetterFilter, filter_to_json
from producer_agent.store.writer import Writer
from producer_agent.triage_commands import TriageCommands, TriageRefused
from tests.dashboard import letter_seed
from tests.dashboard.letter_seed import failed_event

N = 24


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    """24 letters of four causes, the second of which is being replayed."""
    path = tmp_path / "ackboard.db"
    db = open_database(path)
    letter_seed.store(db, [failed_event(sequence) for sequence in range(N)])
    letter_seed.replayed(db, 2, "intent")
    db.close()
    with Writer(path) as writer:
        yield writer


def command(writer: Writer, kind: Command, **arguments: Any) -> CommandRow:
    return writer.call(
        lambda db: commands.insert_taken(db, kind.value, arguments, "kim", "because")
    )


def statuses(writer: Writer, **wanted: Any) -> dict[str, int]:
    told: dict[str, int] = {}
    for row in writer.call(lambda db: q.page(db, LetterFilter(**wanted), limit=1000)):
        told[row.status] = told.get(row.status, 0) + 1
    return told


def set_letters(writer: Writer, **arguments: Any) -> dict[str, Any]:
    asked = command(writer, Command.LETTERS_STATUS, **arguments)
    return TriageCommands(writer).set_letters(asked)


def test_letters_named_by_number_move_and_the_one_under_way_stays(writer: Writer) -> None:
    told = set_letters(writer, ids=[1, 2, 3, 77], status="archived")
    assert told == {"changed": 2, "skipped": {"replaying": 1, "missing": 1}}
    assert statuses(writer) == {"archived": 2, "replaying": 1, "new": N - 3}


def test_a_filter_moves_all_that_match_in_steps(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[int] = []
    move = triage.move

    def watched(db: Any, letters: Any, *rest: Any, **named: Any) -> triage.Moved:
        steps.append(len(letters))
        return move(db, letters, *rest, **named)

    monkeypatch.setattr(triage, "move", watched)
    monkeypatch.setattr(triage, "STEP", 5)
    wanted = filter_to_json(LetterFilter(topic="task-events"))
    assert set_letters(writer, filter=wanted, status="resolved")["changed"] == 8
    assert steps == [5, 3]
    assert statuses(writer, topic="task-events") == {"resolved": 8}
    assert statuses(writer, topic="task-analytics") == {"replaying": 1, "new": 7}


def test_a_filter_is_frozen_though_moving_changes_what_it_matches(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(triage, "STEP", 5)
    wanted = {"statuses": ["new"], "up_to_id": N - 4}
    assert set_letters(writer, filter=wanted, status="acknowledged")["changed"] == N - 5
    assert statuses(writer) == {"acknowledged": N - 5, "replaying": 1, "new": 4}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"status": "replayed", "ids": [1]}, "cannot be made 'replayed'"),
        ({"status": "new"}, "give ids or a filter"),
        ({"status": "new", "ids": [1], "filter": {}}, "give ids or a filter"),
        ({"status": "new", "ids": ["1"]}, "list of row ids"),
        ({"status": "new", "ids": [True]}, "list of row ids"),
        ({"status": "new", "ids": [1] * 100_001}, "too many"),
        ({"status": "new", "filter": {"topik": "x"}}, "has no 'topik'"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_nothing_moves(
    writer: Writer, arguments: dict[str, Any], words: str
) -> None:
    with pytest.raises(TriageRefused, match=words):
        set_letters(writer, **arguments)
    assert statuses(writer) == {"replaying": 1, "new": N - 1}


def test_a_cause_takes_its_open_letters_along_and_brings_them_back(writer: Writer) -> None:
    handlers = TriageCommands(writer)
    asked = command(writer, Command.CAUSE_STATE, cause=2, state="archived")
    told = handlers.set_cause_state(asked)
    assert told == {"cause": 2, "state": "archived", "changed": 5, "skipped": {}}
    assert statuses(writer, cause=2) == {"replaying": 1, "archived": 5}
    assert statuses(writer, cause=1) == {"new": 6}
    asked = command(writer, Command.CAUSE_STATE, cause=2, state="restored")
    assert handlers.set_cause_state(asked)["state"] == "new"
    assert statuses(writer, cause=2) == {"replaying": 1, "new": 5}


def test_resolving_a_cause_leaves_a_letter_that_comes_in_meanwhile_open(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_state = causes.set_state

    def and_one_comes_in(db: Any, *rest: Any, **named: Any) -> str:
        state = set_state(db, *rest, **named)
        letter_seed.store(db, [failed_event(N)], first_offset=N)
        return state

    monkeypatch.setattr(causes, "set_state", and_one_comes_in)
    handlers = TriageCommands(writer)
    asked = command(writer, Command.CAUSE_STATE, cause=1, state="resolved")
    handlers.set_cause_state(asked)
    row = writer.call(
        lambda db: db.execute("SELECT state, regressed_us FROM causes WHERE id = 1").fetchone()
    )
    assert row[0] == "new"
    assert row[1] is not None


def test_a_note_and_an_owner_are_set_by_command_and_an_unknown_cause_is_refused(
    writer: Writer,
) -> None:
    handlers = TriageCommands(writer)
    handlers.set_cause_note(command(writer, Command.CAUSE_NOTE, cause=1, note="n"))
    handlers.set_cause_owner(command(writer, Command.CAUSE_OWNER, cause=1, owner="o"))
    held = writer.call(
        lambda db: db.execute("SELECT note, owner FROM causes WHERE id = 1").fetchone()
    )
    assert held == ("n", "o")
    with pytest.raises(CauseRefused, match="no cause 99"):
        handlers.set_cause_state(command(writer, Command.CAUSE_STATE, cause=99, state="new"))
    with pytest.raises(TriageRefused, match="cause is a row id"):
        handlers.set_cause_note(command(writer, Command.CAUSE_NOTE, cause="1", note="n"))
