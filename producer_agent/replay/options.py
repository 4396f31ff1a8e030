"""How a plan sends its records back: what a person may choose, checked before anything is sent."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator


class OptionsInvalid(Exception):
    """An option cannot be used; the text names it and the mend."""


class TargetRule(BaseModel):
    """Records of one original topic go elsewhere."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    topic: str = Field(min_length=1, description="the original topic")
    to: str = Field(min_length=1, max_length=249, description="the topic to send to instead")


class PlanOptions(BaseModel):
    """What a plan is told."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    to: str | None = Field(
        None, max_length=249, description="one topic for all; unset: the one each record came from"
    )
    rules: tuple[TargetRule, ...] = Field((), description="other topics, by original topic")
    partition: Literal["same", "key"] = Field(
        "same",
        description="`same`: the number it had, where that is known and there; `key`: by its key",
    )
    keep_failure_headers: bool = Field(
        False, description="send the failure headers along, which are dropped otherwise"
    )
    rate_per_s: float | None = Field(None, gt=0, description="records a second; unset: no limit")
    ramp: tuple[int, ...] = Field(
        (), description="sent first, each step watched: 1, 10 and then the rest, say"
    )
    ramp_wait_s: float = Field(
        10.0, ge=0, le=3600, description="how long a step is watched for records that come back"
    )
    stop_share: float | None = Field(
        0.2,
        gt=0,
        le=1,
        description="stop when this share of what was sent has come back; unset: never",
    )
    most_times_back: int = Field(
        3, ge=1, description="a record that came back so often is refused, unless forced"
    )
    force: str | None = Field(
        None, min_length=3, description="why records that came back too often are sent all the same"
    )
    exactly_once: Literal["transactions", "ledger"] | None = Field(
        None,
        description="unset: transactions wherever the cluster keeps them. `ledger` needs no right "
        "to use transactions, and looks what arrived up on the target",
    )

    @field_validator("ramp")
    @classmethod
    def _steps(cls, ramp: tuple[int, ...]) -> tuple[int, ...]:
        if any(step < 1 for step in ramp) or len(ramp) > 10:
            raise ValueError("give at most 10 steps, each of at least 1 record")
        return ramp

    @classmethod
    def read(cls, given: object) -> Self:
        """From JSON's objects.

        Raises:
            OptionsInvalid: naming each option that is wrong.
        """
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            raise OptionsInvalid(
                "\n".join(
                    f"Replay option {'.'.join(map(str, problem['loc']))}: {problem['msg']} "
                    f"(it is {problem['input']!r})."
                    for problem in error.errors()
                )
            ) from error

    def target_of(self, original_topic: str | None) -> str | None:
        """Where a record of this topic goes; None: nobody tells."""
        for rule in self.rules:
            if rule.topic == original_topic:
                return rule.to
        return self.to or original_topic


CAUTIOUS_RAMP = (1, 10)
"""What a page and the terminal offer for more than a handful: one, ten, then the rest."""
