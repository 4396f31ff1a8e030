"""Profiles: shipped ones are kept up to date until somebody edits or deletes them."""

from __future__ import annotations

from functools import partial

from producer_agent.store import profiles
from producer_agent.store.reader import Reader
from producer_agent.store.writer import Writer


def ship(writer: Writer, **bodies: str) -> None:
    writer.call(partial(profiles.ship, bodies=bodies))


def body(reader: Reader, name: str) -> str | None:
    row = reader(partial(profiles.get, name=name))
    return None if row is None else row.body


def test_a_shipped_profile_follows_a_new_version(writer: Writer, reader: Reader) -> None:
    ship(writer, a="1")
    ship(writer, a="2", b="1")
    assert (body(reader, "a"), body(reader, "b")) == ("2", "1")


def test_an_edited_profile_is_left_alone(writer: Writer, reader: Reader) -> None:
    ship(writer, a="1")
    writer.call(partial(profiles.set_rate, name="a", rate=9.0))
    writer.call(partial(profiles.save, name="a", body="mine"))
    ship(writer, a="2")
    row = reader(partial(profiles.get, name="a"))
    assert row is not None
    assert (row.body, row.shipped, row.rate) == ("mine", False, None)


def test_a_deleted_profile_stays_deleted(writer: Writer, reader: Reader) -> None:
    ship(writer, a="1")
    writer.call(partial(profiles.delete, name="a"))
    ship(writer, a="2")
    assert body(reader, "a") is None


def test_a_name_that_somebody_took_before_it_was_shipped_is_theirs(
    writer: Writer, reader: Reader
) -> None:
    writer.call(partial(profiles.save, name="a", body="mine"))
    ship(writer, a="1")
    ship(writer, a="2")
    assert body(reader, "a") == "mine"


def test_what_a_person_started_stopped_or_slowed_is_remembered(
    writer: Writer, reader: Reader
) -> None:
    ship(writer, a="1", b="1", c="1")
    writer.call(partial(profiles.want, name="a", running=True))
    writer.call(partial(profiles.want, name="b", running=False))
    writer.call(partial(profiles.set_rate, name="b", rate=2.5))
    ship(writer, a="2", b="2", c="2")
    found = [(row.name, row.wanted, row.rate) for row in reader(profiles.all_profiles)]
    assert found == [("a", True, None), ("b", False, 2.5), ("c", None, None)]
