"""What every migration uses."""

from __future__ import annotations

from sqlite_utils import Database, Migrations

from producer_agent.store.lots import LOT_CAPACITY

__all__ = ["LOT_CAPACITY", "migrations", "script"]

migrations = Migrations("ackboard")


def script(db: Database, sql: str) -> None:
    """Run statements one by one: ``executescript`` would commit the migration's transaction.

    A trigger's body, which holds semicolons of its own, ends with a line ``END;``.
    """
    statement = ""
    in_trigger = False
    for line in sql.splitlines():
        statement += line + "\n"
        code = line.split("--")[0].strip()
        in_trigger = in_trigger or code.startswith("CREATE TRIGGER")
        if code.endswith(";") and (not in_trigger or code == "END;"):
            db.execute(statement)
            statement, in_trigger = "", False
    if statement.strip():
        raise AssertionError(f"a migration ends in the middle of a statement: {statement!r}")
