"""A producer is made of a profile's name, a profile, its file, or plain properties."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from producer_agent.delivery.profiles import ProfileInvalid
from producer_agent.reliable import NoConfiguration, bootstrap_servers
from producer_agent.reliable.configuration import resolve
from producer_agent.store import facts, profiles
from producer_agent.store.database import open_database
from tests.recording import profile

CONNECTION = {"bootstrap.servers": "k:9092"}


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KAFKA_BOOTSTRAP_SERVERS", "ACKBOARD_DB"):
        monkeypatch.delenv(name, raising=False)


def test_plain_properties_are_left_as_they_are() -> None:
    given = {**CONNECTION, "acks": 1, "linger.ms": 7, "client.id": "checkout"}
    resolved = resolve(given, {"linger.ms": 9}, None, None)
    assert resolved.config == {**given, "linger.ms": 9}
    assert (resolved.name, resolved.acks) == ("checkout", "1")
    assert resolve(given, {}, "named", None).name == "named"


def test_what_is_stored_with_a_run_is_no_secret_and_no_function() -> None:
    secret = {"sasl.password": "hush", "ssl.key.pem": "hush", "error_cb": print, "acks": "all"}
    body = json.loads(resolve({**CONNECTION, **secret}, {}, "n", None).body)
    assert body == {"name": "n", "librdkafka": {"acks": "all"}}


def test_a_stored_profile_is_found_by_its_name_before_a_shipped_one(db_path: Path) -> None:
    db = open_database(db_path)
    with db.atomic():
        mine = profile("critical", linger_ms=77.0)
        profiles.save(db, "critical", mine.to_json())
    db.close()
    found = resolve("critical", CONNECTION, None, db_path)
    assert found.config["linger.ms"] == 77.0
    assert found.config["bootstrap.servers"] == "k:9092"
    assert found.name == "critical"
    shipped = resolve("critical", CONNECTION, None, None)
    assert shipped.config["enable.idempotence"] is True
    assert json.loads(shipped.body)["objective"]["success_ratio"] == 0.9999


def test_a_profile_and_its_file_come_to_the_same(tmp_path: Path) -> None:
    given = profile("orders", acks=1, compression="zstd")
    path = tmp_path / "orders.json"
    path.write_text(given.to_json())
    assert resolve(given, CONNECTION, None, None) == resolve(path, CONNECTION, None, None)
    assert resolve(str(path), CONNECTION, None, None).config["compression.type"] == "zstd"


def test_what_cannot_be_found_says_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(NoConfiguration, match=r"no profile 'nope': .*ACKBOARD_DB.*critical"):
        resolve("nope", CONNECTION, None, None)
    with pytest.raises(NoConfiguration, match="There is no database at"):
        resolve("nope", CONNECTION, None, tmp_path / "none.db")
    with pytest.raises(NoConfiguration, match="cannot be read"):
        resolve(tmp_path / "none.json", CONNECTION, None, None)
    (tmp_path / "bad.json").write_text("{}")
    with pytest.raises(ProfileInvalid):
        resolve(tmp_path / "bad.json", CONNECTION, None, None)
    with pytest.raises(NoConfiguration, match="1 to 63 printable characters"):
        resolve(CONNECTION, {}, "a\nb", None)


def test_the_cluster_is_the_environments_before_the_dashboards(
    db_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NoConfiguration, match="KAFKA_BOOTSTRAP_SERVERS"):
        bootstrap_servers()
    db = open_database(db_path)
    with pytest.raises(NoConfiguration, match="has not told its cluster yet"):
        bootstrap_servers(db_path)
    with db.atomic():
        facts.put(db, "cluster", {"bootstrap_servers": "127.0.0.1:5"})
    db.close()
    assert bootstrap_servers(db_path) == "127.0.0.1:5"
    assert resolve("critical", {}, None, db_path).config["bootstrap.servers"] == "127.0.0.1:5"
    monkeypatch.setenv("ACKBOARD_DB", str(db_path))
    assert bootstrap_servers() == "127.0.0.1:5"
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "real:9092")
    assert bootstrap_servers(db_path) == "real:9092"
    assert resolve("critical", {}, None, db_path).bootstrap_servers == "real:9092"


@pytest.mark.parametrize(
    ("config", "acks"),
    [
        ({}, "all"),
        ({"acks": -1}, "all"),
        ({"acks": "all"}, "all"),
        ({"request.required.acks": "1"}, "1"),
        ({"acks": 0}, "0"),
        ({"acks": 1, "request.required.acks": 0}, "0"),
    ],
)
def test_the_acks_level_is_what_librdkafka_makes_of_it(
    config: dict[str, object], acks: str
) -> None:
    assert resolve(config, {}, "n", None).acks == acks
