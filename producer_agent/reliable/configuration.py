"""What a reliable producer is made of: a profile's name, a profile, its file, or a plain dict."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from producer_agent.store.guest import cluster_address, stored_profile
from producer_agent.store.sqlite import StoreError

if TYPE_CHECKING:
    from producer_agent.delivery.profiles import Profile

LONGEST_NAME = 63

_TOLD: Final = frozenset(
    {
        "acks",
        "batch.num.messages",
        "batch.size",
        "client.id",
        "compression.codec",
        "compression.level",
        "compression.type",
        "delivery.timeout.ms",
        "enable.idempotence",
        "linger.ms",
        "max.in.flight",
        "max.in.flight.requests.per.connection",
        "message.max.bytes",
        "message.send.max.retries",
        "message.timeout.ms",
        "partitioner",
        "queue.buffering.max.kbytes",
        "queue.buffering.max.messages",
        "queue.buffering.max.ms",
        "request.required.acks",
        "request.timeout.ms",
        "retries",
        "retry.backoff.max.ms",
        "retry.backoff.ms",
        "socket.timeout.ms",
        "transaction.timeout.ms",
        "transactional.id",
    }
)
"""Properties that are stored with a run: none of them can be a secret."""


class NoConfiguration(Exception):
    """No producer can be made of what was given; the text says why and what to give."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """A configuration, with the name and the JSON that Ackboard shows it under."""

    config: dict[str, Any]
    """librdkafka's properties and confluent-kafka's callbacks."""
    name: str
    body: str

    @property
    def acks(self) -> str:
        """``"0"``, ``"1"`` or ``"all"``."""
        # Of two aliases the later wins, as in librdkafka.
        written = "all"
        for name, value in self.config.items():
            if name in ("acks", "request.required.acks"):
                written = str(value)
        return written if written in ("0", "1") else "all"

    @property
    def is_transactional(self) -> bool:
        """Whether it has a transactional id."""
        return bool(self.config.get("transactional.id"))

    @property
    def bootstrap_servers(self) -> str:
        """The address of the cluster, or an empty text."""
        of_alias = self.config.get("metadata.broker.list", "")
        return str(self.config.get("bootstrap.servers", of_alias))


def resolve(
    given: str | os.PathLike[str] | Profile | Mapping[str, Any] | None,
    properties: Mapping[str, Any],
    name: str | None,
    database: Path | None,
) -> Resolved:
    """The configuration that is meant.

    Args:
        given: A profile's name (in the database, or shipped), a profile, the path of a profile's
            JSON file, or librdkafka properties.
        properties: Further properties, which win; a profile gets its connection from here. Where
            no ``bootstrap.servers`` is among all, see :func:`bootstrap_servers`.
        name: What it is shown as; None: the profile's name, else ``client.id``, else the
            program's.
        database: Where stored profiles and the embedded cluster's address are looked up.

    Raises:
        NoConfiguration: there is no such profile or file, or the name cannot be shown.
        ProfileInvalid: the profile's JSON is not valid.
    """
    if given is None or isinstance(given, Mapping):
        config = {**(given or {}), **properties}
        named = name or str(config.get("client.id") or "") or _program()
        resolved = Resolved(config, named, _body(named, config))
    else:
        profile = _profile(given, database)
        config = {**profile.producer.librdkafka(), **_environment(), **properties}
        named = name or profile.name
        resolved = Resolved(config, named, profile.to_json())
    if not (0 < len(named) <= LONGEST_NAME and named.isprintable()):
        raise NoConfiguration(
            f"A producer's name has 1 to {LONGEST_NAME} printable characters, not {named!r}. "
            "Give one as `name=`."
        )
    if not resolved.bootstrap_servers and not isinstance(given, Mapping):
        address = bootstrap_servers(database)
        resolved = replace(resolved, config={**resolved.config, "bootstrap.servers": address})
    return resolved


def bootstrap_servers(database: str | os.PathLike[str] | None = None) -> str:
    """Where the cluster is: ``KAFKA_BOOTSTRAP_SERVERS``, or what Ackboard's agent serves.

    Args:
        database: Ackboard's file, for the address of the embedded cluster; None: ``ACKBOARD_DB``.

    Raises:
        NoConfiguration: neither tells.
    """
    told = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
    if told:
        return told
    database = database or os.environ.get("ACKBOARD_DB")
    why = "ACKBOARD_DB is not set either"
    if database:
        try:
            address = cluster_address(Path(database))
        except StoreError as error:
            why = str(error)
        else:
            if address:
                return address
            why = f"the agent of {database} has not told its cluster yet"
    raise NoConfiguration(
        f"No Kafka cluster was named: set KAFKA_BOOTSTRAP_SERVERS, or pass bootstrap.servers. To "
        f"use the embedded cluster of a running dashboard, set ACKBOARD_DB to its file ({why})."
    )


def _profile(given: str | os.PathLike[str] | Profile, database: Path | None) -> Profile:
    from producer_agent.delivery.profiles import Profile

    if isinstance(given, Profile):
        return given
    text = os.fspath(given)
    # Names of profiles have neither "/" nor ".json".
    if not isinstance(given, str) or text.endswith(".json") or os.sep in text:
        try:
            return Profile.from_json(Path(text).read_bytes())
        except OSError as error:
            raise NoConfiguration(
                f"{text} cannot be read ({error.strerror or error}). Give the path of a profile's "
                "JSON file; `python -m producer_agent profiles export NAME` writes one."
            ) from error
    why = "no database was named, see ACKBOARD_DB"
    if database is not None:
        try:
            body = stored_profile(database, text)
        except StoreError as error:
            why = str(error)
        else:
            if body is not None:
                return Profile.from_json(body)
            why = f"{database} has none of this name"
    from producer_agent.delivery.shipped_profiles import shipped_profiles

    shipped = {profile.name: profile for profile in shipped_profiles()}
    if text not in shipped:
        raise NoConfiguration(
            f"There is no profile {text!r}: {why}. Shipped are {', '.join(sorted(shipped))}."
        )
    return shipped[text]


def _environment() -> dict[str, Any]:
    """Connection properties of the environment, as the agent reads them."""
    from producer_agent.settings import Settings

    return Settings.load().connection()


def _program() -> str:
    stem = Path(sys.argv[0] if sys.argv else "").stem
    return stem if stem and stem.isprintable() and stem != "-c" else "application"


def _body(name: str, config: Mapping[str, Any]) -> str:
    told = {key: config[key] for key in sorted(_TOLD & config.keys())}
    return json.dumps({"name": name, "librdkafka": told}, indent=2, default=str) + "\n"
