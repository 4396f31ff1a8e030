"""A profile while it is being typed: texts that need not be right yet, and what is wrong with them.

The fields are read from the model, so that a setting added there appears in the form by itself.
Nothing of Streamlit is in here.
"""

from __future__ import annotations

import types
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Literal, TypeGuard, Union, get_args, get_origin

from pydantic import BaseModel

from producer_agent.delivery.profile_checks import check
from producer_agent.delivery.profiles import PROPERTY_OF, Problem, Profile, ProfileInvalid

Draft = Mapping[str, str | bool]
"""Dotted path in the profile's JSON (`producer.linger_ms`) to what was typed or chosen."""

EXTRA: Final = "producer.extra"


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One field of the form."""

    path: str
    label: str
    help: str
    choices: tuple[str, ...] = ()
    is_flag: bool = False
    is_optional: bool = False
    """An empty text means: not set."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A draft after its check."""

    profile: Profile | None
    """None while a value is malformed; what its parts demand of each other may still be unmet."""
    problems: tuple[Problem, ...]

    @property
    def is_usable(self) -> bool:
        """Whether nothing worse than a warning was found."""
        return self.profile is not None and all(p.severity != "error" for p in self.problems)

    def of(self, path: str) -> list[Problem]:
        """The problems to show beside the field at ``path``."""
        return [p for p in self.problems if field_of(p.field) == path]

    def elsewhere(self) -> list[Problem]:
        """The problems that belong to no field of the form."""
        return [p for p in self.problems if field_of(p.field) is None]


def specs(part: str) -> tuple[FieldSpec, ...]:
    """The fields of one part: ``producer``, ``workload``, ``workload.faults`` or ``objective``."""
    model: type[BaseModel] = Profile
    for step in part.split("."):
        inner = model.model_fields[step].annotation
        if not _is_model(inner):
            raise ValueError(f"{part} is no part of a profile")
        model = inner
    return tuple(_specs(model, part))


def draft_of(profile: Profile) -> dict[str, str | bool]:
    """The draft that says what the profile says."""
    return dict(_flattened(profile.model_dump(mode="json"), ""))


def mapping_of(draft: Draft) -> tuple[dict[str, Any], list[Problem]]:
    """What the model is given, and the lines of `extra` that cannot be read."""
    result: dict[str, Any] = {}
    problems: list[Problem] = []
    for path, value in draft.items():
        *parents, name = path.split(".")
        place = result
        for parent in parents:
            place = place.setdefault(parent, {})
        if path == EXTRA:
            place[name], problems = _extra(str(value), str(draft.get("name", "")))
        elif isinstance(value, bool):
            place[name] = value
        else:
            text = value.strip()
            place[name] = None if not text and path in _OPTIONAL else text
    return result, problems


def check_draft(draft: Draft, taken: Iterable[str] = ()) -> Checked:
    """Everything that is wrong with a draft; quick enough for every key press.

    Args:
        draft: What was typed.
        taken: Names of other profiles, which this one may not have.
    """
    data, problems = mapping_of(draft)
    name = str(draft.get("name", "")).strip()
    if name in set(taken):
        problems.append(
            Problem(
                name,
                "name",
                f"There is a profile {name} already.",
                "Choose another name, or edit that one.",
            )
        )
    try:
        profile = Profile.from_mapping(data)
    except ProfileInvalid as invalid:
        return Checked(None, (*problems, *invalid.problems, *_besides(draft, invalid)))
    return Checked(profile, (*problems, *check(profile)))


def extra_lines(settings: Mapping[str, Any]) -> str:
    """`extra` as one ``name=value`` a line."""
    return "\n".join(f"{name}={_text(value)}" for name, value in settings.items())


def field_of(path: str) -> str | None:
    """The form's field that a problem's path falls into; the longest, where paths nest."""
    if path == EXTRA or path.startswith(f"{EXTRA}."):
        return EXTRA
    return path if path in _PATHS else None


def _besides(draft: Draft, invalid: ProfileInvalid) -> list[Problem]:
    """What is wrong with the rest, were the malformed fields left at their defaults."""
    malformed = {field_of(problem.field) for problem in invalid.problems}
    data, _ = mapping_of({path: value for path, value in draft.items() if path not in malformed})
    try:
        problems = check(Profile.from_mapping(data))
    except ProfileInvalid:
        return []
    return [problem for problem in problems if problem.severity == "error"]


def _specs(model: type[BaseModel], part: str) -> Iterator[FieldSpec]:
    for name, field in model.model_fields.items():
        path = f"{part}.{name}"
        if path == EXTRA or _is_model(field.annotation):
            continue
        described = field.description or ""
        bounds = {
            bound: getattr(limit, bound)
            for limit in field.metadata
            for bound in ("ge", "gt", "le", "lt")
            if hasattr(limit, bound)
        }
        yield FieldSpec(
            path,
            label=PROPERTY_OF.get(name, name.replace("_", " "))
            if part == "producer"
            else name.replace("_", " "),
            help=f"{described[:1].upper()}{described[1:]}.{_range(bounds)}",
            choices=_choices(field.annotation),
            is_flag=field.annotation is bool,
            is_optional=_is_optional(field.annotation),
        )


def _is_model(annotation: Any) -> TypeGuard[type[BaseModel]]:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _range(bounds: Mapping[str, float]) -> str:
    words = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
    told = [f"{words[bound]} {_text(limit)}" for bound, limit in bounds.items()]
    return f" {' and '.join(told).capitalize()}." if told else ""


def _choices(annotation: Any) -> tuple[str, ...]:
    if get_origin(annotation) is not Literal:
        return ()
    return tuple(str(choice) for choice in get_args(annotation))


def _is_optional(annotation: Any) -> bool:
    return get_origin(annotation) in (Union, types.UnionType) and type(None) in get_args(annotation)


def _flattened(data: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str | bool]]:
    for name, value in data.items():
        path = f"{prefix}{name}"
        if path == EXTRA:
            yield path, extra_lines(value)
        elif isinstance(value, Mapping):
            yield from _flattened(value, f"{path}.")
        else:
            yield path, value if isinstance(value, bool) else _text(value)


def _text(value: object) -> str:
    """As the model reads it back: no exponent, no trailing ``.0``; nothing for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        plain = format(Decimal(repr(value)), "f")
        return plain.rstrip("0").rstrip(".") if "." in plain else plain
    return str(value)


def _extra(text: str, profile: str) -> tuple[dict[str, str], list[Problem]]:
    settings: dict[str, str] = {}
    problems = []
    for at, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, sign, value = (part.strip() for part in line.partition("="))
        if not sign or not name:
            problems.append(
                Problem(
                    profile,
                    EXTRA,
                    f"Line {at} is not a setting: {line.strip()!r}.",
                    "Write name=value, one a line, such as socket.keepalive.enable=true.",
                )
            )
        elif name in settings:
            problems.append(
                Problem(profile, EXTRA, f"{name} is set twice.", f"Remove line {at}, or the other.")
            )
        else:
            settings[name] = value
    return settings, problems


_PARTS: Final = ("producer", "workload", "workload.faults", "objective")
_ALL: Final = tuple(spec for part in _PARTS for spec in specs(part))
_PATHS: Final = frozenset({spec.path for spec in _ALL} | {"name", "description", "active", EXTRA})
_OPTIONAL: Final = frozenset(spec.path for spec in _ALL if spec.is_optional)
