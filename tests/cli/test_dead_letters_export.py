"""``dead-letters export``: which letters, and everything that they tell."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from producer_agent.cli import dead_letters_export
from producer_agent.cli.letter_record import FIELDS, record_of
from producer_agent.dead_letters import stored
from producer_agent.dead_letters.conventions import RawRecord, decode
from producer_agent.store.clock import now_us
from producer_agent.store.database import open_database
from producer_agent.store.queries.dead_letters import LetterFilter
from producer_agent.store.queries.letter_export import Place, places
from producer_agent.store.reader import Reader
from tests.cli.conftest import Invoke
from tests.cli.exported_letters import (
    HARM,
    OWN,
    change,
    decode64,
    exported,
    pairs,
    seed,
    seed_one,
    store,
    table,
)
from tests.cli.test_docs import example, section_of
from tests.cli.test_output import is_harmless
from tests.dashboard import letter_seed
from tests.dashboard.letter_seed import Foreign, failed_event
from tests.dead_letters.test_conventions_samples import CONVENTION_OF_FILE, SAMPLES, Sample


@pytest.fixture
def samples(db_path: Path) -> Path:
    """A dead letter of every framework there is a sample of, as it wrote it."""
    store(db_path, [sample.record for sample in SAMPLES], topic_id="AbC")
    return db_path


@pytest.fixture
def own(db_path: Path) -> Path:
    """Six dead letters of our own publisher: four causes, three topics, three profiles."""
    seed(db_path, [failed_event(sequence) for sequence in range(OWN)])
    return db_path


@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_a_framework_s_letter_comes_out_byte_for_byte(
    sample: Sample, invoke: Invoke, db_path: Path
) -> None:
    store(db_path, [sample.record], topic_id="AbC")
    (told,) = exported(invoke)
    assert RawRecord(
        told["topic"],
        told["partition"],
        told["offset"],
        told["timestamp_ms"],
        decode64(told["key_b64"]),
        decode64(told["value_b64"]),
        pairs(told["headers"]),  # type: ignore[arg-type]
    ) == (sample.record)
    assert (told["cluster_id"], told["topic_id"]) == ("real-cluster", "AbC")


@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_a_framework_s_letter_tells_what_the_sample_expects(
    sample: Sample, invoke: Invoke, db_path: Path
) -> None:
    store(db_path, [sample.record])
    (told,) = exported(invoke)
    expected = sample.expected
    assert told["convention"] == CONVENTION_OF_FILE[sample.file]
    assert told["side"] == ("unknown" if told["convention"] == "unknown" else "consumer")
    for name in (
        "original_topic",
        "original_partition",
        "original_offset",
        "error_class",
        "error_wrapper_class",
        "error_message",
        "stage",
        "connector",
        "consumer_group",
        "attempts",
    ):
        assert told[name] == expected[name], name
    if told["convention"] == "unknown":
        assert told["original_timestamp_ms"] == sample.record.timestamp_ms
    else:
        assert told["original_timestamp_ms"] == expected["original_timestamp_ms"]
    if told["convention"] != "watermill":  # its headers are a map, see the conventions' own test
        assert told["original_headers"] == expected["original_headers"]
    hops = expected.get("hops")
    if hops is not None:
        assert [hop["topic"] for hop in told["hops"]] == [hop["topic"] for hop in hops]
    assert (told["hops"] == []) == (told["convention"] == "unknown")


def test_every_record_has_the_same_keys_in_the_same_order(invoke: Invoke, samples: Path) -> None:
    told = exported(invoke)
    assert len(told) == len(SAMPLES)
    assert {tuple(record) for record in told} == {FIELDS}
    assert [record["id"] for record in told] == sorted(record["id"] for record in told)


def test_an_event_of_our_own_tells_its_origin_and_no_deliveries(invoke: Invoke, own: Path) -> None:
    told = exported(invoke)[3]
    assert (told["convention"], told["side"], told["status"]) == ("ackboard", "producer", "new")
    assert (told["error_class"], told["error_code"]) == ("_MSG_TIMED_OUT", -192)
    assert (told["original_topic"], told["original_partition"]) == ("task-events", 3)
    assert pairs(told["original_headers"]) == (
        ("content-type", b"application/json"),
        ("trace", None),
    )
    assert json.loads(decode64(told["value_b64"]) or b"")["original_key"] == "user-3"
    assert (told["attempts"], told["hops"]) == (None, [])
    assert told["produce_attempts"]["causes"][0]["count"] == 38
    assert (told["profile"], told["sequence"]) == ("critical", 3)


def test_a_cause_is_told_by_the_fingerprint_that_any_database_gives_it(
    invoke: Invoke, own: Path, tmp_path: Path
) -> None:
    here = {record["error_class"]: record["cause_id"] for record in exported(invoke)}
    elsewhere = tmp_path / "elsewhere.db"
    seed(elsewhere, [failed_event(sequence) for sequence in (3, 2, 1, 0)])
    there = {
        record["error_class"]: record["cause_id"] for record in exported(invoke, "--db", elsewhere)
    }
    assert here == there
    assert all(cause.startswith("v1:") for cause in here.values())
    assert len(set(here.values())) == 4


def test_null_and_empty_stay_apart(invoke: Invoke, db_path: Path) -> None:
    seed(db_path, [Foreign(None, b"", (("a", None), ("a", b""))), Foreign(b"", None)])
    first, second = exported(invoke)
    assert (first["key_b64"], first["value_b64"]) == ("", None)
    assert (second["key_b64"], second["value_b64"]) == (None, "")
    assert first["headers"] == [["a", None], ["a", ""]]
    rows = table(invoke)
    assert [(row["key_bytes"], row["value_bytes"]) for row in rows] == [("0", ""), ("", "0")]


def test_each_line_is_ascii_whatever_it_tells(invoke: Invoke, db_path: Path) -> None:
    seed(db_path, [failed_event(0, error=HARM, topic="clé\u2028")])
    result = invoke("dead-letters", "export")
    assert result.stdout_bytes.isascii()
    assert is_harmless(result.stdout)
    (told,) = exported(invoke)
    assert told["error_message"] == HARM
    assert told["original_topic"] == "clé\u2028"


def test_what_is_no_unicode_or_no_json_is_written_as_what_every_reader_takes(
    invoke: Invoke, db_path: Path
) -> None:
    deep = '{"x":' * 400 + "1" + "}" * 400
    value = (
        '{"original_topic":"t","original_value":"v","error":"lone \\ud800",'
        f'"attempts":{{"nan":NaN,"inf":-Infinity,"deep":{deep},"\\udfff":1}}}}'
    )
    seed(db_path, [Foreign(value.encode())])
    (told,) = exported(invoke)
    assert told["error_message"] == "lone ?"
    attempts = told["produce_attempts"]
    assert (attempts["nan"], attempts["inf"], attempts["?"]) == (None, None, 1)
    levels, left = 0, attempts["deep"]
    while left is not None:
        levels, left = levels + 1, left["x"]
    assert 5 < levels < 50
    assert decode64(told["value_b64"]) == value.encode()
    assert len(table(invoke)) == 1


def test_a_letter_whose_reading_breaks_is_exported_as_bytes_and_so_are_those_behind_it(
    invoke: Invoke, own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(record: RawRecord, *policy: str | None) -> Any:
        if record.offset == 1:
            raise ValueError("no such case")
        return decode(record)

    monkeypatch.setattr(stored, "decode_under", broken)
    result = invoke("dead-letters", "export")
    told = [json.loads(line) for line in result.stdout_bytes.splitlines()]
    assert [record["convention"] for record in told] == ["ackboard", "unknown"] + ["ackboard"] * 4
    assert told[1]["value_b64"] is not None
    assert "Dead letter 2" in result.stderr
    assert "ValueError: no such case" in result.stderr


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        (["--topic", "task-events"], [1, 4]),
        (["--cause", "timed_out"], [4]),
        (["--profile", "metrics"], [6, 3]),
        (["--status", "replayed", "--status", "resolved"], [1]),
        (["--status", "new", "--topic", "task-events"], [4]),
        (["--since", "1h"], [1, 2, 3, 4, 5]),
        (["--limit", "2"], [6, 1]),
        (["--limit", "6"], [6, 1, 2, 3, 4, 5]),
        ([], [6, 1, 2, 3, 4, 5]),
    ],
)
def test_each_filter_keeps_its_own_and_the_first_stored_come_first(
    invoke: Invoke,
    own: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    ids: list[int],
) -> None:
    db = open_database(own)
    letter_seed.replayed(db, 1, "done")
    letter_seed.replayed(db, 2, "failed")
    db.close()
    hours_ago = now_us() - 7_200_000_000
    change(own, "UPDATE dead_letters SET stored_us = ? WHERE id = 6", hours_ago)
    monkeypatch.setattr(dead_letters_export, "PAGE", 2)
    assert [record["id"] for record in exported(invoke, *options)] == ids


def test_pages_pass_over_nothing_and_repeat_nothing_where_many_were_stored_at_once(
    own: Path,
) -> None:
    change(own, "UPDATE dead_letters SET stored_us = CASE WHEN id < 5 THEN 7 ELSE 8 END")
    reader, after, seen = Reader(own), Place(-1, -1), list[int]()
    while page := reader(partial(places, wanted=LetterFilter(), after=after, limit=3)):
        seen += [place.id for place in page]
        after = page[-1]
    assert seen == [1, 2, 3, 4, 5, 6]


def test_letters_that_come_or_go_while_it_runs_do_not_disturb_it(own: Path) -> None:
    reader = Reader(own)
    letters = dead_letters_export.letters_of(reader, LetterFilter(up_to_id=OWN), None)
    first = next(letters).letter.id
    change(own, "DELETE FROM dead_letters WHERE id = 2")
    seed_one(own, 99)
    assert [first, *(found.letter.id for found in letters)] == [1, 3, 4, 5, 6]


def test_an_export_ends_with_the_letters_there_were_when_it_began(
    invoke: Invoke, own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def and_another(found: Any, decoded: Any) -> dict[str, Any]:
        seed_one(own, 100 + found.letter.id)
        return record_of(found, decoded)

    monkeypatch.setattr(dead_letters_export, "PAGE", 2)
    monkeypatch.setattr(dead_letters_export, "record_of", and_another)
    assert [record["id"] for record in exported(invoke, "--limit", "20")] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    "options", [["--status", "odd"], ["--cause", "no such cause"], ["--force"]]
)
def test_bad_usage_ends_with_2(invoke: Invoke, own: Path, options: list[str]) -> None:
    assert invoke("dead-letters", "export", *options).exit_code == 2


def test_where_none_matches_the_output_is_empty_and_it_is_said(invoke: Invoke, own: Path) -> None:
    result = invoke("dead-letters", "export", "--topic", "none")
    assert (result.exit_code, result.stdout_bytes) == (0, b"")
    assert "No dead letter matches." in result.stderr
    assert table(invoke, "--topic", "none") == []


def test_without_a_database_it_says_so(invoke: Invoke, tmp_path: Path) -> None:
    result = invoke("dead-letters", "export", "--output", tmp_path / "out.jsonl")
    assert result.exit_code == 1
    assert "no database" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_documented_record_has_the_keys_there_are(invoke: Invoke, own: Path) -> None:
    assert tuple(example("dead-letters", "export")) == FIELDS
    section = section_of(("dead-letters", "export"))
    for name in exported(invoke)[0]:
        assert f"`{name}`" in section, f"{name} is not explained"
