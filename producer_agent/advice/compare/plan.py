"""What a comparison is to measure, frozen before it begins: profiles, load, rounds, order."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Final, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from producer_agent.delivery.profile_problems import Problem, problems_in
from producer_agent.delivery.profile_values import INT32_MAX, Float, Int, invalid
from producer_agent.delivery.profiles import Profile

FEWEST_ROUNDS: Final = 5
"""The interval is a t interval over rounds: with fewer it is too wide to tell anything."""

LONGEST_S: Final = 7_200.0
MOST_BYTES: Final = 20_000_000_000
"""Of payload in all: a topic's replicas have to hold it until the comparison is over."""

SIZE_SPREAD: Final = 0.3
"""Payloads are ``payload_bytes`` give or take this share, evenly."""

TURN_OVERHEAD_S: Final = 1.2
"""A turn's connecting before and settling after, as it usually is."""

_FRAMING_BYTES: Final = 150
"""At least what an event's key, headers and framing need beside its payload."""


PRACTICE: Final = 0
"""The number of the round that is left out."""


class PlanInvalid(ValueError):
    """A comparison that cannot be made; ``problems`` holds every fault found, never none."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(
            "\n".join(f"{found.field}: {found.message} {found.mend}" for found in problems)
        )


class TurnPlan(NamedTuple):
    """One profile's part of one round."""

    rate: float
    round: int
    """From 1; :data:`PRACTICE` is left out."""
    position: int
    """From 1, in the round's shuffled order."""
    profile: int
    """From 0, in the plan's list."""


