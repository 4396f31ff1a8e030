"""``dead-letters``: the filters, and a letter shown whole and harmless."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from producer_agent.store.clock import now_us
from producer_agent.store.database import open_database
from tests.cli.conftest import Invoke, document
from tests.cli.test_docs import example, keys_of
from tests.cli.test_output import is_harmless
from tests.dashboard import letter_seed
from tests.dashboard.letter_seed import Foreign, failed_event

LETTERS = 24


@pytest.fixture
def letters(db_path: Path) -> Path:
    """24 dead letters of four causes, three topics and three profiles; 1 to 3 were replayed, and
    it is known of 1 that it arrived and of 2 that it did not."""
    db = open_database(db_path)
    try:
        letter_seed.store(db, [failed_event(sequence) for sequence in range(LETTERS)])
        letter_seed.replayed(db, 1, "done")
        letter_seed.replayed(db, 2, "failed", "MSG_SIZE_TOO_LARGE")
        letter_seed.replayed(db, 3, "unknown")
    finally:
        db.close()
    return db_path


def listed(invoke: Invoke, *options: str) -> Any:
    return document(invoke("dead-letters", "list", "--json", *options))


def test_the_latest_come_first_and_all_are_counted(invoke: Invoke, letters: Path) -> None:
    told = listed(invoke, "--limit", "5")
    assert told["total"] == LETTERS
    assert [row["id"] for row in told["rows"]] == [24, 23, 22, 21, 20]
    assert sorted(group["count"] for group in told["causes"]) == [6, 6, 6, 6]


@pytest.mark.parametrize(
    ("options", "column", "value", "n"),
    [
        (["--topic", "task-events"], "original_topic", "task-events", 8),
        (["--profile", "metrics"], "profile", "metrics", 8),
        (["--status", "replayed"], "status", "replayed", 1),
        (["--cause", "timed_out"], "error_class", "_MSG_TIMED_OUT", 6),
    ],
)
def test_each_filter_keeps_its_own(
    invoke: Invoke, letters: Path, options: list[str], column: str, value: str, n: int
) -> None:
    told = listed(invoke, *options)
    assert told["total"] == n
    assert {row[column] for row in told["rows"]} == {value}


def test_filters_add_up_and_a_status_may_be_repeated(invoke: Invoke, letters: Path) -> None:
    told = listed(invoke, "--status", "replayed", "--status", "replaying")
    assert [row["id"] for row in told["rows"]] == [3, 1]
    assert listed(invoke, "--status", "replayed", "--topic", "activity-metrics")["total"] == 0


def test_since_leaves_out_what_was_stored_before(invoke: Invoke, letters: Path) -> None:
    db = open_database(letters)
    db.execute("UPDATE dead_letters SET stored_us = ? WHERE id <= 4", [now_us() - 7_200_000_000])
    db.conn.commit()
    db.close()
    assert listed(invoke, "--since", "1h")["total"] == LETTERS - 4
    assert listed(invoke)["total"] == LETTERS


def test_a_cause_is_found_by_its_number(invoke: Invoke, letters: Path) -> None:
    group = listed(invoke)["causes"][0]
    told = listed(invoke, "--cause", str(group["id"]))
    assert told["total"] == group["count"]
    assert {row["cause"] for row in told["rows"]} == {group["title"]}


@pytest.mark.parametrize("cause", ["_UNKNOWN", "no such cause", "999"])
def test_a_cause_that_fits_none_or_several_is_bad_usage_and_tells_those_there_are(
    invoke: Invoke, letters: Path, cause: str
) -> None:
    result = invoke("dead-letters", "list", "--cause", cause)
    assert result.exit_code == 2
    assert "_UNKNOWN_PARTITION" in result.stderr


def test_the_table_has_a_line_a_letter(invoke: Invoke, letters: Path) -> None:
    result = invoke("dead-letters", "list", "--limit", "3")
    assert "user-23" in result.stdout
    assert "3 of 24 shown." in result.stdout
    assert "No dead letter matches." in invoke("dead-letters", "list", "--topic", "none").stdout


def test_a_letter_shows_the_original_its_attempts_and_its_replays(
    invoke: Invoke, letters: Path
) -> None:
    told = document(invoke("dead-letters", "show", 4, "--json"))
    assert told["error"]["class"] == "_MSG_TIMED_OUT"
    assert told["attempts"] is not None
    assert base64.b64decode(told["original"]["key_base64"]) == b"user-3"
    assert b'"task_id": 3' in base64.b64decode(told["original"]["value_base64"])
    assert {"name": "trace", "value_base64": None} in told["original"]["headers"]
    assert told["record"]["offset"] == 3
    replays = document(invoke("dead-letters", "show", 2, "--json"))["replays"]
    assert [(replay["state"], replay["reason"]) for replay in replays] == [
        ("failed", "MSG_SIZE_TOO_LARGE")
    ]
    text = invoke("dead-letters", "show", 4).stdout
    assert '"task_id": 3' in text
    assert "NOT_ENOUGH_REPLICAS" in text


def test_a_letter_that_is_not_there_is_an_error(invoke: Invoke, letters: Path) -> None:
    result = invoke("dead-letters", "show", 999)
    assert result.exit_code == 1
    assert "There is no dead letter 999" in result.stderr


def test_bytes_come_through_json_exactly_and_show_as_hex(invoke: Invoke, db_path: Path) -> None:
    db = open_database(db_path)
    letter_seed.store(
        db, [Foreign(bytes(range(256)), b"\xff\x00"), Foreign(None, b""), Foreign(b"", None)]
    )
    db.close()
    told = document(invoke("dead-letters", "show", 1, "--json"))
    assert base64.b64decode(told["record"]["value_base64"]) == bytes(range(256))
    assert base64.b64decode(told["original"]["key_base64"]) == b"\xff\x00"
    assert "000000f0  f0 f1" in invoke("dead-letters", "show", 1).stdout
    tombstone = document(invoke("dead-letters", "show", 2, "--json"))["record"]
    assert (tombstone["key_base64"], tombstone["value_base64"]) == ("", None)
    assert "(null)" in invoke("dead-letters", "show", 2).stdout
    assert "(empty)" in invoke("dead-letters", "show", 3).stdout


def test_nothing_in_a_letter_steers_the_terminal(invoke: Invoke, db_path: Path) -> None:
    steering = "\x1b[2J\x1b]0;owned\x07\u202egnp[bold]markup[/]\r\x9b"
    db = open_database(db_path)
    letter_seed.store(
        db,
        [
            failed_event(
                0,
                key=steering.encode(),
                value=steering.encode(),
                error=steering,
                error_name=f"E{steering}",
                topic=f"t{steering}",
                profile=f"p{steering}",
                headers=((steering, steering.encode()),),
            )
        ],
    )
    db.close()
    for command in (["list"], ["show", 1], ["list", "--json"], ["show", 1, "--json"]):
        assert is_harmless(invoke("dead-letters", *command).stdout), command
    shown = invoke("dead-letters", "show", 1).stdout
    assert "\\x1b[2J" in shown
    assert "[bold]markup[/]" in shown


def test_the_keys_are_those_of_the_documentation(invoke: Invoke, letters: Path) -> None:
    assert keys_of(listed(invoke)) == keys_of(example("dead-letters", "list"))
    told = keys_of(document(invoke("dead-letters", "show", 1, "--json")))
    assert told == keys_of(example("dead-letters", "show"))
