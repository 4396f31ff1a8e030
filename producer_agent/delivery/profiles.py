"""The profile: a named producer configuration, the load to send under it, and what to expect.

Its types and ranges are held here, so that a profile that exists is well-formed; what its parts
demand of each other is held in `profile_checks`, since an editor has to be able to hold a
profile that is not yet right. Nothing but pydantic is imported, so that a page can load this
without loading a Kafka client.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from producer_agent.delivery.profile_problems import (
    UNNAMED,
    Problem,
    ProfileInvalid,
    problems_in,
)
from producer_agent.delivery.profile_values import (
    INT32_MAX,
    Acks,
    Extra,
    Float,
    Int,
    PositiveMs,
    Setting,
    Share,
    Slug,
    SuccessRatio,
    Topic,
    invalid,
)

__all__ = [
    "PROPERTY_OF",
    "FaultMix",
    "Objective",
    "Problem",
    "ProducerSettings",
    "Profile",
    "ProfileInvalid",
    "Workload",
]

_IDEMPOTENT_IN_FLIGHT: Final = 5


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ProducerSettings(_Part):
    """Librdkafka's producer settings; every default and range is librdkafka's own.

    Four defaults depend on the others, as in librdkafka: a transactional id turns idempotence
    on and makes the delivery time-out that of the transaction; idempotence lowers the requests
    in flight to 5. They are settled when the settings are made, so what is stored and shown is
    what runs.
    """

    acks: Acks = Field("all", description='acknowledgements to wait for: 0, 1 or "all"')
    transactional_id: str | None = Field(
        None, min_length=1, max_length=249, description="makes the producer transactional"
    )
    transaction_timeout_ms: Int = Field(
        60_000,
        ge=1_000,
        le=INT32_MAX,
        description="after which the broker aborts an open transaction",
    )
    idempotence: bool = Field(
        default_factory=lambda given: given.get("transactional_id") is not None,
        description="broker drops duplicates made by retries, and keeps the order",
    )
    max_in_flight: Int = Field(
        default_factory=lambda given: (
            _IDEMPOTENT_IN_FLIGHT
            if given.get("idempotence") or given.get("transactional_id") is not None
            else 1_000_000
        ),
        ge=1,
        le=1_000_000,
        description="requests in flight per broker connection",
    )
    retries: Int = Field(INT32_MAX, ge=0, le=INT32_MAX, description="attempts after the first")
    retry_backoff_ms: Int = Field(
        100, ge=1, le=300_000, description="wait before the first retry; doubles from there"
    )
    delivery_timeout_ms: Int = Field(
        default_factory=lambda given: (
            given.get("transaction_timeout_ms", 60_000)
            if given.get("transactional_id") is not None
            else 300_000
        ),
        ge=0,
        le=INT32_MAX,
        description="after which an undelivered event fails; 0 is never",
    )
    request_timeout_ms: Int = Field(
        30_000, ge=1, le=900_000, description="how long a broker may wait for its replicas"
    )
    linger_ms: Float = Field(
        5.0, ge=0.0, le=900_000.0, description="how long an event waits for others to batch with"
    )
    batch_size: Int = Field(1_000_000, ge=1, le=INT32_MAX, description="bytes in a batch")
    compression: Literal["none", "gzip", "snappy", "lz4", "zstd"] = Field(
        "none", description="codec of a batch"
    )
    message_max_bytes: Int = Field(
        1_000_000, ge=1_000, le=1_000_000_000, description="largest event and batch, in bytes"
    )
    queue_max_messages: Int = Field(
        100_000, ge=0, le=INT32_MAX, description="events queued in the client; 0 is no limit"
    )
    extra: Extra = Field(
        default_factory=dict, description="any other librdkafka property, by its own name"
    )

    @property
    def is_transactional(self) -> bool:
        """Whether events are sent in transactions."""
        return self.transactional_id is not None

    def librdkafka(self) -> dict[str, Setting]:
        """The configuration confluent-kafka's Producer takes, `bootstrap.servers` left out.

        Every typed setting is written out, so that a newer librdkafka with other defaults does
        not change what a stored profile means. Where `extra` repeats one, the typed one wins.
        """
        left_out = set() if self.is_transactional else _TRANSACTIONAL_ONLY
        typed = {
            name: getattr(self, field)
            for field, name in PROPERTY_OF.items()
            if field not in left_out
        }
        # Of two aliases librdkafka heeds the later one, hence extra first.
        return {**self.extra, **typed}


PROPERTY_OF: Final[Mapping[str, str]] = MappingProxyType(
    {
        "acks": "acks",
        "transactional_id": "transactional.id",
        "transaction_timeout_ms": "transaction.timeout.ms",
        "idempotence": "enable.idempotence",
        "max_in_flight": "max.in.flight",
        "retries": "retries",
        "retry_backoff_ms": "retry.backoff.ms",
        "delivery_timeout_ms": "delivery.timeout.ms",
        "request_timeout_ms": "request.timeout.ms",
        "linger_ms": "linger.ms",
        "batch_size": "batch.size",
        "compression": "compression.type",
        "message_max_bytes": "message.max.bytes",
        "queue_max_messages": "queue.buffering.max.messages",
    }
)
"""Field of ProducerSettings to the librdkafka property it sets."""

_TRANSACTIONAL_ONLY: Final = frozenset({"transactional_id", "transaction_timeout_ms"})


class FaultMix(_Part):
    """What share of the events is made to fail, by kind; 0.001 is one in a thousand."""

    oversized: Share = Field(0.0, description="larger than message.max.bytes")
    unknown_partition: Share = Field(0.0, description="to a partition that does not exist")
    unknown_topic: Share = Field(0.0, description="to a topic that does not exist")

    @property
    def total(self) -> float:
        """The share of events that is made to fail at all."""
        return math.fsum((self.oversized, self.unknown_partition, self.unknown_topic))

    @model_validator(mode="after")
    def _at_most_all(self) -> FaultMix:
        # 0.7 + 0.2 + 0.1 may come out a hair above 1 in binary.
        if self.total > 1.0 + 1e-9:
            raise invalid(
                f"the shares add up to {self.total:g}, more than all events",
                "Lower them until they add up to 1 or less.",
            )
        return self


class Workload(_Part):
    """The load: what is sent where, how often and how large."""

    topic: Topic = Field(description="the topic to send to")
    second_topic: Topic | None = Field(
        None, description="every other event goes here instead; a transaction then spans both"
    )
    partitions: Int = Field(1, ge=1, le=10_000, description="partitions of the topic")
    per_broker: bool = Field(
        False,
        description="keep one partition led by every broker, whatever `partitions` says, and send "
        "to each in turn",
    )
    replication_factor: Int = Field(1, ge=1, le=32_767, description="copies of a partition")
    min_insync_replicas: Int = Field(
        1, ge=1, le=32_767, description="copies acks=all needs before it may acknowledge"
    )
    rate_per_s: Float = Field(10.0, gt=0.0, le=100_000.0, description="events per second")
    payload_bytes: Int = Field(
        300, ge=50, le=1_000_000, description="median size of the JSON payload, in bytes"
    )
    keys: Int = Field(
        0, ge=0, le=INT32_MAX, description="number of distinct keys; 0 is no key at all"
    )
    event: Literal["task", "analytics", "activity"] = Field("task", description="kind of event")
    faults: FaultMix = Field(
        default_factory=FaultMix, description="events made to fail, to have something to triage"
    )
    transaction_ms: Int = Field(
        1_000, ge=1, le=INT32_MAX, description="how often a transactional run commits"
    )


class Objective(_Part):
    """What the profile is held to; None is no target.

    A success ratio of exactly 1 is refused: it leaves no error budget, and a burn rate, which
    is the failed share divided by 1 minus the objective, would be infinite at the first failure.
    """

    success_ratio: SuccessRatio | None = Field(
        None, description="share of reported events that is delivered, such as 0.999"
    )
    latency_p99_ms: PositiveMs | None = Field(
        None, description="99th percentile of the acknowledgement latency, in ms"
    )


class Profile(_Part):
    """A named producer configuration with its workload and objective."""

    name: Slug = Field(description="the profile's name")
    description: str = Field("", max_length=2_000, description="what it is for")
    active: bool = Field(False, description="started when the agent starts")
    producer: ProducerSettings = Field(
        default_factory=ProducerSettings, description="librdkafka's settings"
    )
    workload: Workload = Field(description="what to send; at least a topic")
    objective: Objective = Field(default_factory=Objective, description="what to hold it to")

    @property
    def acks_label(self) -> Literal["0", "1", "all"]:
        """The acks level as it is shown and grouped by: "0", "1" or "all"."""
        if self.producer.acks == "all":
            return "all"
        return "1" if self.producer.acks == 1 else "0"

    @classmethod
    def from_mapping(cls, data: object) -> Profile:
        """A profile from decoded JSON or a form's values; raises ProfileInvalid."""
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            name = data.get("name") if isinstance(data, Mapping) else None
            shown = name[:63] if isinstance(name, str) and name.isprintable() and name else UNNAMED
            raise ProfileInvalid(problems_in(error, cls, shown)) from error

    @classmethod
    def from_json(cls, text: str | bytes) -> Profile:
        """A profile from its JSON; raises ProfileInvalid with every problem found.

        A key written twice is refused, where JSON readers commonly let the later one win.
        """
        try:
            data = json.loads(text, object_pairs_hook=_no_key_twice, parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            raise ProfileInvalid([_unreadable(error)]) from error
        return cls.from_mapping(data)

    def to_json(self) -> str:
        """The profile as JSON, the same text for equal profiles, every default written out."""
        return json.dumps(self.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n"


def _no_key_twice(pairs: list[tuple[str, object]]) -> dict[str, object]:
    result = dict(pairs)
    if len(result) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice!r} is written twice in one object")
    return result


def _no_constant(text: str) -> object:
    raise ValueError(f"{text} is not a JSON number")


def _unreadable(error: ValueError | RecursionError) -> Problem:
    reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
    return Problem(
        profile=UNNAMED,
        field="profile",
        message=f"The text is not the JSON of a profile: {reason}.",
        mend="Correct the JSON there; `profiles export` writes an example.",
    )
