"""The kinds of value a profile is made of, each refusing what librdkafka would misread.

Librdkafka cuts a number at its first odd character without a word (`64KB` is 64 bytes, `1_000`
is 1, `010` is 8), and pydantic reads some of the same texts otherwise. Here they are refused,
with the number that was most likely meant.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator
from pydantic_core import PydanticCustomError

from producer_agent.delivery.profile_problems import meant_number

Setting = str | int | float | bool

INT32_MAX: Final = 2_147_483_647

_PLAIN_INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)")
_PLAIN_DECIMAL: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")
_SLUG: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_TOPIC: Final = re.compile(r"[A-Za-z0-9._-]{1,249}")


def invalid(message: str, mend: str) -> PydanticCustomError:
    """The error that a validator raises to give its own message and mend."""
    # The texts go in as context: a brace in what the user wrote must not be taken for a field.
    return PydanticCustomError("profile", "{message}", {"message": message, "mend": mend})


def _number(value: object, plain: re.Pattern[str], kind: str) -> object:
    """Refuse what librdkafka would cut at its first odd character, and pydantic would guess at."""
    if isinstance(value, bool):
        raise invalid(f"{value} is no number", "Write a number.")
    if isinstance(value, str) and not plain.fullmatch(value):
        meant = meant_number(value)
        mend = f"Write a plain {kind}" + (f", such as {meant}." if meant is not None else ".")
        raise invalid(f"{value!r} is not a plain {kind}", mend)
    return value


def _integer(value: object) -> object:
    return _number(value, _PLAIN_INTEGER, "integer")


def _decimal(value: object) -> object:
    return _number(value, _PLAIN_DECIMAL, "number")


def _acks(value: object) -> object:
    named: Mapping[object, object] = {"0": 0, "1": 1, "-1": "all", -1: "all", "all": "all"}
    key = value.strip().lower() if isinstance(value, str) else value
    if not isinstance(key, bool) and isinstance(key, int | str):
        found = named.get(key, key)
        if found in (0, 1, "all"):
            return found
    raise invalid(
        f"{value!r} is not an acknowledgement level a broker accepts",
        'Choose 0 (no proof), 1 (the leader) or "all" (every in-sync replica).',
    )


def _slug(value: str) -> str:
    if not _SLUG.fullmatch(value):
        raise invalid(
            f"{value!r} cannot be a profile's name",
            "Use 1 to 63 of a-z, 0-9, dot, underscore and hyphen, a letter or digit first.",
        )
    return value


def _topic(value: str) -> str:
    # org.apache.kafka.common.internals.Topic#validate
    if not _TOPIC.fullmatch(value) or value in (".", ".."):
        raise invalid(
            f"{value!r} cannot be a Kafka topic",
            "Use 1 to 249 of A-Z, a-z, 0-9, dot, underscore and hyphen.",
        )
    return value


def _setting(value: object) -> Setting:
    if not isinstance(value, str | int | float):
        raise invalid(
            f"{value!r} is not a setting librdkafka can take",
            "Write a text, a number, true or false.",
        )
    if isinstance(value, float) and not math.isfinite(value):
        raise invalid(f"{value} is not a finite number", "Write a finite number.")
    if isinstance(value, str) and ("\0" in value or not _is_unicode(value)):
        raise invalid(
            "the text holds a NUL or half a character, and librdkafka would cut it there",
            "Remove that character.",
        )
    return value


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _property_name(name: str) -> str:
    if not name or "\0" in name:
        raise invalid(f"{name!r} cannot be a property's name", "Name a librdkafka property.")
    return name


def _in_order(settings: dict[str, Setting]) -> dict[str, Setting]:
    return dict(sorted(settings.items()))


def _leaves_a_budget(value: float | None) -> float | None:
    if value is not None and not 0.0 < value < 1.0:
        raise invalid(
            f"a success ratio of {value:g} is not between 0 and 1, both excluded",
            "Write a share that leaves an error budget, such as 0.9999.",
        )
    return value


Acks = Annotated[Literal[0, 1, "all"], BeforeValidator(_acks)]
"""0, 1 or "all", read from "0", "1", -1 and "-1" as well; a broker takes no other level."""

Int = Annotated[int, BeforeValidator(_integer)]
Float = Annotated[float, BeforeValidator(_decimal)]
Share = Annotated[Float, Field(ge=0.0, le=1.0)]
PositiveMs = Annotated[Float, Field(gt=0.0)]
SuccessRatio = Annotated[Float, AfterValidator(_leaves_a_budget)]
Slug = Annotated[str, AfterValidator(_slug)]
Topic = Annotated[str, AfterValidator(_topic)]
Extra = Annotated[
    dict[Annotated[str, AfterValidator(_property_name)], Annotated[Any, PlainValidator(_setting)]],
    AfterValidator(_in_order),
]
"""Librdkafka properties by name, kept in the order of their names."""
