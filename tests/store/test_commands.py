"""Commands are taken once, settled once, and stay."""

from __future__ import annotations

import threading
from functools import partial

from producer_agent.store import commands
from producer_agent.store.commands import CommandRow
from producer_agent.store.reader import Reader
from producer_agent.store.writer import Writer


def ask(writer: Writer, kind: str = "run.start", why: str | None = None) -> int:
    return writer.call(lambda db: commands.insert(db, kind, {"profile": "orders"}, "ann", why))


def test_a_command_goes_from_asked_to_done_with_who_and_why(writer: Writer, reader: Reader) -> None:
    assert not reader(commands.any_asked)
    asked = ask(writer, why="a test")
    assert reader(commands.any_asked)
    taken = writer.call(commands.take)
    assert taken is not None
    assert (taken.id, taken.state, taken.who, taken.why) == (asked, "taken", "ann", "a test")
    assert not reader(commands.any_asked)
    writer.call(partial(commands.settle, command=asked, state="done", result={"profile": "orders"}))

    row = reader(partial(commands.get, command=asked))
    assert row is not None
    assert row.result == {"profile": "orders"}
    assert row.taken_us is not None
    assert row.settled_us is not None
    assert row.asked_us <= row.taken_us <= row.settled_us


def test_the_oldest_is_taken_first_and_each_by_one_only(writer: Writer) -> None:
    ids = [ask(writer) for _ in range(40)]
    taken: list[CommandRow] = []

    def take() -> None:
        while (row := writer.call(commands.take)) is not None:
            taken.append(row)

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(row.id for row in taken) == ids


def test_what_was_taken_by_an_agent_that_died_is_failed_and_the_rest_waits(
    writer: Writer, reader: Reader
) -> None:
    first, second = ask(writer), ask(writer)
    writer.call(commands.take)
    assert writer.call(partial(commands.fail_taken, reason="the agent died")) == 1

    rows = {row.id: row for row in reader(commands.latest)}
    assert (rows[first].state, rows[first].result) == ("failed", {"error": "the agent died"})
    assert rows[second].state == "asked"
    assert [row.id for row in reader(commands.latest)] == [second, first]
    assert reader(partial(commands.get, command=99)) is None
