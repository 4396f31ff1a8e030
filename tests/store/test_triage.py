"""Statuses move as a person asks, each move is written down, and what is under way is left."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlite_utils import Database

from producer_agent.store import causes, commands, triage
from producer_agent.store.causes import CauseRefused
from producer_agent.store.database import open_database
from producer_agent.store.queries.letter_filter import STATUSES, LetterFilter
from producer_agent.store.queries.letter_groups import groups
from producer_agent.store.queries.letter_history import history
from tests.dashboard import letter_seed
from tests.dashboard.letter_seed import failed_event

N = 12


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    """Twelve letters of four causes, each status twice."""
    db = open_database(tmp_path / "ackboard.db")
    letter_seed.store(db, [failed_event(sequence) for sequence in range(N)])
    for at, status in enumerate(STATUSES):
        db.execute("UPDATE dead_letters SET status = ? WHERE (id - 1) / 2 = ?", [status, at])
    yield db
    db.close()


def statuses(db: Database) -> list[str]:
    """Of each pair of letters that began alike, which have to be alike still."""
    found = [row[0] for row in db.execute("SELECT status FROM dead_letters ORDER BY id").fetchall()]
    assert found[::2] == found[1::2]
    return found[::2]


def ask(db: Database, kind: str = "letters.status", why: str | None = None) -> int:
    return commands.insert(db, kind, {}, "kim", why)


# new, acknowledged, replaying, replayed, resolved, archived
@pytest.mark.parametrize(
    ("to", "after"),
    [
        (
            "acknowledged",
            ["acknowledged", "acknowledged", "replaying", "replayed", "resolved", "archived"],
        ),
        ("resolved", ["resolved", "resolved", "replaying", "replayed", "resolved", "archived"]),
        ("archived", ["archived", "archived", "replaying", "archived", "archived", "archived"]),
        ("new", ["new", "new", "replaying", "replayed", "new", "archived"]),
        ("restored", ["new", "acknowledged", "replaying", "replayed", "resolved", "new"]),
    ],
)
def test_each_move_takes_the_letters_it_may_and_tells_of_the_others(
    db: Database, to: str, after: list[str]
) -> None:
    before = statuses(db)
    command = ask(db)
    moved = triage.move(db, [*range(1, N + 1), 999], to, command=command)
    assert statuses(db) == after
    assert moved.changed == 2 * sum(old in triage.MOVES[to] for old in before)
    left = {old: 2 for old in before if old not in triage.MOVES[to]}
    assert moved.skipped == {**left, "missing": 1}
    told = db.execute("SELECT count(*) FROM letter_actions WHERE command = ?", [command])
    assert told.fetchone() == (moved.changed,)


def test_a_letter_restored_is_what_it_was_each_time(db: Database) -> None:
    before = statuses(db)
    for _ in range(2):
        triage.move(db, range(1, N + 1), "archived", command=ask(db))
        triage.move(db, range(1, N + 1), "restored", command=ask(db))
    assert statuses(db) == [*before[:-1], "new"]  # nobody knows what the last one was
    triage.move(db, range(1, N + 1), "resolved", command=ask(db))
    triage.move(db, range(1, N + 1), "archived", command=ask(db))
    triage.move(db, [1, 2], "restored", command=ask(db))
    assert statuses(db)[0] == "resolved"


def test_a_letter_named_twice_moves_once(db: Database) -> None:
    assert triage.move(db, [1, 1, 1], "resolved", command=ask(db)).changed == 1


def test_more_letters_than_one_transaction_should_hold_are_refused(db: Database) -> None:
    with pytest.raises(ValueError, match="1001 letters"):
        triage.move(db, range(triage.STEP + 1), "resolved", command=1)


def state(db: Database, cause: int = 1) -> tuple[str, str | None]:
    row = db.execute("SELECT state, state_by FROM causes WHERE id = ?", [cause]).fetchone()
    return (row[0], row[1])


def test_a_cause_restored_is_what_it_was_before_it_was_archived(db: Database) -> None:
    causes.set_state(db, 1, "acknowledged", command=ask(db), who="kim")
    causes.set_state(db, 1, "archived", command=ask(db), who="lee")
    assert state(db) == ("archived", "lee")
    assert causes.set_state(db, 1, "restored", command=ask(db), who="kim") == "acknowledged"
    assert state(db) == ("acknowledged", "kim")
    with pytest.raises(CauseRefused, match="not archived"):
        causes.set_state(db, 1, "restored", command=ask(db), who="kim")


def test_a_cause_that_is_resolved_and_seen_again_is_new_and_marked(db: Database) -> None:
    causes.set_state(db, 1, "resolved", command=ask(db), who="kim")
    letter_seed.store(db, [failed_event(100)], first_offset=N)
    (group,) = [each for each in groups(db, LetterFilter()) if each.cause == 1]
    assert (group.state, group.is_regressed) == ("new", True)
    causes.set_state(db, 1, "acknowledged", command=ask(db), who="kim")
    (group,) = [each for each in groups(db, LetterFilter()) if each.cause == 1]
    assert (group.state, group.is_regressed) == ("acknowledged", False)


def test_a_record_read_again_does_not_bring_its_cause_back(db: Database) -> None:
    events = [failed_event(sequence) for sequence in range(N)]
    causes.set_state(db, 1, "resolved", command=ask(db), who="kim")
    with pytest.raises(AssertionError):  # the seed expects new letters, and there is none
        letter_seed.store(db, events)
    assert state(db)[0] == "resolved"


@pytest.mark.parametrize(
    ("field", "longest"),
    [("note", causes.NOTE_CHARACTERS), ("owner", causes.OWNER_CHARACTERS)],
)
def test_a_note_and_an_owner_are_kept_as_they_were_written_up_to_a_length(
    db: Database, field: str, longest: int
) -> None:
    write = causes.set_note if field == "note" else causes.set_owner
    text = "<b>*é*</b>\n\ud800".ljust(longest, "x")
    write(db, 1, f"  {text} ", command=ask(db))
    (held,) = db.execute(f"SELECT {field} FROM causes WHERE id = 1").fetchone()
    assert held == text.replace("\ud800", "?")
    with pytest.raises(CauseRefused, match="there is room for"):
        write(db, 1, "x" * (longest + 1), command=ask(db))
    write(db, 1, " ", command=ask(db))
    assert db.execute(f"SELECT {field} FROM causes WHERE id = 1").fetchone() == (None,)
    with pytest.raises(CauseRefused, match="no cause 99"):
        write(db, 99, "x", command=ask(db))


def test_the_history_says_who_did_what_and_why_the_newest_first(db: Database) -> None:
    db.execute("UPDATE dead_letters SET status = 'new'")
    triage.move(db, [1], "acknowledged", command=ask(db, why="seen"))
    causes.set_note(db, 1, "broker 3 is away", command=ask(db, "cause.note"))
    causes.set_state(db, 1, "resolved", command=ask(db, "cause.state"), who="kim")
    causes.set_state(db, 2, "resolved", command=ask(db, "cause.state"), who="kim")
    plan = letter_seed.replayed(db, 1, "done")
    db.execute(
        "INSERT INTO letter_edits (dead_letter, headers, who, made_us, withdrawn_us) "
        "VALUES (1, '[]', 'lee', 1, 2)"
    )
    told = history(db, 1)
    assert [(entry.what, entry.who, entry.before, entry.after) for entry in told] == [
        ("replay", "kim", None, "done"),
        ("cause state", "kim", "new", "resolved"),
        ("cause note", "kim", None, "broker 3 is away"),
        ("status", "kim", "new", "acknowledged"),
        ("stored", None, None, None),
        ("edit withdrawn", None, None, None),
        ("edit", "lee", None, None),
    ]
    assert (told[0].plan, told[0].detail) == (plan, "task-events[3]@1881204")
    assert told[3].why == "seen"
    assert history(db, 999) == ()


def test_the_lives_of_a_letter_are_told_from_either_end(db: Database) -> None:
    db.execute("UPDATE dead_letters SET previous = 1 WHERE id = 5")
    db.execute("UPDATE dead_letters SET previous = 5 WHERE id = 9")
    about = {
        id_: [(entry.what, entry.letter) for entry in history(db, id_) if entry.letter]
        for id_ in (1, 5, 9)
    }
    assert about[1] == [("came back", 5)]
    assert sorted(about[5]) == [("came back", 9), ("earlier life", 1)]
    assert sorted(about[9]) == [("earlier life", 1), ("earlier life", 5)]


def test_what_was_done_to_a_deleted_letter_goes_with_it(db: Database) -> None:
    triage.move(db, [1, 2], "resolved", command=ask(db))
    db.execute("DELETE FROM dead_letters WHERE id = 1")
    assert db.execute("SELECT letter FROM letter_actions").fetchall() == [(2,)]
