"""Too large: the limits in force at client, topic and broker, and which was hit."""

from __future__ import annotations

from producer_agent.advice.diagnosis.diagnosis import Diagnosis, Evidence, Option, Safety, State
from producer_agent.advice.diagnosis.evidence import fault_evidence
from producer_agent.advice.diagnosis.kafka_commands import KafkaCommands
from producer_agent.advice.diagnosis.live_facts import ClientFacts, LiveFacts
from producer_agent.kafka.described_settings import Setting

RECORD_OVERHEAD = 100
"""Bytes that a record's batch adds at most beside its own: 61 of the batch's header (Kafka's
record format, version 2), and a few of lengths, timestamps and offsets."""


def too_large(facts: LiveFacts, code: str) -> Diagnosis:
    """MSG_SIZE_TOO_LARGE or RECORD_LIST_TOO_LARGE."""
    record = facts.record
    client = record.client if record is not None else (facts.clients[0] if facts.clients else None)
    size = record.size if record is not None else None
    topic_limit = _number((facts.settings or {}).get("max.message.bytes"))
    rejected = record is not None and record.event.outcome == "rejected"
    hit, how = _hit(facts, code, client, size, topic_limit, rejected)
    commands = KafkaCommands(facts)
    options = [
        Option(
            "Undo the injected fault",
            "Nothing: it puts back what was there.",
            Safety.SAFE,
            undo_fault={"kind": fault["kind"], "topic": fault["topic"]},
        )
        for fault in facts.faults
        if fault.get("topic") == facts.topic
    ]
    options.append(
        Option(
            "Send less in one record: compress it, split it, or put the payload elsewhere and "
            "send where it lies",
            "A change in the producer; nothing else is put at risk.",
            Safety.SAFE,
        )
    )
    needed = (size + RECORD_OVERHEAD) if size is not None else None
    if hit == "topic" and facts.kind != "embedded":
        wanted = max(needed or 0, (topic_limit or 0) * 2)
        options.append(
            Option(
                f"Raise the topic's max.message.bytes to {wanted:,}",
                "Consumers must be able to take it (max.partition.fetch.bytes, fetch.max.bytes), "
                "and brokers hold batches of that size in memory.",
                Safety.CAREFUL,
                commands.set_topic("max.message.bytes", str(wanted)),
            )
        )
        setting = (facts.settings or {})["max.message.bytes"]
        if setting.source == "set on the topic":
            options.append(
                Option(
                    "Give the topic the cluster's limit again",
                    "As above, by whatever the cluster allows"
                    + (f" ({limit:,})" if (limit := _broker(facts, "message.max.bytes")) else "")
                    + ".",
                    Safety.CAREFUL,
                    commands.unset_topic("max.message.bytes"),
                )
            )
    if hit == "client" and client is not None:
        options.append(
            Option(
                f"Raise message.max.bytes of profile {client.profile}"
                + (f" to at least {needed:,}" if needed is not None else ""),
                "Takes effect at its next start. Above the topic's max.message.bytes"
                + (f" ({topic_limit:,})" if topic_limit is not None else "")
                + " the broker refuses instead.",
                Safety.CAREFUL,
            )
        )
    if hit == "batch":
        options.append(
            Option(
                f"Lower batch.size of the producer below the topic's {topic_limit:,} bytes",
                "Smaller batches cost throughput. Takes effect at its next start.",
                Safety.CAREFUL,
            )
        )
    if hit == "segment":
        options.append(
            Option(
                "Lower batch.size of the producer, or raise segment.bytes of the topic",
                "Smaller batches cost throughput; larger segments delay retention.",
                Safety.CAREFUL,
            )
        )
    return Diagnosis(
        topic=facts.topic,
        code=code,
        matter="too-large",
        state={None: State.UNKNOWN, "raised": State.PASSED}.get(hit, State.WRONG),
        headline=how,
        at_us=facts.at_us,
        facts=(*fault_evidence(facts), *_limits(facts, client, size)),
        findings=(
            *(
                ()
                if hit in ("raised", "batch")
                else (
                    "The same record is refused again, whenever it is sent: replaying it "
                    "unchanged does not help.",
                )
            ),
            *_mismatch(client, topic_limit),
        ),
        options=tuple(options),
        not_known=(
            *(
                ()
                if size is not None
                else (
                    "The record's own size: "
                    + (
                        "it is no longer kept."
                        if record is not None
                        else "no single record was looked at."
                    ),
                )
            ),
            *(
                ()
                if topic_limit is not None
                else (
                    f"The topic's limit: {facts.settings_error or 'the cluster does not tell it'}.",
                )
            ),
        ),
    )


