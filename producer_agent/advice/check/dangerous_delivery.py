"""Settings under which records are lost, stored twice, reordered, or fail without need.

Each rule reads the configuration as it will run, and blames a setting that is written in it.
Where a rule rests on a broker's default, Apache Kafka's own is meant (4.x, server.properties).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from producer_agent.advice.check.rule_words import Found, danger, keeping
from producer_agent.advice.check.settings_view import SettingsView

BROKER_MESSAGE_MAX_BYTES: Final = 1_048_588
"""`message.max.bytes` of a broker, and so `max.message.bytes` of a topic, if not set."""

BROKER_TRANSACTION_MAX_TIMEOUT_MS: Final = 900_000
"""`transaction.max.timeout.ms` of a broker, if not set."""

_SMALL_QUEUE_MESSAGES: Final = 1_000
_RESTART_MS: Final = 5_000
"""What a broker that restarts is away at the very least (elections cost no retries)."""

_DEFAULT_DELIVERY_MS: Final = "120000"
_SOCKET_TIMEOUT_MAX_MS: Final = 300_000
_INT32_MAX: Final = 2**31 - 1


def _acks(view: SettingsView) -> Found:
    acks = view.number("acks")
    fix = (view.as_written("acks"), "all")
    if not view.written("acks"):
        return
    if acks == 0:
        yield (
            "acks",
            danger(
                "No broker confirms anything: what is lost is reported as delivered. Keep it "
                "only for data whose loss nobody would notice.",
                fix,
            ),
        )
    elif acks == 1:
        yield (
            "acks",
            danger(
                "The leader confirms alone: if it dies before its followers have copied the "
                "record, the record is lost, and was reported as delivered.",
                fix,
            ),
        )
    elif acks > 1:
        yield (
            "acks",
            danger(
                "librdkafka takes it and every broker refuses it, with INVALID_REQUIRED_ACKS: "
                "brokers know 0, 1 and all.",
                fix,
            ),
        )


def _order(view: SettingsView) -> Found:
    if view.idempotent or view.number("acks") == 0 or view.number("retries") == 0:
        return
    in_flight = view.number("max.in.flight")
    if view.written("enable.idempotence"):
        what = "a retry may be stored twice"
        if in_flight > 1:
            what += f", and overtake what was sent after it ({in_flight:.0f} requests in flight)"
        yield (
            "enable.idempotence",
            danger(f"Without idempotence {what}.", (view.as_written("enable.idempotence"), "true")),
        )
    elif view.written("max.in.flight") and in_flight > 1:
        name = view.as_written("max.in.flight")
        yield (
            "max.in.flight",
            danger(
                f"With {in_flight:.0f} requests in flight and no idempotence a retry may overtake "
                "what was sent after it. Set enable.idempotence=true, with 5 or less.",
                (name, f"{min(in_flight, 5):.0f}"),
                ("enable.idempotence", "true"),
            ),
        )


def _retries(view: SettingsView) -> Found:
    if not view.written("retries") or view.number("acks") == 0:
        return
    retries = view.number("retries")
    fix = (view.as_written("retries"), str(_INT32_MAX))
    if retries == 0:
        yield (
            "retries",
            danger(
                "The first passing fault of a broker, such as too few in-sync replicas, fails the "
                "record.",
                fix,
            ),
        )
        return
    patience = _patience_ms(view)
    limit = view.number("delivery.timeout.ms") or float("inf")
    if patience < min(_RESTART_MS, limit):
        yield (
            "retries",
            danger(
                f"{_counted(retries)} used up after about {patience / 1000:.1f} s of a fault such "
                "as too few in-sync replicas, and a broker's restart takes longer: the record "
                "fails with NOT_ENOUGH_REPLICAS or REQUEST_TIMED_OUT, whatever "
                "delivery.timeout.ms would have left. Let delivery.timeout.ms alone decide.",
                fix,
            ),
        )


def _counted(retries: float) -> str:
    return "1 retry is" if retries == 1 else f"{retries:.0f} retries are"


def _patience_ms(view: SettingsView) -> float:
    """How long all the back-offs together take at most; librdkafka doubles them."""
    wait, longest = view.number("retry.backoff.ms"), view.number("retry.backoff.max.ms")
    total = 0.0
    for _ in range(int(min(view.number("retries"), 100))):
        total += min(wait, longest)
        wait *= 2
    return total


def _time_outs(view: SettingsView) -> Found:
    delivery, linger = view.number("delivery.timeout.ms"), view.number("linger.ms")
    request = view.number("request.timeout.ms")
    written = view.first_written("delivery.timeout.ms", "request.timeout.ms", "linger.ms")
    name = view.as_written("delivery.timeout.ms")
    if delivery == 0 and view.written("delivery.timeout.ms"):
        yield (
            "delivery.timeout.ms",
            danger(
                "0 means that no record ever fails: while the cluster is away the queue fills "
                "and nothing is reported.",
                (name, _DEFAULT_DELIVERY_MS),
            ),
        )
    elif written is None or delivery == 0:
        return
    elif delivery <= linger:
        yield (
            written,
            danger(
                f"produce() refuses every record: delivery.timeout.ms is {delivery:g} and has to "
                f"be greater than linger.ms, which is {linger:g}.",
                *keeping(view, written, "delivery.timeout.ms", f"{request + linger:.0f}"),
            ),
        )
    elif delivery < request + linger:
        yield (
            written,
            danger(
                f"A record fails after {delivery:g} ms (delivery.timeout.ms), while one attempt "
                f"may take {request + linger:g}: request.timeout.ms {request:g} and linger.ms "
                f"{linger:g}. It would be reported as failed, and stored. The Java producer "
                "refuses this, librdkafka does not.",
                *keeping(view, written, "delivery.timeout.ms", f"{request + linger:.0f}"),
            ),
        )


def _socket(view: SettingsView) -> Found:
    socket, request = view.number("socket.timeout.ms"), view.number("request.timeout.ms")
    written = view.first_written("request.timeout.ms", "socket.timeout.ms")
    if written is None or socket >= request or view.number("acks") == 0:
        return
    if view.written("socket.timeout.ms"):
        mend = keeping(view, written, "request.timeout.ms", f"{socket:.0f}")
    else:
        most = min(request, _SOCKET_TIMEOUT_MAX_MS)
        mend = keeping(view, written, "socket.timeout.ms", f"{most:.0f}")
    yield (
        written,
        danger(
            f"The client gives a request up after {socket:g} ms (socket.timeout.ms), while the "
            f"broker may wait {request:g} for its replicas (request.timeout.ms): what is then "
            "sent again may be stored twice"
            + (", were it not idempotent." if view.idempotent else "."),
            *mend,
        ),
    )


def _transactions(view: SettingsView) -> Found:
    limit = view.number("transaction.timeout.ms")
    if not view.transactional:
        return
    if limit > BROKER_TRANSACTION_MAX_TIMEOUT_MS and view.written("transaction.timeout.ms"):
        yield (
            "transaction.timeout.ms",
            danger(
                "A broker refuses it with INVALID_TRANSACTION_TIMEOUT, unless its "
                f"transaction.max.timeout.ms is above {BROKER_TRANSACTION_MAX_TIMEOUT_MS}.",
                (view.as_written("transaction.timeout.ms"), str(BROKER_TRANSACTION_MAX_TIMEOUT_MS)),
            ),
        )
    if view.number("linger.ms") >= limit and view.written("linger.ms"):
        yield (
            "linger.ms",
            danger(
                f"A transaction ends after {limit:g} ms, before its records would be sent.",
                (view.as_written("linger.ms"), "5"),
            ),
        )


def _queue(view: SettingsView) -> Found:
    messages, kbytes = (
        view.number("queue.buffering.max.messages"),
        view.number("queue.buffering.max.kbytes"),
    )
    if view.written("queue.buffering.max.messages"):
        fix = ("queue.buffering.max.messages", "100000")
        if messages == 0:
            yield (
                "queue.buffering.max.messages",
                danger(
                    "0 is no limit: while the cluster is away only "
                    f"queue.buffering.max.kbytes ({kbytes:.0f} KiB) keeps memory from filling.",
                    fix,
                ),
            )
        elif messages < _SMALL_QUEUE_MESSAGES:
            yield (
                "queue.buffering.max.messages",
                danger(
                    f"After {messages:.0f} records that are not yet confirmed produce() raises "
                    "BufferError: a short burst or a slow broker is enough.",
                    fix,
                ),
            )
    if view.written("queue.buffering.max.kbytes") and kbytes * 1024 < 2 * view.number(
        "message.max.bytes"
    ):
        yield (
            "queue.buffering.max.kbytes",
            danger(
                f"{kbytes:.0f} KiB hold less than two records of message.max.bytes "
                f"({view.text('message.max.bytes')} bytes); produce() will raise BufferError.",
                ("queue.buffering.max.kbytes", "32768"),
            ),
        )


def _sizes(view: SettingsView) -> Found:
    largest = view.number("message.max.bytes")
    if view.written("message.max.bytes") and largest > BROKER_MESSAGE_MAX_BYTES:
        yield (
            "message.max.bytes",
            danger(
                f"A topic takes {BROKER_MESSAGE_MAX_BYTES} bytes unless its max.message.bytes is "
                "raised: larger records come back as MSG_SIZE_TOO_LARGE. Raise it on the topic "
                "(and replica.fetch.max.bytes on old brokers), or lower this.",
            ),
        )


RULES: Final[tuple[Callable[[SettingsView], Found], ...]] = (
    _acks,
    _order,
    _retries,
    _time_outs,
    _socket,
    _transactions,
    _queue,
    _sizes,
)
