"""``dead-letters export`` and ``groups``: nothing lost, nothing that runs, never all at once."""

from __future__ import annotations

import base64
import csv
import io
import json
import os
import tracemalloc
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from producer_agent.cli import dead_letters_export
from producer_agent.cli.letter_record import FIELDS, record_of
from producer_agent.dead_letters.consumer import letter_of
from producer_agent.dead_letters.conventions import RawRecord, decode
from producer_agent.store import dead_letters, runs
from producer_agent.store.clock import now_us
from producer_agent.store.database import open_database
from producer_agent.store.queries.dead_letters import LetterFilter
from producer_agent.store.queries.letter_export import Place, places
from producer_agent.store.reader import Reader
from tests.cli.conftest import Invoke, Start, document
from tests.cli.test_docs import DOCS, example, keys_of, section_of
from tests.cli.test_output import STEERING, is_harmless
from tests.dashboard import letter_seed
from tests.dashboard.letter_seed import Foreign, failed_event
from tests.dead_letters.test_conventions_samples import CONVENTION_OF_FILE, SAMPLES, Sample

OWN = 6
HARM = STEERING.replace("\ud800", "")
"""All that steers a terminal and can be written as UTF-8."""
MEGABYTE = 1_000_000


def store(db_path: Path, records: Sequence[RawRecord], topic_id: str = "") -> None:
    """Records as the consumer stores them, in batches of its size."""
    db = open_database(db_path)
    try:
        with db.atomic():
            cluster = runs.register_cluster(db, "real-cluster", "real", "127.0.0.1:9092")
            rows = [letter_of(record, topic_id, decode(record)) for record in records]
            assert dead_letters.insert(db, cluster, rows) == len(rows)
    finally:
        db.close()


def seed(db_path: Path, events: Sequence[Any]) -> None:
    """Events as our own publisher wraps them, or records that somebody else left on its topic."""
    db = open_database(db_path)
    try:
        letter_seed.store(db, events)
    finally:
        db.close()


def seed_one(db_path: Path, sequence: int) -> None:
    """One more event of ours, that failed after those of :func:`seed`."""
    db = open_database(db_path)
    letter_seed.store(db, [failed_event(sequence)], first_offset=sequence)
    db.close()


def change(db_path: Path, sql: str, *values: object) -> None:
    db = open_database(db_path)
    with db.atomic():
        db.execute(sql, list(values))
    db.close()


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


def exported(invoke: Invoke, *options: object) -> list[dict[str, Any]]:
    result = invoke("dead-letters", "export", *options)
    assert result.exit_code == 0, result.stderr
    return [json.loads(line) for line in result.stdout_bytes.splitlines()]


def table(invoke: Invoke, *options: object) -> list[dict[str, str]]:
    result = invoke("dead-letters", "export", "--format", "csv", *options)
    assert result.exit_code == 0, result.stderr
    text = result.stdout_bytes.decode("utf-8")
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def decode64(value: str | None) -> bytes | None:
    return None if value is None else base64.b64decode(value, validate=True)


def pairs(headers: list[list[str | None]]) -> tuple[tuple[str | None, bytes | None], ...]:
    return tuple((name, decode64(value)) for name, value in headers)


# --- JSON Lines -------------------------------------------------------------------------------


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
    def broken(record: RawRecord) -> Any:
        if record.offset == 1:
            raise ValueError("no such case")
        return decode(record)

    monkeypatch.setattr(dead_letters_export, "decode", broken)
    result = invoke("dead-letters", "export")
    told = [json.loads(line) for line in result.stdout_bytes.splitlines()]
    assert [record["convention"] for record in told] == ["ackboard", "unknown"] + ["ackboard"] * 4
    assert told[1]["value_b64"] is not None
    assert "Dead letter 2" in result.stderr
    assert "ValueError: no such case" in result.stderr


# --- which, and in what order -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        (["--topic", "task-events"], [1, 4]),
        (["--cause", "timed_out"], [4]),
        (["--profile", "metrics"], [6, 3]),
        (["--status", "replayed", "--status", "replay_failed"], [1, 2]),
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


