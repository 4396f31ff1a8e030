"""From live facts, and a failing code where there is one, to a diagnosis: no Kafka, no SQL."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

from producer_agent.advice.diagnosis.authorization import not_authorized
from producer_agent.advice.diagnosis.client_queue import queue_full
from producer_agent.advice.diagnosis.diagnosis import Diagnosis, Evidence, Safety, State, each_once
from producer_agent.advice.diagnosis.evidence import (
    clock,
    fault_evidence,
    lasting,
    partition_evidence,
    replica_facts,
    topic_state,
)
from producer_agent.advice.diagnosis.live_facts import LiveFacts
from producer_agent.advice.diagnosis.missing_topic import (
    partition_missing,
    topic_is_there,
    topic_missing,
)
from producer_agent.advice.diagnosis.reachability import broker_silent, transport, unreachable
from producer_agent.advice.diagnosis.record_size import too_large
from producer_agent.advice.diagnosis.replicas import (
    leaderless,
    replicas_recovered,
    under_min_isr,
)
from producer_agent.advice.diagnosis.time_outs import timed_out
from producer_agent.advice.diagnosis.topic_as_it_is import DENIED, MISSING, as_it_is
from producer_agent.delivery.errors import BY_NAME

STILL_FAILS_US = 10_000_000
"""A failure younger than this means that it still fails."""

Rule = Callable[[LiveFacts, str], Diagnosis]


def diagnose(facts: LiveFacts, code: str | None = None) -> Diagnosis:
    """What is the matter with the topic, or why records to it fail with this code.

    Args:
        facts: All that is known.
        code: The code's name, such as ``NOT_ENOUGH_REPLICAS``; None: the topic as it is.
    """
    found = as_it_is(facts)
    if code is not None:
        rule = _RULES.get(code, _other)
        found = _beside_the_present(rule(facts, code), found, facts, code)
    order = list(Safety)
    options = sorted(found.options, key=lambda option: order.index(option.safety))
    return replace(found, options=tuple(options))


def _replicas(facts: LiveFacts, code: str) -> Diagnosis:
    state = topic_state(facts)
    if state.under_min_isr:
        return under_min_isr(facts, code)
    if state.leaderless:
        return leaderless(facts, code)
    if facts.unreachable is not None:
        return unreachable(facts, code)
    return replicas_recovered(facts, code)


def _leaders(facts: LiveFacts, code: str) -> Diagnosis:
    if topic_state(facts).leaderless:
        return leaderless(facts, code)
    elections = [row for row in facts.changes if row.kind in ("leaders_changed", "broker_left")]
    return Diagnosis(
        topic=facts.topic,
        code=code,
        matter="leaderless",
        state=State.PASSED,
        headline=f"It is over: every partition of {facts.topic} has a leader now.",
        at_us=facts.at_us,
        facts=(*fault_evidence(facts), *replica_facts(facts)),
        partitions=partition_evidence(facts),
        findings=tuple(
            f"{'Leaders changed' if row.broker is None else f'Broker {row.broker} left'} at "
            f"{clock(row.at_us)}."
            for row in elections[:3]
        ),
        not_known=()
        if elections
        else ("Which election it was: the history of changes holds none of this topic.",),
    )


def _connection(facts: LiveFacts, code: str) -> Diagnosis:
    if facts.unreachable is not None:
        return unreachable(facts, code)
    if any(broker.listed and broker.answers is False for broker in facts.brokers):
        return broker_silent(facts, code)
    return transport(facts, code)


def _missing(facts: LiveFacts, code: str) -> Diagnosis:
    if facts.unreachable is not None:
        return unreachable(facts, code)
    topic = facts.topic_view
    if topic is None or topic.error in MISSING:
        return topic_missing(facts, code)
    if topic.error in DENIED:
        return not_authorized(facts, code)
    if code == "_UNKNOWN_PARTITION":
        return partition_missing(facts, code)
    return topic_is_there(facts, code)


def _other(facts: LiveFacts, code: str) -> Diagnosis:
    """What the error table says, beside the facts."""
    row = BY_NAME.get(code)
    return Diagnosis(
        topic=facts.topic,
        code=code,
        matter="other",
        state=State.UNKNOWN,
        headline=f"{code}: {row.summary}." if row else f"{code} is not in the error table.",
        at_us=facts.at_us,
        facts=(*fault_evidence(facts), *replica_facts(facts)),
        partitions=partition_evidence(facts),
        findings=(row.mend,) if row else (),
        not_known=(
            "Which of the topic's facts made it: no rule here knows more of this code than the "
            "error table does.",
        ),
    )


def _beside_the_present(found: Diagnosis, now: Diagnosis, facts: LiveFacts, code: str) -> Diagnosis:
    """A failure that is over may meet a topic that is not well, or may go on all the same."""
    last_us = None
    if facts.failures is not None:
        last_us = facts.failures.last_by_cause.get(code)
        if last_us is None and code == "_MSG_TIMED_OUT":
            last_us = facts.failures.last_us
    if found.state is State.PASSED and now.state is State.WRONG and _RULES[code] is not timed_out:
        # That something else was mended is no answer while the topic fails.
        return replace(
            now,
            code=code,
            findings=each_once((*now.findings, *found.findings)),
            options=each_once((*now.options, *found.options)),
            not_known=each_once((*now.not_known, *found.not_known)),
        )
    if found.state in (State.PASSED, State.UNKNOWN) and now.state is State.WRONG:
        return replace(
            found,
            state=State.WRONG,
            facts=each_once((*found.facts, *now.facts)),
            findings=(*found.findings, f"Now: {now.headline}", *now.findings),
            still_works=found.still_works or now.still_works,
            options=each_once((*now.options, *found.options)),
            not_known=each_once((*found.not_known, *now.not_known)),
        )
    goes_on = last_us is not None and facts.at_us - last_us < STILL_FAILS_US
    if found.state is State.PASSED and goes_on and last_us is not None:
        return replace(
            found,
            findings=(
                *found.findings,
                f"The last one failed at {clock(last_us)}, {lasting(facts, last_us)} ago".replace(
                    "for ", ""
                )
                + ": producers may need a moment to notice, and what was queued may still fail.",
            ),
        )
    if found.state is State.UNKNOWN and last_us is not None and not goes_on:
        return replace(
            found,
            facts=(
                *found.facts,
                Evidence("last failed so", clock(last_us), "counted by the agent", last_us),
            ),
        )
    return found


_RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "NOT_ENOUGH_REPLICAS": _replicas,
        "NOT_ENOUGH_REPLICAS_AFTER_APPEND": _replicas,
        "_MSG_TIMED_OUT": timed_out,
        "_TIMED_OUT": timed_out,
        "_TIMED_OUT_QUEUE": timed_out,
        "REQUEST_TIMED_OUT": timed_out,
        "TOPIC_AUTHORIZATION_FAILED": not_authorized,
        "CLUSTER_AUTHORIZATION_FAILED": not_authorized,
        "UNKNOWN_TOPIC_OR_PART": _missing,
        "_UNKNOWN_TOPIC": _missing,
        "_UNKNOWN_PARTITION": _missing,
        "MSG_SIZE_TOO_LARGE": too_large,
        "RECORD_LIST_TOO_LARGE": too_large,
        "LEADER_NOT_AVAILABLE": _leaders,
        "NOT_LEADER_FOR_PARTITION": _leaders,
        "FENCED_LEADER_EPOCH": _leaders,
        "_TRANSPORT": _connection,
        "_ALL_BROKERS_DOWN": _connection,
        "NETWORK_EXCEPTION": _connection,
        "_QUEUE_FULL": queue_full,
    }
)

KNOWN_CODES = frozenset(_RULES)
"""Codes that a rule of their own explains; any other is told as the error table has it."""
