"""What the parts of a profile demand of each other, checked before librdkafka sees it.

Some rules librdkafka enforces itself, at `Producer()`, by its own names (a refusal often speaks
of the alias that was not written). Others it leaves to be found out in production: a delivery
time-out no attempt fits into, a misspelt unit, a topic that can never be acknowledged. Both
kinds are found here, with the field to change. Rules that librdkafka enforces are held against
the installed library by the tests.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

from producer_agent.delivery.extra_checks import check_extra, check_owned, field_of
from producer_agent.delivery.profiles import PROPERTY_OF, Problem, Profile
from producer_agent.kafka import properties

__all__ = ["Problem", "check", "librdkafka_refusal"]

MESSAGE_OVERHEAD_BYTES: Final = 36
"""What librdkafka counts for a message besides key, value and headers (measured, 2.16.0)."""

_FLOOD_BYTES: Final = 1_000_000
_RETRY_BACKOFF_MAX_MS: Final = 1_000
_SOCKET_TIMEOUT_SLACK_MS: Final = 100


def check(profile: Profile) -> list[Problem]:
    """Every problem of a profile, errors first; [] for one that will do what it says.

    Nothing is connected to and no client is made, so it may be called at every key press.
    """
    found = [problem for rule in _RULES for problem in rule(profile)]
    wrong = {problem.field for problem in found if problem.severity == "error"}
    # A warning about a field that has to change anyway is noise.
    warnings = [p for p in found if p.severity == "warning" and p.field not in wrong]
    return [p for p in found if p.severity == "error"] + warnings


def librdkafka_refusal(profile: Profile) -> Problem | None:
    """What the installed librdkafka itself says against the profile; None if it takes it.

    Makes a producer without brokers and closes it, which takes about a millisecond. A profile
    that sets what is not its own is not put to librdkafka, which might act on it (load a
    plug-in); that problem is returned instead.
    """
    for problem in check_owned(profile):
        return problem
    sentence = properties.refusal(profile.producer.librdkafka())
    if sentence is None:
        return None
    name = _first_property(sentence)
    return Problem(
        profile.name,
        "producer" if name is None else _path(name),
        f"librdkafka refuses this configuration: {_in_profile_words(sentence)}.",
        "Change it as librdkafka says."
        if name is None
        else f"Change `{_path(name)}` as librdkafka says.",
    )


def _error(profile: Profile, field: str, message: str, mend: str) -> Problem:
    return Problem(profile.name, field, message, mend)


def _warning(profile: Profile, field: str, message: str, mend: str) -> Problem:
    return Problem(profile.name, field, message, mend, "warning")


def _idempotence(profile: Profile) -> Iterator[Problem]:
    """Librdkafka's rules, rd_kafka_conf_finalize; a transactional id brings them with it."""
    settings = profile.producer
    if settings.is_transactional and not settings.idempotence:
        yield _error(
            profile,
            "producer.idempotence",
            "a transactional producer has to be idempotent.",
            "Set `producer.idempotence` to true, or remove `producer.transactional_id`.",
        )
    if not (settings.idempotence or settings.is_transactional):
        return
    why = "a transactional" if settings.is_transactional else "an idempotent"
    off = (
        "remove `producer.transactional_id`"
        if settings.is_transactional
        else "turn `producer.idempotence` off"
    )
    if settings.acks != "all":
        yield _error(
            profile,
            "producer.acks",
            f"{why} producer cannot work with acks={settings.acks}.",
            f'Set `producer.acks` to "all", or {off}.',
        )
    if settings.max_in_flight > 5:
        yield _error(
            profile,
            "producer.max_in_flight",
            f"{why} producer keeps the order of at most 5 requests in flight, "
            f"not of {settings.max_in_flight}.",
            f"Set `producer.max_in_flight` to 5 or less, or {off}.",
        )
    if settings.retries == 0:
        yield _error(
            profile,
            "producer.retries",
            f"{why} producer has to retry, and retries is 0.",
            f"Set `producer.retries` to 1 or more (2147483647 is the default), or {off}.",
        )
    if str(settings.extra.get("queuing.strategy", "fifo")).lower() == "lifo":
        yield _error(
            profile,
            "producer.extra.queuing.strategy",
            f"{why} producer keeps the order, and lifo reverses it.",
            f"Set `queuing.strategy` to fifo, or {off}.",
        )


def _gapless(profile: Profile) -> Iterator[Problem]:
    settings, name = profile.producer, "enable.gapless.guarantee"
    if str(settings.extra.get(name, False)).lower() not in ("true", "1", "t"):
        return
    if not (settings.idempotence or settings.is_transactional):
        yield _error(
            profile,
            f"producer.extra.{name}",
            f"`{name}` needs an idempotent producer.",
            "Set `producer.idempotence` to true, or remove it.",
        )
    else:
        yield _warning(
            profile,
            f"producer.extra.{name}",
            f"`{name}` is experimental, and stops the whole producer for one event that fails.",
            "Remove it, unless that is what is to be tried.",
        )