# --- CSV ----------------------------------------------------------------------------------------


def test_a_table_has_the_same_fields_flattened(invoke: Invoke, samples: Path) -> None:
    rows, records = table(invoke), exported(invoke)
    assert len(rows) == len(records)
    for row, record in zip(rows, records, strict=True):
        assert tuple(row) == FIELDS
        for name in ("headers", "hops", "original_headers"):
            assert json.loads(row[name]) == record[name]
        for name in ("key_b64", "value_b64"):
            assert decode64(row[name].removeprefix("'") or None) == (decode64(record[name]) or None)
        for name in ("partition", "offset", "attempts", "error_code"):
            assert row[name] == ("" if record[name] is None else str(record[name]))


FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1"]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_cell_that_would_run_as_a_formula_has_an_apostrophe(
    invoke: Invoke, db_path: Path, text: str
) -> None:
    seed(db_path, [failed_event(0, error=text, topic=text)])
    (row,) = table(invoke)
    assert row["error_message"].startswith("'")
    assert row["original_topic"].startswith("'")
    assert exported(invoke)[0]["error_message"] == text


def test_no_text_cell_of_any_letter_begins_as_a_formula(invoke: Invoke, db_path: Path) -> None:
    odd = [failed_event(n, error=text, topic=text) for n, text in enumerate(FORMULAS)]
    # Base64 may begin with a plus as well.
    seed(db_path, [*odd, Foreign(b"\xfb\xff", b"\xfb", (("=h", b"\xfb"),))])
    rows = table(invoke)
    assert rows[-1]["value_b64"] == "'+/8="
    for row in rows:
        for name, cell in row.items():
            assert not cell.startswith(tuple("=+-@\t\r")) or (name == "error_code"), name


def test_a_number_stays_a_number(invoke: Invoke, own: Path) -> None:
    row = table(invoke)[3]
    assert (row["error_code"], row["partition"], row["offset"]) == ("-192", "0", "3")
    assert row["is_pointer"] == "false"


def test_control_characters_are_spelt_out_in_a_table_and_it_stays_a_table(
    invoke: Invoke, db_path: Path
) -> None:
    text = 'a\x00\x1b[2J\r\u202e",;\nb 漢字 é'
    seed(db_path, [failed_event(0, error=text), failed_event(1)])
    result = invoke("dead-letters", "export", "--format", "csv")
    first, _ = table(invoke)
    assert first["error_message"] == 'a\\x00\\x1b[2J\\x0d\\u202e",;\nb 漢字 é'
    assert is_harmless(result.stdout_bytes.decode("utf-8").replace("\r\n", "\n"))


# --- much, and large ----------------------------------------------------------------------------


def test_a_value_of_5_mb_comes_out_whole(invoke: Invoke, db_path: Path) -> None:
    value = os.urandom(5 * MEGABYTE)
    store(db_path, [replace(SAMPLES[0].record, value=value)])
    (told,) = exported(invoke)
    assert decode64(told["value_b64"]) == value
    assert told["value_bytes"] == 5 * MEGABYTE


def test_5000_letters_stream_in_the_memory_of_a_few(invoke: Invoke, db_path: Path) -> None:
    body = b"x" * 3_000
    record = SAMPLES[0].record
    for at in range(0, 5_000, 500):
        store(
            db_path,
            [replace(record, offset=at + n, value=b"%d" % (at + n) + body) for n in range(500)],
        )
    out = db_path.with_name("out.jsonl")
    tracemalloc.start()
    result = invoke("dead-letters", "export", "--output", out)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert result.exit_code == 0
    assert "5,000 dead letters written" in result.stderr
    with out.open("rb") as file:
        offsets = [json.loads(line)["offset"] for line in file]
    assert offsets == list(range(5_000))
    assert out.stat().st_size > 20 * MEGABYTE
    assert peak < 2 * MEGABYTE


