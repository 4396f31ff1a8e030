"""Settings: everything that can be set from outside, each with its help.

All come from the environment; secrets only ever come from there and are never stored or shown.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict


class SettingsInvalid(Exception):
    """A setting cannot be used; the text names the variable and the mend."""


class Settings(BaseSettings):
    """``ACKBOARD_*`` variables, and ``KAFKA_BOOTSTRAP_SERVERS``."""

    model_config = SettingsConfigDict(
        env_prefix="ACKBOARD_", frozen=True, extra="ignore", populate_by_name=True
    )

    db: Path = Field(Path("data/ackboard.db"), description="the SQLite file")
    bootstrap_servers: str | None = Field(
        None,
        validation_alias="KAFKA_BOOTSTRAP_SERVERS",
        description="a real cluster's brokers; unset: the embedded cluster",
    )
    cluster_kind: str = Field(
        "real", pattern="^(real|lab)$", description="`lab` when the brokers are `make lab`'s own"
    )
    lab_home: Path | None = Field(
        None, description="folder of the lab's nodes; unset: lab, beside the database"
    )
    dead_letter_topic: str = Field("dead-letter-queue", description="where failed events go")
    board: str | None = Field(
        None,
        pattern="^[A-Za-z0-9._-]{1,64}$",
        description="this board's name: dead letters are read as consumer group ackboard-NAME; "
        "unset: one is made and kept in the database",
    )
    schema_registry_url: str | None = Field(
        None,
        pattern="^https?://",
        description="Confluent schema registry that payloads are decoded with; a login goes into "
        "ACKBOARD_SCHEMA_REGISTRY_USER_INFO as user:password",
    )
    topic_replication_factor: int | None = Field(
        None, ge=1, description="replication factor for created topics, instead of the profile's"
    )
    autostart: bool = Field(True, description="start the profiles that are marked active")
    keep_deliveries: int = Field(
        5_000_000, ge=10_000, description="delivery reports kept one by one, 24 bytes each"
    )
    keep_undelivered_days: float = Field(
        7.0, gt=0, description="days that rows of failed and rejected events are kept"
    )
    keep_published_days: float = Field(
        1.0, gt=0, description="days that outbox rows are kept after they were published"
    )
    outbox_limit: int = Field(
        100_000, ge=100, description="unpublished failures at which runs pause"
    )
    log_level: str = Field("INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="log level")

    @classmethod
    def load(cls) -> Self:
        """Read the environment.

        Raises:
            SettingsInvalid: naming each variable that is wrong.
        """
        try:
            return cls()
        except ValidationError as error:
            raise SettingsInvalid(
                "\n".join(
                    f"{_variable(str(problem['loc'][0]))}={problem['input']!r}: "
                    f"{problem['msg']}. Correct the environment variable or unset it."
                    for problem in error.errors()
                )
            ) from error

    @property
    def lab_folder(self) -> Path:
        """Where the lab keeps its nodes, if there is one."""
        return self.lab_home if self.lab_home is not None else self.db.parent / "lab"

    @property
    def is_embedded(self) -> bool:
        """No real cluster was named."""
        return not self.bootstrap_servers

    def connection(self, environment: Mapping[str, str] | None = None) -> dict[str, Any]:
        """librdkafka properties that reach the real cluster: ``bootstrap.servers`` and every
        ``ACKBOARD_KAFKA_*`` variable (``ACKBOARD_KAFKA_SASL_PASSWORD`` is ``sasl.password``).

        They may hold secrets: pass them to a client, and nowhere else.
        """
        environment = os.environ if environment is None else environment
        properties: dict[str, Any] = {
            property_name(name): value
            for name, value in sorted(environment.items())
            if name.startswith(KAFKA_PREFIX)
        }
        if self.bootstrap_servers:
            properties["bootstrap.servers"] = self.bootstrap_servers
        return properties


def schema_registry_user_info(environment: Mapping[str, str] | None = None) -> str | None:
    """``user:password`` for the schema registry, or None: a secret, so it is no setting and is
    never stored or shown."""
    environment = os.environ if environment is None else environment
    return environment.get("ACKBOARD_SCHEMA_REGISTRY_USER_INFO") or None


KAFKA_PREFIX = "ACKBOARD_KAFKA_"

_WITH_UNDERSCORE = {"log.level": "log_level"}
"""librdkafka's properties whose own name has an underscore."""


def property_name(variable: str) -> str:
    """The librdkafka property that an ``ACKBOARD_KAFKA_*`` variable sets."""
    name = variable.removeprefix(KAFKA_PREFIX).lower().replace("_", ".")
    return _WITH_UNDERSCORE.get(name, name)


def _variable(field: str) -> str:
    return field if field == "KAFKA_BOOTSTRAP_SERVERS" else f"ACKBOARD_{field.upper()}"
