"""What can be wrong with a profile, in one shape, whoever found it.

Pydantic, our own rules and librdkafka each complain in their own way; an engineer should read
one kind of sentence, which says where the fault is and how to mend it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from pydantic import BaseModel, ValidationError

Severity = Literal["error", "warning"]

UNNAMED: Final = "(unnamed)"
"""Stands for the profile's name in a problem when the profile has no usable one."""

_UNITS: Final = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "ms": 1, "s": 1000, "min": 60_000}
_NUMBER: Final = re.compile(
    r"\s*(?P<digits>[+-]?[0-9][0-9_,']*(?:\.[0-9]+)?(?:e[+-]?[0-9]{1,2})?)\s*"
    r"(?P<unit>ms|s|min|[kmg]?)(?:i?b)?\s*",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault of one profile.

    `field` is the dotted path in the profile's JSON (`producer.linger_ms`), `message` says what
    is wrong, `mend` what to write instead. An `error` keeps the profile from being started; a
    `warning` says that it will start and not do what it seems to promise.
    """

    profile: str
    field: str
    message: str
    mend: str
    severity: Severity = "error"

    def __str__(self) -> str:
        return f"profile {self.profile}, {self.field}: {self.message} {self.mend}"


class ProfileInvalid(ValueError):
    """A profile that cannot be used; `problems` holds every fault found, never none."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))

    def __reduce__(self) -> tuple[type[ProfileInvalid], tuple[tuple[Problem, ...]]]:
        return type(self), (self.problems,)


def meant_number(text: str) -> int | float | None:
    """The number someone most likely meant by `64KB` (65536), `1_000` (1000), `010` (10), `5 s`.

    Sizes count in 1024s and durations in milliseconds, as Kafka's settings do. None if the text
    is not a number with at most one unit behind it. A guess, for a suggestion only.
    """
    match = _NUMBER.fullmatch(text)
    if match is None:
        return None
    number = float(re.sub(r"[_,']", "", match["digits"])) * _UNITS[match["unit"].lower()]
    return int(number) if number.is_integer() else number


def problems_in(error: ValidationError, model: type[BaseModel], profile: str) -> list[Problem]:
    """Pydantic's complaints about `model` as problems of `profile`, in pydantic's order."""
    return [
        _problem(detail, model, profile)
        for detail in error.errors(include_url=False, include_input=False)
        # A default that hangs on a faulty field: that field is in the list already.
        if detail["type"] != "default_factory_not_called"
    ]


def _problem(detail: Any, model: type[BaseModel], profile: str) -> Problem:
    path: tuple[str | int, ...] = detail["loc"]
    # A mapping's bad key is located by pydantic with a last part `[key]`.
    steps = [str(step) for step in path if step != "[key]"]
    context = detail.get("ctx", {})
    mend = context.get("mend") or _mend(detail["type"], context, steps, model)
    return Problem(
        profile=profile,
        field=".".join(steps) or "profile",
        message=_sentence(detail["msg"]),
        mend=mend,
    )


def _mend(kind: str, context: dict[str, Any], steps: list[str], model: type[BaseModel]) -> str:
    owner = _owner(steps, model)
    name = steps[-1] if steps else "profile"
    if kind == "extra_forbidden":
        return _mend_unknown_field(name, owner)
    if kind == "missing":
        about = owner.model_fields[name].description or "it has no default"
        return f"Add `{name}`: {about}."
    if kind == "literal_error":
        return f"Choose one of {context['expected']}."
    for bound, words in _BOUNDS.items():
        if bound in context:
            return f"Give {words} {context[bound]}."
    if kind in ("model_type", "dict_type"):
        return "Write it as a JSON object, `{ … }`."
    expected = kind.partition("_")[0]
    return f"Give {_ARTICLES.get(expected, 'a value of the right kind')}."


_BOUNDS: Final = {
    "ge": "a number not below",
    "gt": "a number above",
    "le": "a number not above",
    "lt": "a number below",
    "min_length": "a text of at least this many characters:",
    "max_length": "a text of at most this many characters:",
}
_ARTICLES: Final = {
    "int": "a whole number",
    "float": "a number",
    "finite": "a finite number",
    "bool": "true or false",
    "string": "a text",
}


def _mend_unknown_field(name: str, owner: type[BaseModel]) -> str:
    fields = list(owner.model_fields)
    near = difflib.get_close_matches(name.replace(".", "_").lower(), fields, n=1, cutoff=0.6)
    if near:
        return f"Write `{near[0]}`."
    if "extra" in fields:
        return f"Put a librdkafka property with no field of its own into `extra`: `{name}`."
    return f"Remove it; the fields here are {', '.join(fields)}."


def _owner(steps: list[str], model: type[BaseModel]) -> type[BaseModel]:
    """The model that holds the field at the end of `steps`, as far as models go."""
    for step in steps[:-1]:
        field = model.model_fields.get(step)
        inner = field.annotation if field else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            break
        model = inner
    return model


def _sentence(text: str) -> str:
    text = text.strip()
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '!', '?')) else '.'}"