def _time_outs(profile: Profile) -> Iterator[Problem]:
    settings = profile.producer
    delivery, linger, field = (
        settings.delivery_timeout_ms,
        settings.linger_ms,
        "producer.delivery_timeout_ms",
    )
    needed = settings.request_timeout_ms + linger
    if delivery == 0:
        yield _warning(
            profile,
            field,
            "0 means that no event ever fails: while the cluster is away the queue fills, and "
            "nothing becomes a dead letter.",
            "Set `producer.delivery_timeout_ms` to the longest wait that is of use, "
            "such as 120000.",
        )
    elif delivery <= linger:
        yield _error(
            profile,
            field,
            f"every event would time out after {delivery} ms, before its batch is sent: "
            f"linger_ms is {linger:g}.",
            f"Set `producer.delivery_timeout_ms` to at least {needed:g}, or lower "
            "`producer.linger_ms`.",
        )
    elif delivery < needed:
        # Java's producer refuses this (KafkaProducer#configureDeliveryTimeout); librdkafka does
        # not, and fails events whose first attempt the broker still has every right to accept.
        yield _error(
            profile,
            field,
            f"{delivery} ms is shorter than one attempt may take: request_timeout_ms "
            f"{settings.request_timeout_ms} and linger_ms {linger:g}. An event would fail here "
            "while a broker may still store it.",
            f"Set `producer.delivery_timeout_ms` to at least {needed:g}, or lower "
            "`producer.request_timeout_ms`.",
        )
    if settings.retries == 0 and not settings.idempotence and settings.acks != 0:
        yield _warning(
            profile,
            "producer.retries",
            "retries is 0: the first passing fault of a broker fails the event, whatever the "
            f"delivery time-out of {delivery} ms would have left for.",
            "Set `producer.retries` to 2147483647, and let `producer.delivery_timeout_ms` decide.",
        )
    longest = settings.extra.get("retry.backoff.max.ms", _RETRY_BACKOFF_MAX_MS)
    if (most := _whole(longest)) is not None and settings.retry_backoff_ms > most:
        yield _warning(
            profile,
            "producer.retry_backoff_ms",
            f"a backoff of {settings.retry_backoff_ms} ms is cut to retry.backoff.max.ms, "
            f"which is {most}.",
            f"Set `producer.retry_backoff_ms` to {most} or less, or add `retry.backoff.max.ms` "
            "to `producer.extra`.",
        )


def _transactions(profile: Profile) -> Iterator[Problem]:
    settings, faults = profile.producer, profile.workload.faults
    if not settings.is_transactional:
        return
    limit = settings.transaction_timeout_ms
    if settings.delivery_timeout_ms > limit:
        yield _error(
            profile,
            "producer.delivery_timeout_ms",
            f"{settings.delivery_timeout_ms} ms is longer than a transaction may last "
            f"({limit} ms).",
            f"Set `producer.delivery_timeout_ms` to {limit} or less, or raise "
            "`producer.transaction_timeout_ms`.",
        )
    socket = _whole(settings.extra.get("socket.timeout.ms"))
    if socket is not None and socket > limit + _SOCKET_TIMEOUT_SLACK_MS:
        yield _error(
            profile,
            "producer.extra.socket.timeout.ms",
            f"{socket} ms is longer than a transaction may last ({limit} ms).",
            f"Set `socket.timeout.ms` to {limit} or less, or raise "
            "`producer.transaction_timeout_ms`.",
        )
    if profile.workload.transaction_ms >= limit:
        yield _error(
            profile,
            "workload.transaction_ms",
            f"a commit every {profile.workload.transaction_ms} ms comes too late: the broker "
            f"aborts a transaction after {limit} ms.",
            f"Set `workload.transaction_ms` well below {limit}.",
        )
    if faults.unknown_topic > 0.0:
        # Librdkafka fails the commit if any delivery report of the transaction was an error
        # (txn_dr_fails). The other two faults raise in produce(), and leave it whole.
        yield _warning(
            profile,
            "workload.faults.unknown_topic",
            "one event that fails after it was queued aborts its whole transaction, and here "
            f"{faults.unknown_topic:g} of them are sent to an unknown topic.",
            "Set `unknown_topic` to 0, unless aborts are what is to be tried.",
        )


def _second_topic(profile: Profile) -> Iterator[Problem]:
    if profile.workload.second_topic == profile.workload.topic:
        yield _error(
            profile,
            "workload.second_topic",
            "the second topic is the first one again.",
            "Name another topic, or leave `workload.second_topic` unset.",
        )


