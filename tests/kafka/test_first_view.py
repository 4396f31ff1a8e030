"""The first broker that answers is enough, and where none does each is quoted."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from producer_agent.kafka.admin import ClusterUnreachable
from producer_agent.kafka.described_settings import port_state
from producer_agent.kafka.embedded import EmbeddedCluster
from producer_agent.kafka.first_view import first_view
from producer_agent.kafka.permissions import principal_of


@pytest.fixture
def hung() -> Iterator[str]:
    """A broker that takes connections and never answers, as a frozen process does."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def closed_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


def test_a_broker_that_hangs_does_not_hold_up_the_answer_of_another(
    shared_cluster: EmbeddedCluster, hung: str
) -> None:
    shared_cluster.create_topic("first-view", partitions=2)
    living = shared_cluster.bootstrap_servers.split(",")[0]
    began_s = time.monotonic()
    _, view = first_view({}, [hung, closed_port(), living], timeout_s=20.0)
    assert time.monotonic() - began_s < 15.0, "it waited for the broker that hangs"
    assert view.topic("first-view") is not None


def test_where_nobody_answers_each_is_quoted(hung: str) -> None:
    closed = closed_port()
    with pytest.raises(ClusterUnreachable) as told:
        first_view({}, [hung, closed, closed], timeout_s=0.5)
    assert hung in str(told.value)
    assert "Connection refused" in str(told.value)


def test_without_any_address_the_mend_is_named() -> None:
    with pytest.raises(ClusterUnreachable, match="KAFKA_BOOTSTRAP_SERVERS"):
        first_view({}, ["", " "], timeout_s=0.5)


def test_what_a_port_does_is_told(hung: str) -> None:
    assert port_state(hung) == "accepts connections"
    assert port_state(closed_port()) == "refuses connections"
    assert port_state("not an address") == "does not answer"


@pytest.mark.parametrize(
    ("settings", "principal"),
    [
        ({}, "User:ANONYMOUS"),
        ({"security.protocol": "SASL_SSL", "sasl.username": "app"}, "User:app"),
        ({"security.protocol": "sasl_plaintext", "sasl.mechanism": "OAUTHBEARER"}, None),
        ({"security.protocol": "SSL", "ssl.certificate.location": "app.pem"}, None),
        ({"security.protocol": "SSL"}, "User:ANONYMOUS"),
    ],
)
def test_who_we_are_to_the_brokers_is_told_as_far_as_our_settings_tell(
    settings: dict[str, str], principal: str | None
) -> None:
    assert principal_of(settings) == principal
