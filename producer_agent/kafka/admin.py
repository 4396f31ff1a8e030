"""An admin client that keeps librdkafka's complaints instead of printing them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._metadata import ClusterMetadata

log = logging.getLogger(__name__)

_SECRET_WORDS: Final = ("password", "secret", "jaas", "oauthbearer.config", "pem")
_LAST_WORDS = 3


class ClusterUnreachable(RuntimeError):
    """No broker answered; the text has the address and librdkafka's last words, no secrets."""


class Admin:
    """A `confluent_kafka` admin client, `client`, and what librdkafka said about it.

    Raises:
        ClusterUnreachable: librdkafka refuses the settings; the text has its reason.
    """

    def __init__(self, client_config: Mapping[str, Any]) -> None:
        self._config = client_config
        self._complaints: dict[str, None] = {}  # an ordered set
        self.address = str(client_config.get("bootstrap.servers") or "(no bootstrap.servers)")
        # The callback holds the notes and not this object: a cycle through the client would keep
        # its threads and connections until the collector comes by.
        config: dict[str, Any] = {**client_config, "error_cb": partial(_complain, self._complaints)}
        try:
            self.client = AdminClient(config, logger=log)
        except (KafkaException, ValueError, TypeError) as error:
            reason = error.args[0].str() if isinstance(error, KafkaException) else str(error)
            raise ClusterUnreachable(
                f"no client for {self.address} can be made of these settings; "
                f"correct the one named here: {self.clean(reason)}"
            ) from None  # the cause's own text may show a secret

    @classmethod
    def of(cls, client: Mapping[str, Any] | Admin) -> Admin:
        """The client itself, or one made of these settings: whoever asks often keeps one."""
        return client if isinstance(client, Admin) else cls(client)

    def metadata(self, timeout_s: float) -> ClusterMetadata:
        """The brokers and all topics.

        Raises:
            ClusterUnreachable: no broker answered within `timeout_s`.
        """
        self._complaints.clear()
        try:
            return self.client.list_topics(timeout=timeout_s)
        except KafkaException as error:
            self.client.poll(0)  # librdkafka tells the reason in callbacks that wait for a poll
            said = list(self._complaints)[-_LAST_WORDS:] or [error.args[0].str()]
            raise ClusterUnreachable(
                f"no broker of {self.address} answered within {timeout_s:g} s: check the address, "
                "that a broker runs there, and the security settings. "
                f"Last words: {self.clean('; '.join(said))}"
            ) from None  # see above

    def clean(self, text: str) -> str:
        """The text without the value of any secret setting."""
        for name, value in self._config.items():
            if value and any(word in name for word in _SECRET_WORDS):
                text = text.replace(str(value), "***")
        return text


def _complain(complaints: dict[str, None], error: KafkaError) -> None:
    if error.code() == KafkaError._ALL_BROKERS_DOWN:
        return  # says nothing that the others do not
    words = error.str().partition(" (after ")[0]
    complaints.pop(words, None)  # said again: it moves to the end
    complaints[words] = None