def _hit(
    facts: LiveFacts,
    code: str,
    client: ClientFacts | None,
    size: int | None,
    topic_limit: int | None,
    rejected: bool,
) -> tuple[str | None, str]:
    """Which limit was hit, and the sentence that says so."""
    its_size = f"a record of {size:,} bytes" if size is not None else "the record"
    if code == "RECORD_LIST_TOO_LARGE":
        segment = _number((facts.settings or {}).get("segment.bytes"))
        return "segment", (
            f"A batch was larger than a segment of {facts.topic}"
            + (f" ({segment:,} bytes)" if segment is not None else "")
            + ": the broker took none of it."
        )
    client_limit = client.message_max_bytes if client is not None else None
    if rejected or (
        client_limit is not None and size is not None and size + RECORD_OVERHEAD > client_limit
    ):
        return "client", (
            f"The client's own limit was hit: {its_size} is over message.max.bytes"
            + (f" ({client_limit:,})" if client_limit is not None else "")
            + ". produce() refused it, and nothing was sent."
        )
    if (
        facts.record is not None
        and size is not None
        and topic_limit is not None
        and size + RECORD_OVERHEAD <= topic_limit
    ):
        raised = _raised_since(facts, facts.record.event.settled_us)
        if raised is not None:
            return "raised", (
                f"It fits now: max.message.bytes of {facts.topic} was changed from {raised} to "
                f"{topic_limit:,} since, and {its_size} can be replayed."
            )
        return "batch", (
            f"The record itself fits ({size:,} bytes, the topic takes {topic_limit:,}): its batch "
            "did not. The broker's limit is for a whole batch, and librdkafka fills batches up to "
            f"batch.size ({client.batch_size:,} bytes)."
            if client is not None
            else f"The record itself fits ({size:,} bytes, the topic takes {topic_limit:,}): its "
            "batch did not, as the broker's limit is for a whole batch."
        )
    if facts.record is not None or (
        topic_limit is not None and client_limit is not None and topic_limit < client_limit
    ):
        return "topic", (
            f"The topic's limit was hit: the broker refused {its_size}, over max.message.bytes"
            + (f" ({topic_limit:,})" if topic_limit is not None else "")
            + f" of {facts.topic}."
        )
    if client_limit is not None and (topic_limit is None or client_limit <= topic_limit):
        return "client", (
            f"The client's own limit is the lowest in force: message.max.bytes ({client_limit:,}) "
            f"of profile {client.profile if client is not None else ''}; produce() refuses what "
            "is over it."
        )
    return None, (
        "Which limit was hit cannot be told without the record: the limits in force are below."
    )


def _raised_since(facts: LiveFacts, settled_us: int) -> str | None:
    """The limit before, where it was changed after this record failed."""
    for row in reversed(facts.changes):
        if (
            row.kind == "setting_changed"
            and row.topic == facts.topic
            and row.detail.get("name") == "max.message.bytes"
            and row.at_us > settled_us
        ):
            return str(row.detail["before"])
    return None


def _limits(facts: LiveFacts, client: ClientFacts | None, size: int | None) -> list[Evidence]:
    found = []
    if size is not None:
        found.append(
            Evidence("the record", f"{size:,} bytes", "key, value and headers as they were kept")
        )
    if client is not None:
        found.append(
            Evidence(
                "client: message.max.bytes",
                f"{client.message_max_bytes:,}",
                f"profile {client.profile}",
            )
        )
    topic = (facts.settings or {}).get("max.message.bytes")
    found.append(
        Evidence("topic: max.message.bytes", "not known", facts.settings_error or "not told")
        if topic is None
        else Evidence("topic: max.message.bytes", _text(topic), topic.source, facts.at_us)
    )
    for name in ("message.max.bytes", "replica.fetch.max.bytes", "socket.request.max.bytes"):
        values = {
            (setting.value, setting.source): broker.id
            for broker in facts.brokers
            if (setting := (broker.settings or {}).get(name)) is not None
        }
        found += [
            Evidence(
                f"broker: {name}" + (f" (broker {number})" if len(values) > 1 else ""),
                _text(Setting(value, source)),
                source,
                facts.at_us,
            )
            for (value, source), number in values.items()
        ]
    segment = (facts.settings or {}).get("segment.bytes")
    if segment is not None:
        found.append(Evidence("topic: segment.bytes", _text(segment), segment.source, facts.at_us))
    return found


def _mismatch(client: ClientFacts | None, topic_limit: int | None) -> list[str]:
    if client is None or topic_limit is None or client.message_max_bytes <= topic_limit:
        return []
    return [
        f"The client lets records up to {client.message_max_bytes:,} bytes through and the topic "
        f"takes {topic_limit:,}: what lies between is sent, refused and dead-lettered. Align them."
    ]


def _broker(facts: LiveFacts, name: str) -> int | None:
    return next(
        (
            number
            for broker in facts.brokers
            if (number := _number((broker.settings or {}).get(name))) is not None
        ),
        None,
    )


def _number(setting: Setting | None) -> int | None:
    return int(setting.value) if setting is not None and setting.value.isdigit() else None


def _text(setting: Setting) -> str:
    return f"{int(setting.value):,}" if setting.value.isdigit() else setting.value
