"""Full-text search of dead letters: payload, headers and key (see ``store/letter_text.py``)."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from sqlite_utils import Database

from producer_agent.store.headers import Headers, headers_from_json
from producer_agent.store.letter_text import SEARCHED_BYTES, header_marks, searched_text
from producer_agent.store.schema.base import migrations, script

STEP = 1_000
"""Letters whose payloads are in memory at once while an older database is indexed."""


@migrations()
def m0012_letter_search(db: Database) -> None:
    """The three indexes, what keeps them, and what is there already.

    Indexing goes through letters in steps, within the migration: at some 15,000 letters a second
    an upgrade takes a moment, and a search never finds half of what there is.
    """
    value = f"coalesce({{row}}.searched, CAST(substr({{row}}.value, 1, {SEARCHED_BYTES}) AS TEXT))"
    old, new = value.format(row="OLD"), value.format(row="NEW")
    script(
        db,
        f"""
        -- The original's text where the value wraps it; null: the value is searched itself.
        ALTER TABLE dead_letter_records ADD COLUMN searched TEXT;
        CREATE VIEW letter_texts (letter, value) AS
            SELECT r.letter, {value.format(row="r")} FROM dead_letter_records r;
        CREATE VIRTUAL TABLE letter_text USING fts5(
            value, content='letter_texts', content_rowid='letter', columnsize=0,
            tokenize='unicode61 remove_diacritics 2'
        );
        CREATE VIRTUAL TABLE letter_headers USING fts5(
            marks, detail=none, columnsize=0, tokenize='ascii'
        );
        CREATE VIRTUAL TABLE letter_keys USING fts5(
            original_key_text, content='dead_letters', content_rowid='id', columnsize=0,
            tokenize='trigram'
        );
        -- What comes in is indexed by store/letter_insert.py, a batch in one statement: in a
        -- trigger each row would cost five times as much, as FTS5 then saves its state row by row.
        CREATE TRIGGER letter_text_gone AFTER DELETE ON dead_letter_records
        BEGIN
            INSERT INTO letter_text (letter_text, rowid, value)
                VALUES ('delete', OLD.letter, {old});
            DELETE FROM letter_headers WHERE rowid = OLD.letter;
        END;
        CREATE TRIGGER letter_key_changed AFTER UPDATE OF original_key_text ON dead_letters
        BEGIN
            INSERT INTO letter_keys (letter_keys, rowid, original_key_text)
                SELECT 'delete', OLD.id, OLD.original_key_text
                 WHERE OLD.original_key_text IS NOT NULL;
            INSERT INTO letter_keys (rowid, original_key_text)
                SELECT NEW.id, NEW.original_key_text WHERE NEW.original_key_text IS NOT NULL;
        END;
        CREATE TRIGGER letter_key_gone AFTER DELETE ON dead_letters
            WHEN OLD.original_key_text IS NOT NULL
        BEGIN
            INSERT INTO letter_keys (letter_keys, rowid, original_key_text)
                VALUES ('delete', OLD.id, OLD.original_key_text);
        END;
        """,
    )
    last = 0
    while rows := db.execute(
        "SELECT letter, value, headers FROM dead_letter_records WHERE letter > ? "
        "ORDER BY letter LIMIT ?",
        [last, STEP],
    ).fetchall():
        last = rows[-1][0]
        _index(db, rows)
    db.execute("INSERT INTO letter_text (rowid, value) SELECT letter, value FROM letter_texts")
    db.execute(
        "INSERT INTO letter_keys (rowid, original_key_text) "
        "SELECT id, original_key_text FROM dead_letters WHERE original_key_text IS NOT NULL"
    )
    # Last, as the first indexing sets `searched` of what is not in the index yet.
    script(
        db,
        f"""
        CREATE TRIGGER letter_text_changed AFTER UPDATE OF value, searched ON dead_letter_records
        BEGIN
            INSERT INTO letter_text (letter_text, rowid, value)
                VALUES ('delete', OLD.letter, {old});
            INSERT INTO letter_text (rowid, value) VALUES (NEW.letter, {new});
        END;
        """,
    )


def _index(db: Database, rows: list[Any]) -> None:
    texts, marks = [], []
    for letter, value, headers in rows:
        original, original_headers = _wrapped(value)
        text = searched_text(value, original)
        if text is not None:
            texts.append((text, letter))
        marks.append((letter, header_marks(headers_from_json(headers), original_headers)))
    assert db.conn is not None, "the database was closed"
    db.conn.executemany("UPDATE dead_letter_records SET searched = ? WHERE letter = ?", texts)
    db.conn.executemany("INSERT INTO letter_headers (rowid, marks) VALUES (?, ?)", marks)


def _wrapped(value: bytes | None) -> tuple[bytes | None, Headers]:
    """What the envelope of the first release wraps. It was the only convention that wrapped."""
    if not value or not value.lstrip().startswith(b"{"):
        return None, ()
    try:
        body = json.loads(value)
        original = body["original_value"]
        if body.get("original_value_encoding") == "base64":
            wrapped = base64.b64decode(original, validate=True)
        else:
            text = original if isinstance(original, str) else json.dumps(original)
            wrapped = text.encode("utf-8", "replace")
        pairs = body.get("original_headers") or []
        return wrapped, [
            (str(name), None if told is None else base64.b64decode(told)) for name, told in pairs
        ]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, binascii.Error):
        return None, ()  # no envelope after all: its value is searched as it is
