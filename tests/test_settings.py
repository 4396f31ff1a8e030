"""Settings come from the environment, and a wrong one is named with its mend."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from producer_agent.settings import Settings, SettingsInvalid, property_name


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("ACKBOARD_", "KAFKA_")):
            monkeypatch.delenv(name)


def test_with_nothing_set_it_is_the_embedded_cluster() -> None:
    settings = Settings.load()
    assert settings.is_embedded
    assert settings.db == Path("data/ackboard.db")
    assert settings.connection({}) == {}


@pytest.mark.parametrize("value", ["", "broker:9092"])
def test_the_cluster_is_named_by_kafkas_own_variable(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", value)
    settings = Settings.load()
    assert settings.is_embedded is (value == "")
    assert settings.connection({}).get("bootstrap.servers", "") == value


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ACKBOARD_KEEP_DELIVERIES", "many"),
        ("ACKBOARD_KEEP_DELIVERIES", "3"),
        ("ACKBOARD_OUTBOX_LIMIT", "0"),
        ("ACKBOARD_LOG_LEVEL", "LOUD"),
        ("ACKBOARD_CLUSTER_KIND", "embedded"),
        ("ACKBOARD_AUTOSTART", "perhaps"),
        ("ACKBOARD_TOPIC_REPLICATION_FACTOR", "0"),
    ],
)
def test_a_wrong_value_is_named_by_its_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsInvalid, match=f"{variable}='{value}'.*Correct the environment"):
        Settings.load()


def test_all_wrong_values_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACKBOARD_LOG_LEVEL", "LOUD")
    monkeypatch.setenv("ACKBOARD_OUTBOX_LIMIT", "-1")
    with pytest.raises(SettingsInvalid) as invalid:
        Settings.load()
    assert len(str(invalid.value).splitlines()) == 2


@pytest.mark.parametrize(
    ("variable", "name"),
    [
        ("ACKBOARD_KAFKA_SASL_PASSWORD", "sasl.password"),
        ("ACKBOARD_KAFKA_SSL_CA_LOCATION", "ssl.ca.location"),
        ("ACKBOARD_KAFKA_LOG_LEVEL", "log_level"),
    ],
)
def test_any_librdkafka_property_can_be_set(variable: str, name: str) -> None:
    assert property_name(variable) == name
    assert Settings().connection({variable: "x", "OTHER": "y"}) == {name: "x"}


def test_the_named_brokers_win_over_a_property(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "a:1")
    connection = Settings.load().connection({"ACKBOARD_KAFKA_BOOTSTRAP_SERVERS": "b:2"})
    assert connection == {"bootstrap.servers": "a:1"}


def test_secrets_are_not_in_what_a_log_would_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACKBOARD_KAFKA_SASL_PASSWORD", "hunter2")
    settings = Settings.load()
    assert "hunter2" not in f"{settings!r}{settings}{settings.model_dump()}"
    assert settings.connection()["sasl.password"] == "hunter2"