def _sizes(profile: Profile) -> Iterator[Problem]:
    settings, load = profile.producer, profile.workload
    largest = settings.message_max_bytes
    if load.payload_bytes + MESSAGE_OVERHEAD_BYTES > largest:
        yield _error(
            profile,
            "workload.payload_bytes",
            f"a payload of {load.payload_bytes} bytes does not fit into message_max_bytes "
            f"{largest}: produce() would refuse every other event or more.",
            "Lower `workload.payload_bytes`, or raise `producer.message_max_bytes` (and the "
            "topic's max.message.bytes) to at least twice the payload.",
        )
    elif 2 * load.payload_bytes > largest:
        yield _warning(
            profile,
            "workload.payload_bytes",
            f"payload_bytes is a median: with {load.payload_bytes} the larger payloads, key and "
            f"headers may exceed message_max_bytes {largest}.",
            f"Raise `producer.message_max_bytes` to at least {2 * load.payload_bytes}, or lower "
            "`workload.payload_bytes`.",
        )
    if settings.batch_size > largest:
        yield _warning(
            profile,
            "producer.batch_size",
            f"a batch is cut at message_max_bytes {largest}, so batch_size "
            f"{settings.batch_size} is never reached.",
            f"Set `producer.batch_size` to {largest} or less.",
        )
    if load.faults.oversized > 0.0 and largest > _FLOOD_BYTES:
        per_minute = load.faults.oversized * load.rate_per_s * 60
        yield _warning(
            profile,
            "workload.faults.oversized",
            f"an oversized event is larger than message_max_bytes {largest}: about "
            f"{per_minute:.3g} a minute are {per_minute * largest / 1e6:.3g} MB a minute of dead "
            "letters.",
            f"Lower `producer.message_max_bytes` to {_FLOOD_BYTES} or less, or set the share to 0.",
        )


def _replicas(profile: Profile) -> Iterator[Problem]:
    load, field = profile.workload, "workload.min_insync_replicas"
    needed, copies = load.min_insync_replicas, load.replication_factor
    waits = profile.producer.acks == "all"
    if needed > copies:
        message = (
            f"{needed} in-sync replicas are asked for and the topic has {copies}: with acks=all "
            "every event would fail with NOT_ENOUGH_REPLICAS."
            if waits
            else f"{needed} in-sync replicas are asked for and the topic has {copies}; acks="
            f"{profile.acks_label} does not wait for them, any producer with acks=all fails."
        )
        mend = (
            f"Set `workload.min_insync_replicas` to {max(copies - 1, 1)}, or raise "
            "`workload.replication_factor`."
        )
        yield (_error if waits else _warning)(profile, field, message, mend)
    elif waits and needed == 1 < copies:
        yield _warning(
            profile,
            field,
            "with 1 the leader alone may acknowledge when the other replicas lag, and acks=all "
            "then proves no more than acks=1.",
            f"Set `workload.min_insync_replicas` to {copies - 1 if copies > 2 else 2}.",
        )


def _objective(profile: Profile) -> Iterator[Problem]:
    ratio = profile.objective.success_ratio
    if ratio is not None and profile.producer.acks == 0:
        yield _warning(
            profile,
            "objective.success_ratio",
            f"acks=0 brings no proof of delivery, so {ratio:g} can be neither met nor missed.",
            "Remove `objective.success_ratio`, or set `producer.acks` to 1 or all.",
        )


_RULES: Final[tuple[Callable[[Profile], Iterator[Problem]], ...]] = (
    _idempotence,
    _gapless,
    _time_outs,
    _transactions,
    _second_topic,
    check_extra,
    _sizes,
    _replicas,
    _objective,
)


def _whole(value: object) -> int | None:
    """An integer setting's value if it is written plainly; `check_extra` deals with the rest."""
    text = "" if isinstance(value, bool) or value is None else str(value)
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else None


_QUOTED: Final = re.compile(r"[`\"](?P<name>[a-z][a-z0-9._]*)(?:=[a-z0-9]+)?[`\"]")


def _first_property(sentence: str) -> str | None:
    """The first property a refusal names; it is the one librdkafka wants changed."""
    names = [match["name"] for match in _QUOTED.finditer(sentence)]
    return next((name for name in names if field_of(name) or properties.is_known(name)), None)


def _path(name: str) -> str:
    field = field_of(name)
    return f"producer.{field}" if field else f"producer.extra.{name}"


def _in_profile_words(sentence: str) -> str:
    """The refusal with the names the profile is written in behind librdkafka's."""

    def renamed(match: re.Match[str]) -> str:
        field = field_of(match["name"])
        known = field is not None and PROPERTY_OF[field] != match["name"]
        return f"{match[0]} ({field})" if known else match[0]

    return _QUOTED.sub(renamed, sentence).rstrip(".")