def _rates(values: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(sorted(set(values)))


Rate = Annotated[Float, Field(gt=0.0, le=100_000.0)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Load(_Part):
    """What every profile has to send."""

    rate_per_s: Rate = Field(500.0, description="events a second, open loop")
    payload_bytes: Int = Field(
        300, ge=1, le=1_000_000, description="median size of the payload, in bytes"
    )
    keys: Int = Field(
        1_000, ge=0, le=INT32_MAX, description="number of distinct keys; 0 is no key at all"
    )
    compressible: bool = Field(
        True, description="payloads of words, as JSON compresses; else random bytes"
    )
    seconds: Float = Field(
        5.0, ge=0.2, le=3_600.0, description="measured seconds of each profile in each round"
    )
    warm_up_s: Float = Field(
        1.0, ge=0.0, le=600.0, description="seconds before those, sent and left out"
    )


class TopicLayout(_Part):
    """The comparison's own topic: one for all profiles."""

    partitions: Int = Field(6, ge=1, le=1_000, description="partitions")
    replication_factor: Int = Field(3, ge=1, le=100, description="copies of a partition")
    min_insync_replicas: Int = Field(2, ge=1, le=100, description="copies acks=all waits for")

    @model_validator(mode="after")
    def _fits(self) -> TopicLayout:
        if self.min_insync_replicas > self.replication_factor:
            raise invalid(
                f"a min_insync_replicas of {self.min_insync_replicas} is more than the copies",
                f"Lower it to {self.replication_factor}, or raise `replication_factor`.",
            )
        return self


class ComparisonPlan(_Part):
    """2 to 5 profiles under one load, in interleaved rounds."""

    profiles: tuple[Profile, ...] = Field(description="frozen copies of the profiles")
    load: Load = Field(default_factory=Load, description="what each has to send")
    layout: TopicLayout = Field(default_factory=TopicLayout, description="the topic it sends to")
    rounds: Int = Field(FEWEST_ROUNDS, le=1_000, description="rounds at each rate")
    sweep: Annotated[tuple[Rate, ...], AfterValidator(_rates), Field(max_length=12)] = Field(
        (), description="further rates to measure at, events a second"
    )
    baseline: str = Field("", description="what the others are compared with; default: the first")
    seed: Int = Field(
        1, ge=0, le=2**63 - 1, description="of the events and of the order in each round"
    )

    @model_validator(mode="before")
    @classmethod
    def _first_is_baseline(cls, data: object) -> object:
        if not isinstance(data, dict) or data.get("baseline"):
            return data
        profiles = data.get("profiles")
        first = profiles[0] if isinstance(profiles, list | tuple) and profiles else None
        name = first.get("name") if isinstance(first, dict) else getattr(first, "name", None)
        return {**data, "baseline": name} if isinstance(name, str) else data

    @model_validator(mode="after")
    def _can_be_measured(self) -> ComparisonPlan:
        self._require_profiles()
        self._require_length()
        for profile in self.profiles:
            self._require_fit(profile)
        return self

    def _require_profiles(self) -> None:
        names = [profile.name for profile in self.profiles]
        if not 2 <= len(names) <= 5:
            raise invalid(
                f"{len(names)} profile{'s' if len(names) != 1 else ''} cannot be compared",
                "Give 2 to 5 profiles.",
            )
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise invalid(
                f"profile {twice} is there twice",
                "Save a copy of it under another name to compare a profile with itself.",
            )
        if self.baseline not in names:
            raise invalid(
                f"the baseline {self.baseline!r} is not among the profiles",
                f"Choose one of {', '.join(names)}.",
            )

    def _require_length(self) -> None:
        if self.rounds < FEWEST_ROUNDS:
            raise invalid(
                f"{self.rounds} rounds are too few for an interval that tells anything",
                f"Give at least {FEWEST_ROUNDS} rounds.",
            )
        if self.expected_s > LONGEST_S:
            raise invalid(
                f"it would take {self.expected_s / 3600:.1f} h, more than 2 h",
                "Measure fewer seconds, rounds, rates or profiles.",
            )
        if self.payload_total > MOST_BYTES:
            raise invalid(
                f"it would send {self.payload_total / 1e9:.0f} GB, more than "
                f"{MOST_BYTES / 1e9:.0f} GB",
                "Lower the rate, the payload, the seconds or the rounds.",
            )

    def _require_fit(self, profile: Profile) -> None:
        largest = int(self.load.payload_bytes * (1 + SIZE_SPREAD)) + _FRAMING_BYTES
        if profile.producer.message_max_bytes < largest:
            raise invalid(
                f"payloads of {self.load.payload_bytes:,} bytes (and up to {largest:,} with their "
                f"framing) exceed {profile.name}'s message_max_bytes of "
                f"{profile.producer.message_max_bytes:,}",
                "Send smaller payloads, or raise that profile's `producer.message_max_bytes`.",
            )
        commit_s = profile.workload.transaction_ms / 1000
        if profile.producer.is_transactional and self.load.seconds < 2 * commit_s:
            raise invalid(
                f"profile {profile.name} commits every {commit_s:g} s, and "
                f"{self.load.seconds:g} s a round hold too few of its transactions",
                f"Measure at least {2 * commit_s:g} seconds a round, or lower its "
                "`workload.transaction_ms`.",
            )

    @property
    def names(self) -> tuple[str, ...]:
        """The profiles' names, in order."""
        return tuple(profile.name for profile in self.profiles)

    @property
    def baseline_index(self) -> int:
        """The baseline's place in the list."""
        return self.names.index(self.baseline)

    @property
    def rates(self) -> tuple[float, ...]:
        """Every rate that is measured at, ascending."""
        return _rates((self.load.rate_per_s, *self.sweep))

    @property
    def turns(self) -> int:
        """How many turns there are in all."""
        return len(self.rates) * self.rounds * len(self.profiles)

    @property
    def turn_s(self) -> float:
        """How long a turn takes, about."""
        return self.load.warm_up_s + self.load.seconds + TURN_OVERHEAD_S

    @property
    def expected_s(self) -> float:
        """How long all of it takes, about, the practice round included."""
        return (self.turns + len(self.profiles)) * self.turn_s

    @property
    def payload_total(self) -> float:
        """Bytes of payload that are sent in all."""
        a_round = sum(self.rates) * (self.load.warm_up_s + self.load.seconds)
        practice = self.rates[0] * (self.load.warm_up_s + self.load.seconds)
        per_profile = a_round * self.rounds + practice
        return per_profile * self.load.payload_bytes * len(self.profiles)

    def practice(self) -> Iterator[TurnPlan]:
        """A round before all others, which is left out: a new topic, and brokers that have just
        started, answer late at first, and one such round would widen every interval."""
        for position, profile in enumerate(self.order(self.rates[0], PRACTICE), 1):
            yield TurnPlan(self.rates[0], PRACTICE, position, profile)

    def schedule(self) -> Iterator[TurnPlan]:
        """All turns in their order: rates ascending, and in each round every profile once."""
        for rate in self.rates:
            for number in range(1, self.rounds + 1):
                for position, profile in enumerate(self.order(rate, number), 1):
                    yield TurnPlan(rate, number, position, profile)

    def order(self, rate: float, number: int) -> tuple[int, ...]:
        """In which order the profiles have their turns in a round: shuffled by the seed."""
        places = list(range(len(self.profiles)))
        random.Random(f"{self.seed}/{rate:g}/{number}").shuffle(places)
        return tuple(places)

    @classmethod
    def from_mapping(cls, data: object) -> ComparisonPlan:
        """A plan from decoded JSON.

        Raises:
            PlanInvalid: it cannot be measured. ProfileInvalid: a profile in it is none.
        """
        if isinstance(data, Mapping) and isinstance(given := data.get("profiles"), list | tuple):
            # By themselves, as what is wrong within a profile has a mend of its own.
            whole = [p if isinstance(p, Profile) else Profile.from_mapping(p) for p in given]
            data = {**data, "profiles": whole}
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            found = problems_in(error, cls, "comparison")
            raise PlanInvalid(
                [replace(p, field="plan") if p.field == "profile" else p for p in found]
            ) from error

    @classmethod
    def from_json(cls, text: str) -> ComparisonPlan:
        """A plan from its JSON; raises as :meth:`from_mapping` does."""
        try:
            data = json.loads(text)
        except ValueError as error:
            problem = Problem(
                "comparison", "plan", f"The text is no JSON: {error}.", "Correct it there."
            )
            raise PlanInvalid([problem]) from error
        return cls.from_mapping(data)

    def to_json(self) -> str:
        """The plan as JSON, every default written out."""
        return json.dumps(self.model_dump(mode="json"), ensure_ascii=False)
