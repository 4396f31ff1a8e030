"""What a dead-letter topic's policy may say."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from producer_agent.dead_letters.conventions import CONVENTIONS
from producer_agent.store.dead_letter_policies import INTERNAL_PREFIX, Policy, policy_of, with_own

_LEGAL_TOPIC: Final = re.compile(r"[A-Za-z0-9._-]{1,249}")
"""As Kafka's ``org.apache.kafka.common.internals.Topic.validate`` has it."""

_NAMES: Final = "Use 1 to 249 of A-Z, a-z, 0-9, dot, underscore and hyphen."
_STARTS: Final = ("earliest", "now")
_LONGEST_DAYS: Final = 36_500.0
_KEYS: Final = ("topic", "convention", "default_target", "start_from", "keep_closed_days")


class PolicyInvalid(Exception):
    """A policy cannot be; the text has each reason with its mend, one a line."""


def policy_from(arguments: Mapping[str, Any]) -> Policy:
    """A policy from a command's arguments: the fields of :class:`Policy`, all but ``topic``
    optional.

    Raises:
        PolicyInvalid: a field is unknown or of the wrong type.
    """
    unknown = sorted(set(arguments) - set(_KEYS))
    if unknown:
        raise PolicyInvalid(f"There is no {', '.join(unknown)}. There are: {', '.join(_KEYS)}.")
    texts: dict[str, str | None] = {}
    for name in _KEYS[:-1]:
        value = arguments.get(name)
        if value is not None and not isinstance(value, str):
            raise PolicyInvalid(f"{name} is {value!r}; give text, or leave it out.")
        texts[name] = value
    days = arguments.get("keep_closed_days")
    if days is not None and (isinstance(days, bool) or not isinstance(days, int | float)):
        raise PolicyInvalid(f"keep_closed_days is {days!r}; give a number of days.")
    return Policy(
        topic=texts["topic"] or "",
        convention=texts["convention"],
        default_target=texts["default_target"],
        start_from=texts["start_from"] or "earliest",
        keep_closed_days=None if days is None else float(days),
    )


def require_valid(policy: Policy, others: Sequence[Policy], own_topic: str) -> None:
    """See that a policy can be stored beside the others.

    Args:
        policy: The new one.
        others: Those that are stored; one of the same topic is replaced.
        own_topic: The board's own dead-letter topic, which is always read.

    Raises:
        PolicyInvalid: it cannot.
    """
    rest = [other for other in others if other.topic != policy.topic]
    found = list(_problems(policy, with_own([*rest, policy], own_topic)))
    if found:
        raise PolicyInvalid("\n".join(found))


def _problems(policy: Policy, all_policies: Sequence[Policy]) -> Iterator[str]:
    compiles = True
    if policy.is_pattern:
        try:
            re.compile(policy.topic)
        except re.error as error:
            compiles = False
            yield (
                f"The pattern {policy.topic!r} is no regular expression ({error}). Correct it; a "
                r"dot that is meant as a dot is written \."
            )
    elif not _is_legal(policy.topic):
        yield (
            f"{policy.topic!r} is no name of a topic. {_NAMES} For several topics give a regular "
            "expression that begins with ^, such as '^.*-dlt$'."
        )
    elif policy.topic.startswith(INTERNAL_PREFIX):
        yield (
            f"{policy.topic} is an internal topic of Kafka and holds no dead letters. Name the "
            "topic that they are sent to."
        )
    if policy.convention is not None and policy.convention not in CONVENTIONS:
        yield (
            f"There is no convention {policy.convention!r}. There are: {', '.join(CONVENTIONS)}. "
            "Leave it out to have each record's detected."
        )
    if policy.start_from not in _STARTS:
        yield f"start_from is {policy.start_from!r}; give earliest or now."
    days = policy.keep_closed_days
    if days is not None and not 0 < days <= _LONGEST_DAYS:
        yield (
            f"keep_closed_days is {days:g}; give days above 0, up to {_LONGEST_DAYS:g}, or leave "
            "it out to keep letters for good."
        )
    if policy.default_target is not None and compiles:
        yield from _target_problems(policy.default_target, all_policies)


def _target_problems(target: str, all_policies: Sequence[Policy]) -> Iterator[str]:
    if not _is_legal(target):
        yield f"The default target {target!r} is no name of a topic. {_NAMES}"
    elif target.startswith(INTERNAL_PREFIX):
        yield f"The default target {target} is an internal topic of Kafka. Name one of your own."
    elif (reads := policy_of(all_policies, target)) is not None:
        yield (
            f"The default target {target} is read as a dead-letter topic itself (by "
            f"{reads.topic}): what is sent there would come back at once. Name the topic that "
            "the records came from, or narrow the pattern."
        )


def _is_legal(name: str) -> bool:
    return name not in (".", "..") and _LEGAL_TOPIC.fullmatch(name) is not None
