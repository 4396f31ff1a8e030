"""Brokers in words: their names, who stands out and by how much, what is nobody's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from dashboard.formats import code_span, latency, one_in, percent, times
from producer_agent.store.leader_timeline import CHANGED, NO_LEADER, NO_PARTITION, NOT_KNOWN
from producer_agent.store.queries.broker_rollups import BrokerSummary, StandsOut

_NAMES: Final[Mapping[int, str]] = MappingProxyType(
    {
        NO_LEADER: "no leader",
        CHANGED: "leader changed meanwhile",
        NO_PARTITION: "no partition",
        NOT_KNOWN: "leader not known",
    }
)

_MEANINGS: Final[Mapping[int, str]] = MappingProxyType(
    {
        NO_LEADER: "nobody led the partition",
        CHANGED: "another broker took over while the event was under way or between the two looks "
        "around it, so neither of them is held to account",
        NO_PARTITION: "the event never got a partition, or its topic has no such one",
        NOT_KNOWN: "nobody watched the cluster then, or it could not be reached",
    }
)


def name(broker: int) -> str:
    """``broker 2``, or what stands in place of one."""
    return _NAMES.get(broker, f"broker {broker}")


def answer(found: Sequence[BrokerSummary], outliers: Sequence[StandsOut], chosen: str) -> str:
    """The first line: whether a broker stands out, by what and by how much.

    Args:
        chosen: The time range in words, as in "In the last 15 min".
    """
    brokers = [one for one in found if one.broker >= 0]
    if not brokers:
        return f"**No event was put down to a broker in the last {chosen}.**"
    if outliers:
        return " ".join(
            _stands_out(one, again=at > 0 and outliers[at - 1].broker == one.broker)
            for at, one in enumerate(outliers)
        )
    if len(brokers) == 1:
        return (
            f"In the last {chosen} only **{name(brokers[0].broker)}** led partitions that were "
            "sent to: there is none to compare it with."
        )
    medians = [one.quantiles_us[0] for one in brokers if one.quantiles_us[0] is not None]
    between = (
        f": the median of each is within {latency(min(medians))} to {latency(max(medians))}"
        if medians
        else ""
    )
    return f"In the last {chosen} **no broker stood out** of {len(brokers)}{between}."


def legend(found: Sequence[BrokerSummary]) -> str:
    """What the rows mean that are no broker's; empty where there are none."""
    told = [
        f"*{name(one.broker)}*: {_MEANINGS[one.broker]}" for one in found if one.broker in _MEANINGS
    ]
    return "; ".join(told) + "." if told else ""


def _stands_out(one: StandsOut, *, again: bool) -> str:
    """``Broker 2 stands out: …``; ``again``: what else there is of the same one."""
    where = f"under profile {code_span(one.profile)}"
    if one.what == "failed":
        others = (
            f"{percent(round(one.others, 6))} on the others" if one.others else "none elsewhere"
        )
        said = f"{_share(one.value)} of its events failed** {where}, {others}."
    else:
        what = "its median" if one.what == "median" else "its p99"
        said = (
            f"{what} is {latency(one.value)}, {times(one.times)} times that of the others** "
            f"({latency(one.others)}), {where}."
        )
    begin = "**And " if again else f"**{name(one.broker).capitalize()} stands out: "
    return begin + said


def _share(share: float) -> str:
    """``all``, or ``3.2 % (1 in 31)``."""
    parts = round(share * 1_000_000)
    if parts >= 1_000_000:
        return "all"
    return f"{percent(round(share, 4))} ({one_in(parts, 1_000_000)})"
