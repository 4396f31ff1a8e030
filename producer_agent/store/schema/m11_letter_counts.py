"""Dead letters counted as they come and change, so that a total reads dozens of rows, not all."""

from __future__ import annotations

from sqlite_utils import Database

from producer_agent.store.schema.base import migrations, script

KIND_COLUMNS = (
    "cause",
    "topic",
    "original_topic",
    "side",
    "convention",
    "consumer_group",
    "connector",
    "profile",
    "error_class",
    "error_code",
)
"""What makes letters alike. Each is a column of ``dead_letters`` and of ``letter_kinds``."""


@migrations()
def m0011_letter_counts(db: Database) -> None:
    """Kinds of letters, how many of each there are by status and by hour, and what keeps count."""
    columns = ", ".join(KIND_COLUMNS)
    of_new = ", ".join(f"NEW.{name}" for name in KIND_COLUMNS)
    kind_of = (
        "(SELECT k.id FROM letter_kinds k WHERE "
        + " AND ".join(f"k.{name} IS {{row}}.{name}" for name in KIND_COLUMNS)
        + ")"
    )
    script(
        db,
        f"""
        -- One row a combination that occurs: a filter by any of these columns is a set of kinds.
        CREATE TABLE letter_kinds (
            id INTEGER PRIMARY KEY,
            cause INTEGER NOT NULL REFERENCES causes(id),
            topic TEXT NOT NULL,           -- the dead-letter topic
            original_topic TEXT,
            side TEXT NOT NULL,
            convention TEXT NOT NULL,
            consumer_group TEXT,
            connector TEXT,
            profile TEXT,
            error_class TEXT,
            error_code INTEGER
        );
        -- x'' is no text, so "not known" stays apart from empty.
        CREATE UNIQUE INDEX letter_kinds_once ON letter_kinds (
            cause, topic, side, convention, coalesce(original_topic, x''),
            coalesce(consumer_group, x''), coalesce(connector, x''), coalesce(profile, x''),
            coalesce(error_class, x''), coalesce(error_code, x'')
        );
        INSERT INTO letter_kinds ({columns}) SELECT DISTINCT {columns} FROM dead_letters;
        ALTER TABLE dead_letters ADD COLUMN kind INTEGER REFERENCES letter_kinds(id);
        UPDATE dead_letters SET kind = {kind_of.format(row="dead_letters")};
        -- By kind, status and time answers what these three did.
        DROP INDEX dead_letters_by_status;
        DROP INDEX dead_letters_by_cause;
        DROP INDEX dead_letters_by_topic;
        CREATE INDEX dead_letters_by_kind ON dead_letters (kind, status, stored_us);
        CREATE INDEX dead_letters_by_size ON dead_letters (size);
        CREATE INDEX dead_letters_by_original_time ON dead_letters (original_timestamp_ms);
        CREATE INDEX dead_letters_by_times_back ON dead_letters (times_back) WHERE times_back > 0;
        -- The last id given, for good: the number of a deleted letter never means another one.
        CREATE TABLE letter_ids (last INTEGER NOT NULL);
        INSERT INTO letter_ids SELECT coalesce(max(id), 0) FROM dead_letters;

        CREATE TABLE letter_counts (
            kind INTEGER NOT NULL REFERENCES letter_kinds(id),
            status TEXT NOT NULL,
            n INTEGER NOT NULL,
            PRIMARY KEY (kind, status)
        ) WITHOUT ROWID;
        CREATE TABLE letter_hours (
            kind INTEGER NOT NULL REFERENCES letter_kinds(id),
            status TEXT NOT NULL,
            hour INTEGER NOT NULL,         -- UTC hours since 1970, of stored_us
            n INTEGER NOT NULL,
            PRIMARY KEY (kind, status, hour)
        ) WITHOUT ROWID;
        INSERT INTO letter_counts SELECT kind, status, count(*) FROM dead_letters GROUP BY 1, 2;
        INSERT INTO letter_hours SELECT kind, status, stored_us / 3600000000, count(*)
            FROM dead_letters GROUP BY 1, 2, 3;

        -- Counting is the tables' own business: whoever writes a letter cannot forget it. Only
        -- many at once are counted in sums, see store/letter_counting.py.
        CREATE TABLE letter_counting (by_hand INTEGER NOT NULL);
        INSERT INTO letter_counting VALUES (0);
        CREATE TRIGGER letter_without_kind AFTER INSERT ON dead_letters WHEN NEW.kind IS NULL
        BEGIN
            INSERT OR IGNORE INTO letter_kinds ({columns}) VALUES ({of_new});
            UPDATE dead_letters SET kind = {kind_of.format(row="NEW")} WHERE id = NEW.id;
        END;
        CREATE TRIGGER letter_changed_kind AFTER UPDATE OF {columns} ON dead_letters
        BEGIN
            INSERT OR IGNORE INTO letter_kinds ({columns}) VALUES ({of_new});
            UPDATE dead_letters SET kind = {kind_of.format(row="NEW")} WHERE id = NEW.id;
        END;
        CREATE TRIGGER letter_counted AFTER INSERT ON dead_letters
            WHEN NEW.kind IS NOT NULL AND (SELECT by_hand FROM letter_counting) = 0
        BEGIN
            INSERT INTO letter_counts VALUES (NEW.kind, NEW.status, 1)
                ON CONFLICT DO UPDATE SET n = n + 1;
            INSERT INTO letter_hours
                VALUES (NEW.kind, NEW.status, NEW.stored_us / 3600000000, 1)
                ON CONFLICT DO UPDATE SET n = n + 1;
        END;
        CREATE TRIGGER letter_recounted AFTER UPDATE OF kind, status, stored_us ON dead_letters
            WHEN (SELECT by_hand FROM letter_counting) = 0
        BEGIN
            UPDATE letter_counts SET n = n - 1 WHERE kind = OLD.kind AND status = OLD.status;
            UPDATE letter_hours SET n = n - 1 WHERE kind = OLD.kind AND status = OLD.status
                AND hour = OLD.stored_us / 3600000000;
            INSERT INTO letter_counts VALUES (NEW.kind, NEW.status, 1)
                ON CONFLICT DO UPDATE SET n = n + 1;
            INSERT INTO letter_hours
                VALUES (NEW.kind, NEW.status, NEW.stored_us / 3600000000, 1)
                ON CONFLICT DO UPDATE SET n = n + 1;
        END;
        CREATE TRIGGER letter_uncounted AFTER DELETE ON dead_letters
        BEGIN
            UPDATE letter_counts SET n = n - 1 WHERE kind = OLD.kind AND status = OLD.status;
            UPDATE letter_hours SET n = n - 1 WHERE kind = OLD.kind AND status = OLD.status
                AND hour = OLD.stored_us / 3600000000;
        END;
        """,
    )
