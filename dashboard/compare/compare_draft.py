"""A comparison while it is being typed: texts that need not be right yet, and what is wrong.

Nothing of Streamlit is in here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from producer_agent.advice.compare.plan import ComparisonPlan, Load, PlanInvalid, TopicLayout
from producer_agent.delivery.profile_problems import Problem
from producer_agent.delivery.profiles import Profile

Texts = Mapping[str, str | bool]
"""Dotted path in the plan's JSON (``load.rate_per_s``) to what was typed or chosen."""

SWEEP: Final = "sweep"
COMPRESSIBLE: Final = "load.compressible"
PROFILES: Final = "profiles"
BASELINE: Final = "baseline"

MOST_PROFILES: Final = 5

SHIPPED: Final = ("critical", "analytics", "metrics")
"""What is compared where nobody chose: one profile an acks level."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One text field of the form."""

    path: str
    label: str
    help: str


def _described(model: Any, name: str) -> str:
    described = str(model.model_fields[name].description or "")
    return f"{described[:1].upper()}{described[1:]}."


LOAD: Final = (
    Entry("load.rate_per_s", "Events a second", _described(Load, "rate_per_s")),
    Entry("load.payload_bytes", "Payload, bytes", _described(Load, "payload_bytes")),
    Entry("load.keys", "Keys", _described(Load, "keys")),
    Entry("load.seconds", "Measured, s a turn", _described(Load, "seconds")),
    Entry("load.warm_up_s", "Warm-up, s a turn", _described(Load, "warm_up_s")),
    Entry("rounds", "Rounds", "How often each profile has its turn, at each rate; at least 5."),
)
MORE: Final = (
    Entry("layout.partitions", "Partitions", "Of the comparison's own topic."),
    Entry(
        "layout.replication_factor",
        "Replication factor",
        _described(TopicLayout, "replication_factor"),
    ),
    Entry(
        "layout.min_insync_replicas",
        "min.insync.replicas",
        _described(TopicLayout, "min_insync_replicas"),
    ),
    Entry("seed", "Seed", _described(ComparisonPlan, "seed")),
)


@dataclass(frozen=True, slots=True)
class Checked:
    """A draft after its check."""

    plan: ComparisonPlan | None
    """None while something is wrong with it."""
    problems: tuple[Problem, ...]

    def of(self, path: str) -> list[Problem]:
        """The problems to show beside the field at ``path``."""
        return [p for p in self.problems if _field_of(p.field) == path]

    def elsewhere(self) -> list[Problem]:
        """The problems that belong to no field of the form."""
        return [p for p in self.problems if _field_of(p.field) is None]


def preset(profiles: Sequence[Profile]) -> tuple[str, ...]:
    """What one click compares: the shipped ones, else one profile an acks level, else the first.

    Fewer than two where there are no two.
    """
    names = {profile.name for profile in profiles}
    if set(SHIPPED) <= names:
        return SHIPPED
    by_acks: dict[str, str] = {}
    for profile in profiles:
        by_acks.setdefault(profile.acks_label, profile.name)
    if len(by_acks) >= 2:
        return tuple(by_acks[acks] for acks in ("all", "1", "0") if acks in by_acks)
    return tuple(profile.name for profile in profiles[:2])


def preset_baseline(chosen: Sequence[str], profiles: Sequence[Profile]) -> str:
    """acks=1 where it is among them: both other levels are asked what they cost beside it."""
    acks = {profile.name: profile.acks_label for profile in profiles}
    return next((name for name in chosen if acks.get(name) == "1"), chosen[0] if chosen else "")


def preset_texts(brokers: int | None) -> dict[str, str | bool]:
    """The defaults, with no more copies than there are brokers."""
    layout = TopicLayout()
    if brokers:
        factor = min(layout.replication_factor, brokers)
        layout = TopicLayout(
            replication_factor=factor,
            min_insync_replicas=min(layout.min_insync_replicas, factor),
        )
    return {**_texts("load", Load()), **_texts("layout", layout), **_OWN}


def texts_of(plan: ComparisonPlan) -> dict[str, str | bool]:
    """What to type for a plan like this one."""
    return {
        **_texts("load", plan.load),
        **_texts("layout", plan.layout),
        "rounds": str(plan.rounds),
        "seed": str(plan.seed),
        SWEEP: ", ".join(_number(rate) for rate in plan.sweep),
    }


def check_draft(
    chosen: Sequence[str],
    baseline: str,
    texts: Texts,
    bodies: Mapping[str, str],
    brokers: int | None = None,
) -> Checked:
    """Everything that is wrong with a draft; quick enough for every key press.

    Args:
        chosen: Names of profiles.
        baseline: One of them.
        texts: What was typed.
        bodies: Stored profiles as JSON, by name.
        brokers: How many the cluster has, if that is known.
    """
    data: dict[str, Any] = {
        "profiles": [json.loads(bodies[name]) for name in chosen if name in bodies],
        "baseline": baseline if baseline in chosen else "",
    }
    for path, value in texts.items():
        *parents, name = path.split(".")
        place = data
        for parent in parents:
            place = place.setdefault(parent, {})
        if path == SWEEP:
            place[name] = str(value).replace(",", " ").split()
        else:
            place[name] = value.strip() if isinstance(value, str) else value
    try:
        plan = ComparisonPlan.from_mapping(data)
    except PlanInvalid as invalid:
        return Checked(None, tuple(_named(p, chosen) for p in invalid.problems))
    factor = plan.layout.replication_factor
    if brokers and factor > brokers:
        few = Problem(
            "comparison",
            "layout.replication_factor",
            f"{factor} copies need {factor} brokers, and there {'is' if brokers == 1 else 'are'} "
            f"{brokers}.",
            f"Lower it to {brokers}.",
        )
        return Checked(None, (few,))
    return Checked(plan, ())


def asked(plan: ComparisonPlan) -> dict[str, Any]:
    """The plan as ``compare.start`` takes it: profiles by name, so that they are those of now."""
    return {**plan.model_dump(mode="json"), "profiles": list(plan.names)}


_OWN: Final[Texts] = MappingProxyType({"rounds": "5", "seed": "1", SWEEP: ""})

_PATHS: Final = frozenset(
    {entry.path for entry in (*LOAD, *MORE)} | {SWEEP, COMPRESSIBLE, BASELINE, PROFILES}
)


def _field_of(path: str) -> str | None:
    parts = path.split(".")
    prefixes = (".".join(parts[:n]) for n in range(len(parts), 0, -1))
    return next((prefix for prefix in prefixes if prefix in _PATHS), None)


def _named(problem: Problem, chosen: Sequence[str]) -> Problem:
    """A problem of a stored profile says which one, instead of its place in the list."""
    parts = problem.field.split(".")
    if parts[0] != PROFILES or len(parts) < 2 or not parts[1].isdecimal():
        return problem
    name = chosen[int(parts[1])]
    setting = ".".join(parts[2:])
    return Problem(
        problem.profile,
        PROFILES,
        f"{name}, {setting}: {problem.message}",
        f"{problem.mend} Mend it under Profiles.",
    )


def _texts(part: str, model: Load | TopicLayout) -> dict[str, str | bool]:
    return {
        f"{part}.{name}": value if isinstance(value, bool) else _number(value)
        for name, value in model.model_dump().items()
    }


def _number(value: float) -> str:
    """Plainly, as the model reads it back: no exponent and no trailing ``.0``."""
    return str(int(value)) if value == int(value) else format(value, "f").rstrip("0")