def test_a_reader_that_goes_away_ends_it_quietly(start: Start, samples: Path) -> None:
    store(
        samples, [replace(SAMPLES[0].record, offset=n + 900, value=b"v" * 9_000) for n in range(99)]
    )
    process = start("dead-letters", "export")
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["id"] == 1
    process.stdout.close()
    process.stdout = None
    _, said = process.communicate(timeout=30)
    assert said == ""
    assert process.returncode == 1


# --- files ---------------------------------------------------------------------------------------


def test_a_file_holds_what_stdout_would(invoke: Invoke, samples: Path, tmp_path: Path) -> None:
    for format_ in ("jsonl", "csv"):
        out = tmp_path / f"out.{format_}"
        result = invoke("dead-letters", "export", "--format", format_, "--output", out)
        assert (result.exit_code, result.stdout) == (0, "")
        straight = invoke("dead-letters", "export", "--format", format_).stdout_bytes
        assert out.read_bytes() == straight


def test_a_file_that_is_there_is_kept_without_force(
    invoke: Invoke, own: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"
    out.write_bytes(b"mine")
    result = invoke("dead-letters", "export", "--output", out)
    assert result.exit_code == 1
    assert "--force" in result.stderr
    assert out.read_bytes() == b"mine"
    assert invoke("dead-letters", "export", "--output", out, "--force").exit_code == 0
    assert len(out.read_bytes().splitlines()) == OWN
    assert sorted(path.name for path in tmp_path.glob("*out*")) == ["out.jsonl"]


def test_a_file_that_came_while_it_ran_is_kept(
    invoke: Invoke, own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out.jsonl"
    write = dead_letters_export._write

    def and_another(*arguments: Any) -> int:
        out.write_bytes(b"theirs")
        return write(*arguments)

    monkeypatch.setattr(dead_letters_export, "_write", and_another)
    result = invoke("dead-letters", "export", "--output", out)
    assert result.exit_code == 1
    assert "is there already" in result.stderr
    assert out.read_bytes() == b"theirs"
    assert list(tmp_path.glob(".out*")) == []


@pytest.mark.parametrize("force", [[], ["--force"]])
def test_an_export_that_breaks_leaves_no_file_and_the_old_one_as_it_was(
    invoke: Invoke, own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, force: list[str]
) -> None:
    out = tmp_path / "out.jsonl"
    if force:
        out.write_bytes(b"old")
    seen = 0

    def full(record: Any) -> bytes:
        nonlocal seen
        seen += 1
        if seen > 2:
            raise OSError(28, "No space left on device")
        return b"{}\n"

    monkeypatch.setattr(dead_letters_export, "json_line", full)
    result = invoke("dead-letters", "export", "--output", out, *force)
    assert result.exit_code == 1
    assert "No space left" in result.stderr
    assert list(tmp_path.glob(".out*")) == []
    assert (out.read_bytes() == b"old") if force else not out.exists()


def test_what_is_no_ordinary_file_is_left_alone_even_with_force(
    invoke: Invoke, own: Path, tmp_path: Path
) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for target in (fifo, tmp_path):
        result = invoke("dead-letters", "export", "--output", target, "--force")
        assert result.exit_code == 1
        assert "no ordinary file" in result.stderr
    assert fifo.is_fifo()


def test_a_symbolic_link_stays_one_and_its_file_is_replaced(
    invoke: Invoke, own: Path, tmp_path: Path
) -> None:
    real, link = tmp_path / "real.jsonl", tmp_path / "link.jsonl"
    real.write_bytes(b"old")
    link.symlink_to(real)
    assert invoke("dead-letters", "export", "--output", link, "--force").exit_code == 0
    assert link.is_symlink()
    assert len(real.read_bytes().splitlines()) == OWN


# --- groups --------------------------------------------------------------------------------------


def grouped(invoke: Invoke, *options: object) -> Any:
    return document(invoke("dead-letters", "groups", "--json", *options))


def test_letters_are_grouped_by_cause_the_most_frequent_first(invoke: Invoke, own: Path) -> None:
    change(own, "UPDATE dead_letters SET stored_us = id * 1000000")
    db = open_database(own)
    letter_seed.replayed(db, 1, "done")
    db.close()
    told = grouped(invoke)
    assert (told["total"], told["causes"]) == (OWN, 4)
    assert [group["count"] for group in told["groups"]] == [2, 2, 1, 1]
    # Alike in number: the latest seen first. Letters 2 and 6 have one cause, 1 and 5 another.
    assert [group["last_seen_us"] for group in told["groups"]] == [
        6_000_000,
        5_000_000,
        4_000_000,
        3_000_000,
    ]
    group = told["groups"][1]
    assert (group["first_seen_us"], group["side"]) == (1_000_000, "producer")
    assert group["conventions"] == ["ackboard"]
    assert group["topics"] == [
        {"topic": "task-analytics", "count": 1},
        {"topic": "task-events", "count": 1},
    ]
    assert group["statuses"] == [
        {"status": "new", "count": 1},
        {"status": "replayed", "count": 1},
    ]
    assert group["title"].startswith("_UNKNOWN_PARTITION")
    assert group["fingerprint"] == exported(invoke)[0]["cause_id"]


def test_first_and_last_are_those_of_the_whole_cause(invoke: Invoke, own: Path) -> None:
    # Whichever of its topics the database tells first.
    for order, (first, last) in {"id": (1, 5), "7 - id": (2, 6)}.items():
        change(own, f"UPDATE dead_letters SET stored_us = {order}")
        cause = exported(invoke, "--cause", "_UNKNOWN_PARTITION")[0]["cause_id"]
        (group,) = (g for g in grouped(invoke)["groups"] if g["fingerprint"] == cause)
        assert (group["first_seen_us"], group["last_seen_us"]) == (first, last)


@pytest.mark.parametrize(
    ("options", "total"),
    [
        (["--topic", "task-events"], 2),
        (["--status", "replayed"], 1),
        (["--since", "1h"], 5),
        (["--topic", "none"], 0),
    ],
)
def test_each_filter_of_the_groups_keeps_its_own(
    invoke: Invoke, own: Path, options: list[str], total: int
) -> None:
    db = open_database(own)
    letter_seed.replayed(db, 1, "done")
    db.close()
    hours_ago = now_us() - 7_200_000_000
    change(own, "UPDATE dead_letters SET stored_us = ? WHERE id = 6", hours_ago)
    told = grouped(invoke, *options)
    assert told["total"] == total == sum(group["count"] for group in told["groups"])


def test_a_limit_cuts_the_groups_and_says_what_there_is(invoke: Invoke, own: Path) -> None:
    told = grouped(invoke, "--limit", "1")
    assert len(told["groups"]) == 1
    assert (told["total"], told["causes"]) == (OWN, 4)
    text = invoke("dead-letters", "groups", "--limit", "1").stdout
    assert "1 of 4 causes shown, of 6 dead letters." in text


def test_the_groups_of_every_framework_read_harmlessly(invoke: Invoke, samples: Path) -> None:
    seed(samples, [failed_event(0, error=f"{HARM} [bold]x[/]", topic="t\x1b[2J")])
    result = invoke("dead-letters", "groups")
    assert is_harmless(result.stdout)
    assert "t\\x1b[2J 1" in result.stdout
    assert "kafka-connect; consumer side" in result.stdout
    assert "not known 1" in result.stdout  # what Connect wrote without its context headers
    assert grouped(invoke)["total"] == len(SAMPLES) + 1
    assert "No dead letter matches." in invoke("dead-letters", "groups", "--topic", "no").stdout


# --- the documents -------------------------------------------------------------------------------


def test_the_documented_record_has_the_keys_there_are(invoke: Invoke, own: Path) -> None:
    assert tuple(example("dead-letters", "export")) == FIELDS
    section = section_of(("dead-letters", "export"))
    for name in exported(invoke)[0]:
        assert f"`{name}`" in section, f"{name} is not explained"


def test_the_documented_groups_have_the_keys_there_are(invoke: Invoke, own: Path) -> None:
    assert keys_of(grouped(invoke)) == keys_of(example("dead-letters", "groups"))
    assert "dead-letters export" in DOCS
