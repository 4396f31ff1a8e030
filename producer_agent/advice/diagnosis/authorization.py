"""Not allowed: who, to do what, and the ACL that would allow it."""

from __future__ import annotations

from producer_agent.advice.diagnosis.diagnosis import (
    Diagnosis,
    Evidence,
    Option,
    Safety,
    State,
)
from producer_agent.advice.diagnosis.evidence import fault_evidence, partition_evidence
from producer_agent.advice.diagnosis.kafka_commands import KafkaCommands
from producer_agent.advice.diagnosis.live_facts import LiveFacts
from producer_agent.kafka.permissions import Acl

_PLACEHOLDER = "User:NAME"


def not_authorized(facts: LiveFacts, code: str | None) -> Diagnosis:
    """The principal lacks an operation on the topic, or on the cluster."""
    on_cluster = code == "CLUSTER_AUTHORIZATION_FAILED"
    operation = "IDEMPOTENT_WRITE" if on_cluster else "WRITE"
    resource = "the cluster" if on_cluster else f"topic {facts.topic}"
    principal = _principal(facts)
    known = facts.permissions
    allowed = None
    if known is not None:
        allowed = known.cluster_allowed if on_cluster else known.allowed
    denials = [acl for acl in _matching(facts, on_cluster) if acl.permission == "DENY"]
    mended = allowed is not None and operation in allowed and not denials
    if facts.kind == "embedded" and not on_cluster:
        # It has no ACLs to ask for, and shows the refusal in its metadata.
        mended = facts.topic_view is not None and facts.topic_view.error is None
    who = principal or "the client's principal (not known here)"
    findings = [
        f"An ACL denies {acl.operation} on {acl.resource.lower()} {acl.name} to {acl.principal} "
        f"from host {acl.host}: a DENY outweighs every ALLOW."
        for acl in denials
    ]
    if known is not None and known.acls is not None and not denials and not mended:
        findings.append(
            f"No ACL allows {operation} on {resource}"
            + (
                ": there are ACLs on it for others, and one ACL on a resource shuts out everybody "
                "who has none (allow.everyone.if.no.acl.found applies to resources without any)."
                if _matching(facts, on_cluster)
                else ", and the brokers let nobody in without (allow.everyone.if.no.acl.found)."
            )
        )
    if on_cluster:
        findings.append(
            "An idempotent producer asks for a producer id. Since Kafka 2.8 WRITE on any topic is "
            "enough for that (KIP-679); before it needed IDEMPOTENT_WRITE on the cluster."
        )
    elif mended:
        findings.append("A running producer notices at its next attempt; no restart is needed.")
    return Diagnosis(
        topic=facts.topic,
        code=code,
        matter="not-authorized",
        state=State.PASSED if mended else State.WRONG,
        headline=(
            f"{who} may {operation} on {resource} now: it was denied, and is allowed again."
            if mended
            else f"{who} may not {operation} on {resource}."
        ),
        at_us=facts.at_us,
        facts=(
            *fault_evidence(facts),
            Evidence("principal", principal or "not known", _principal_source(facts)),
            Evidence("operation", operation, "what a producer does"),
            *(
                ()
                if allowed is None
                else (
                    Evidence(
                        "allowed to us now",
                        ", ".join(sorted(allowed)) or "nothing",
                        "authorized operations, told by a broker",
                        facts.at_us,
                    ),
                )
            ),
            *(_acl_fact(facts, acl) for acl in _matching(facts, on_cluster)[:20]),
        ),
        partitions=partition_evidence(facts),
        findings=tuple(findings),
        options=() if mended else _options(facts, principal, operation, denials, on_cluster),
        not_known=_not_known(facts, principal),
    )


def _principal(facts: LiveFacts) -> str | None:
    if facts.record is not None and facts.record.client is not None:
        return facts.record.client.principal or facts.principal
    of_clients = {client.principal for client in facts.clients if client.principal}
    return of_clients.pop() if len(of_clients) == 1 else facts.principal


def _principal_source(facts: LiveFacts) -> str:
    if facts.principal == "User:ANONYMOUS":
        return "a listener without a login"
    return "sasl.username" if _principal(facts) else "see the authorizer's log of a broker"


def _matching(facts: LiveFacts, on_cluster: bool) -> list[Acl]:
    acls = (facts.permissions.acls if facts.permissions is not None else None) or ()
    wanted = "CLUSTER" if on_cluster else "TOPIC"
    return [acl for acl in acls if acl.resource == wanted]


def _acl_fact(facts: LiveFacts, acl: Acl) -> Evidence:
    return Evidence(
        f"ACL on {acl.resource.lower()} {acl.name}"
        + (" (prefix)" if acl.pattern == "PREFIXED" else ""),
        f"{acl.permission} {acl.operation} to {acl.principal} from {acl.host}",
        "ACL listing",
        facts.at_us,
    )


def _options(
    facts: LiveFacts, principal: str | None, operation: str, denials: list[Acl], on_cluster: bool
) -> tuple[Option, ...]:
    if facts.kind == "embedded":
        return _undo(facts)
    commands = KafkaCommands(facts)
    options = list(_undo(facts))
    options += [
        Option(
            f"Take away the ACL that denies {acl.operation} to {acl.principal}",
            "Whoever put it there had a reason: ask first. It lets that principal in again.",
            Safety.CAREFUL,
            commands.remove_denial(acl.principal, acl.host, acl.operation.title(), acl.name),
        )
        for acl in denials
        if acl.resource == "TOPIC"
    ]
    if not denials:
        options.append(
            Option(
                f"Allow {operation} to {principal or 'the principal'}"
                + ("" if principal else f" (put its name in place of {_PLACEHOLDER})"),
                "It can then write here; nothing else.",
                Safety.CAREFUL,
                commands.allow(
                    principal or _PLACEHOLDER,
                    "IdempotentWrite" if on_cluster else "Write",
                    cluster=on_cluster,
                ),
            )
        )
    options.append(
        Option("See which ACLs there are", "Nothing.", Safety.SAFE, commands.list_acls())
    )
    return tuple(options)


def _undo(facts: LiveFacts) -> tuple[Option, ...]:
    return tuple(
        Option(
            "Undo the injected fault",
            "Nothing: it puts back what was there.",
            Safety.SAFE,
            undo_fault={key: fault[key] for key in ("kind", "topic") if fault.get(key)},
        )
        for fault in facts.faults
        if fault.get("topic") == facts.topic
    )


def _not_known(facts: LiveFacts, principal: str | None) -> tuple[str, ...]:
    told = []
    if principal is None:
        told.append(
            "Who the client is to the brokers: its login is not among the settings seen here. A "
            "broker's authorizer log (kafka.authorizer.logger) names it."
        )
    known = facts.permissions
    if known is None or known.acls is None:
        why = known.acls_error if known is not None else "they were not asked for"
        told.append(f"Which ACLs there are: {why}. Listing them needs DESCRIBE on the cluster.")
    return tuple(told)
