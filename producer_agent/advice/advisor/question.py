"""What is asked about one type of event, and the answers once they are known to be well-formed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from producer_agent.delivery.profile_problems import UNNAMED, Problem, problems_in
from producer_agent.delivery.profile_values import Float, Int, PositiveMs, Slug, invalid

MOST_QUESTIONS: Final = 8
"""Event types that are advised on at once; more do not fit beside each other."""

IfLost = Literal["nothing", "experience", "business"]


class AnswersInvalid(ValueError):
    """Answers that cannot be used; `problems` holds every fault found, never none."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__(
            "\n".join(f"{p.profile}, {p.field}: {p.message} {p.mend}" for p in problems)
        )

    def __reduce__(self) -> tuple[type[AnswersInvalid], tuple[list[Problem]]]:
        return type(self), (list(self.problems),)


def _leaves_something(value: float) -> float:
    if not 0.0 <= value < 1.0:
        raise invalid(
            f"a share of {value:g} that may be lost is not from 0 to below 1",
            "Write 0 for never, 0.001 for one in a thousand.",
        )
    return value


LossRatio = Annotated[Float, AfterValidator(_leaves_something)]


class Question(BaseModel):
    """One type of event: what its loss breaks, what it may cost, how it comes, where it goes."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: Slug = Field(description="the event type's name; topic and profile are named after it")
    if_lost: IfLost = Field(
        description="what breaks if one is lost: nothing, experience (of a user) or business"
    )
    tolerated_loss: LossRatio = Field(description="share that may be lost; 0 is never")
    latency_p99_ms: PositiveMs | None = Field(
        None, description="acknowledgement latency allowed at the 99th percentile; null: any"
    )
    rate_per_s: Float = Field(gt=0.0, le=100_000.0, description="events a second now")
    peak_per_s: Float | None = Field(
        None, gt=0.0, le=100_000.0, description="events a second at peak; null: as now"
    )
    payload_bytes: Int = Field(500, ge=1, le=1_000_000, description="usual size of one, in bytes")
    tells_duplicates: bool = Field(
        False, description="consumers can tell an event that comes twice, and drop it"
    )
    ordered_per_key: bool = Field(
        False, description="events of one key have to be read in the order they were sent"
    )
    atomic: bool = Field(
        False, description="written together with events on other topics, or not at all"
    )
    brokers: Int = Field(3, ge=1, le=10_000, description="brokers of the cluster")
    replication_factor: Int = Field(3, ge=1, le=32_767, description="copies of the topic")
    min_insync_replicas: Int = Field(
        2, ge=1, le=32_767, description="copies that acks=all needs before it acknowledges"
    )

    @property
    def peak(self) -> float:
        """Events a second at peak; the rate now where none was given."""
        return self.rate_per_s if self.peak_per_s is None else self.peak_per_s

    @property
    def never_lost(self) -> bool:
        """Whether no loss at all is tolerated."""
        return self.tolerated_loss == 0.0

    @model_validator(mode="after")
    def _peak_is_a_peak(self) -> Question:
        if self.peak_per_s is not None and self.peak_per_s < self.rate_per_s:
            raise invalid(
                f"the peak of {self.peak_per_s:g}/s is below the rate now, {self.rate_per_s:g}/s",
                "Raise `peak_per_s`, or leave it out where the rate is steady.",
            )
        return self


def question_from(answers: object) -> Question:
    """The question of decoded JSON or a form's values; raises AnswersInvalid."""
    try:
        return Question.model_validate(answers)
    except ValidationError as error:
        name = answers.get("name") if isinstance(answers, Mapping) else None
        shown = name[:63] if isinstance(name, str) and name.isprintable() and name else UNNAMED
        raise AnswersInvalid(problems_in(error, Question, shown)) from error


def questions_from_json(text: str) -> tuple[Question, ...]:
    """The questions of a file: one object, or a list of up to MOST_QUESTIONS of them.

    Raises:
        AnswersInvalid: it is no such JSON, an answer cannot be used, or two have one name.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise AnswersInvalid(
            [_whole(f"The text is no JSON: {reason}.", "`advise --example --json` shows answers.")]
        ) from error
    items = document if isinstance(document, list) else [document]
    if not 1 <= len(items) <= MOST_QUESTIONS:
        raise AnswersInvalid(
            [
                _whole(
                    f"There are {len(items):,} event types in it.",
                    f"Give 1 to {MOST_QUESTIONS}.",
                )
            ]
        )
    found: list[Question] = []
    problems: list[Problem] = []
    for item in items:
        try:
            found.append(question_from(item))
        except AnswersInvalid as error:
            problems += error.problems
    names = [question.name for question in found]
    problems += [
        Problem(name, "name", "Two event types have this name.", "Give each its own.")
        for name in sorted({name for name in names if names.count(name) > 1})
    ]
    if problems:
        raise AnswersInvalid(problems)
    return tuple(found)


def _whole(message: str, mend: str) -> Problem:
    return Problem(UNNAMED, "answers", message, mend)
