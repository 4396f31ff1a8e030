"""No broker, or not the one that matters, can be reached or answers."""

from __future__ import annotations

from producer_agent.advice.diagnosis.diagnosis import Diagnosis, Evidence, Option, Safety, State
from producer_agent.advice.diagnosis.evidence import (
    bring_back,
    broker_fact,
    broker_words,
    clock,
    fault_evidence,
    lasting,
    names,
    numbers,
    partition_evidence,
    replica_facts,
)
from producer_agent.advice.diagnosis.kafka_commands import KafkaCommands
from producer_agent.advice.diagnosis.live_facts import LiveFacts
from producer_agent.advice.diagnosis.replicas import age_of_metadata

_CHECKS = (
    ("Connection refused", "no process listens there: the brokers are down, or the port is wrong"),
    ("Failed to resolve", "the name does not resolve: wrong name, or DNS"),
    ("Authentication failed", "the login is refused: user, password or mechanism"),
    ("SSL handshake failed", "TLS: the certificate, or a listener that does not speak it"),
    ("Disconnected", "the listener speaks another security.protocol than the client"),
    ("timed out", "packets vanish: a firewall, or hosts that hang"),
)


def unreachable(facts: LiveFacts, code: str | None) -> Diagnosis:
    """No broker answers at all."""
    said = facts.unreachable or ""
    findings = [words for sign, words in _CHECKS if sign.lower() in said.lower()]
    since = next((row for row in facts.changes if row.kind == "cluster_unreachable"), None)
    back = next((row for row in facts.changes if row.kind == "cluster_reachable"), None)
    known = since is not None and (back is None or back.at_us < since.at_us)
    facts_told = [*fault_evidence(facts), *age_of_metadata(facts)]
    facts_told += [broker_fact(facts, broker) for broker in facts.brokers]
    if known and since is not None:
        facts_told.append(
            Evidence("unreachable since", clock(since.at_us), "history of changes", since.at_us)
        )
    options = bring_back(facts, facts.brokers)
    options += [
        Option(
            "Wait",
            "Events wait in the producers until delivery.timeout.ms runs out, then in the outbox; "
            "nothing is lost while the disk has room.",
            Safety.SAFE,
        ),
        Option(
            "Check address and listener from this host",
            "Nothing.",
            Safety.SAFE,
            f"kafka-broker-api-versions.sh --bootstrap-server {facts.bootstrap_servers}"
            + (" --command-config client.properties" if facts.secured else ""),
        ),
    ]
    return Diagnosis(
        topic=facts.topic,
        code=code,
        matter="unreachable",
        state=State.WRONG,
        headline=f"No broker of {facts.bootstrap_servers} answers"
        + (
            f", since {clock(since.at_us)} ({lasting(facts, since.at_us)})"
            if known and since is not None
            else ""
        )
        + (f": {findings[0]}." if findings else "."),
        at_us=facts.at_us,
        facts=tuple(facts_told),
        partitions=partition_evidence(facts),
        findings=(*(f"{words.capitalize()}." for words in findings), f"The client said: {said}"),
        options=tuple(options),
        not_known=("What the brokers hold now: nobody answers.",),
    )


def broker_silent(facts: LiveFacts, code: str | None) -> Diagnosis:
    """The cluster counts a broker as alive that does not answer."""
    silent = [broker for broker in facts.brokers if broker.listed and broker.answers is False]
    ids = {broker.id for broker in silent}
    led = [partition for partition in facts.partitions if partition.leader in ids]
    return Diagnosis(
        topic=facts.topic,
        code=code,
        matter="broker-silent",
        state=State.WRONG if led else State.RISK,
        headline=f"{names(sorted(ids)).capitalize()} "
        f"{'does' if len(ids) == 1 else 'do'} not answer"
        + (
            f", and leads {numbers(led)} of {facts.topic}: records for "
            f"{'it' if len(led) == 1 else 'them'} wait, then fail with _MSG_TIMED_OUT."
            if led
            else f"; {facts.topic} is led by others."
        ),
        at_us=facts.at_us,
        facts=(*fault_evidence(facts), *replica_facts(facts)),
        partitions=partition_evidence(facts),
        findings=(
            *(f"Broker {broker.id}: {broker_words(facts, broker)}." for broker in silent),
            "The controller takes the leadership away when broker.session.timeout.ms "
            f"({_session_timeout(facts)}) has passed without a heartbeat. If it does not, there "
            "is no active controller: too few of its voters are up.",
        ),
        options=(
            *bring_back(facts, silent),
            Option(
                "Wait for the election",
                "Nothing is put at risk: what is not acknowledged is sent again.",
                Safety.SAFE,
            ),
            Option(
                "See whether there is an active controller",
                "Nothing.",
                Safety.SAFE,
                KafkaCommands(facts).quorum(),
            ),
        ),
        not_known=("Why it does not answer: its own log and its host tell.",),
    )


def transport(facts: LiveFacts, code: str) -> Diagnosis:
    """A connection broke, yet every broker that matters answers now."""
    left = [row for row in facts.changes if row.kind == "broker_left"][:1]
    findings = [
        f"Broker {row.broker} left at {clock(row.at_us)}; connections to it broke then."
        for row in left
    ]
    return Diagnosis(
        topic=facts.topic,
        code=code,
        matter="network",
        state=State.PASSED,
        headline=f"Every broker that {facts.topic} needs answers now: the connection broke and "
        "could be made again.",
        at_us=facts.at_us,
        facts=(
            *fault_evidence(facts),
            *(
                Evidence(
                    f"broker {broker.id} ({broker.address})",
                    "answers" if broker.answers else broker_words(facts, broker),
                    "asked just now",
                    facts.at_us,
                )
                for broker in facts.brokers
            ),
        ),
        partitions=partition_evidence(facts),
        findings=tuple(findings),
        options=(
            Option(
                "Compare each broker's advertised.listeners with what the client's host can reach",
                "Nothing. A client that reaches the bootstrap address and not what the broker "
                "advertises fails just so, from that host alone.",
                Safety.SAFE,
                KafkaCommands(facts).describe_topic(),
            ),
        ),
        not_known=(
            *(() if left else ("The history holds no broker that left.",)),
            "Whether another host reaches the brokers: they were asked from this one.",
        ),
    )


def _session_timeout(facts: LiveFacts) -> str:
    for broker in facts.brokers:
        setting = (broker.settings or {}).get("broker.session.timeout.ms")
        if setting is not None:
            return f"{setting.value} ms here"
    return "9000 ms by default"
