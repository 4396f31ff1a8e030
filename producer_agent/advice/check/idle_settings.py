"""Settings that librdkafka takes and that change nothing in this configuration."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Final

from producer_agent.advice.check.rule_words import Found
from producer_agent.advice.check.settings_view import SettingsView
from producer_agent.advice.check.verdicts import Finding
from producer_agent.kafka.properties import known_properties

_GZIP_HIGHEST: Final = 9
_MECHANISMS: Final = MappingProxyType(
    {
        "sasl.username": ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"),
        "sasl.password": ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"),
    }
)
_NO_LONGER_USED: Final = ("No longer used", "no longer used", "Has no effect", "has no effect")


def _nothing(reason: str) -> Finding:
    return Finding("no-effect", reason, ())


def _roles(view: SettingsView) -> Found:
    for name in view.given:
        known = known_properties().get(name)
        if known is None:
            continue
        if known.role == "consumer":
            yield name, _nothing("It is a consumer's, and a producer ignores it.")
        elif known.deprecated and any(words in known.description for words in _NO_LONGER_USED):
            yield name, _nothing("librdkafka has given it up: it is read, and no longer used.")


def _security(view: SettingsView) -> Found:
    protocol = view.text("security.protocol")
    because = f"security.protocol is {protocol}" + (
        "" if view.written("security.protocol") else " if it is not set"
    )
    mechanism = view.text("sasl.mechanism")
    known_mechanism = "sasl.mechanisms" not in view.given or view.given["sasl.mechanisms"].known
    for name in view.given:
        is_sasl = name.startswith(("sasl.", "enable.sasl"))
        is_tls = name.startswith(("ssl.", "enable.ssl"))
        if is_sasl and not view.uses_sasl:
            yield name, _nothing(f"Nobody signs in: {because}. Set it to sasl_ssl.")
        elif is_tls and not view.uses_tls:
            yield name, _nothing(f"There is no TLS: {because}. Set it to ssl or sasl_ssl.")
        elif (
            is_sasl
            and known_mechanism
            and name in _MECHANISMS
            and mechanism.upper() not in _MECHANISMS[name]
        ):
            yield name, _nothing(f"sasl.mechanism is {mechanism}, which does not use it.")


def _transactions(view: SettingsView) -> Found:
    if not view.transactional and view.written("transaction.timeout.ms"):
        yield (
            "transaction.timeout.ms",
            _nothing("There is no transactional.id, so there are no transactions."),
        )


def _compression(view: SettingsView) -> Found:
    if not view.written("compression.level"):
        return
    codec, level = view.text("compression.type"), view.number("compression.level")
    entry = view.given.get("compression.codec")
    if entry is not None and not entry.known:
        return
    if codec in ("none", "snappy"):
        yield "compression.level", _nothing(f"compression.type is {codec}, which has no levels.")
    elif codec == "gzip" and level > _GZIP_HIGHEST:
        yield (
            "compression.level",
            _nothing(f"gzip has levels up to {_GZIP_HIGHEST}, and librdkafka cuts it to that."),
        )


def _batches(view: SettingsView) -> Found:
    if view.written("batch.size") and view.number("batch.size") > view.number("message.max.bytes"):
        yield (
            "batch.size",
            _nothing(
                f"A batch is cut at message.max.bytes ({view.text('message.max.bytes')}) first."
            ),
        )


def _backoff(view: SettingsView) -> Found:
    wait, longest = view.number("retry.backoff.ms"), view.number("retry.backoff.max.ms")
    if wait > longest and view.written("retry.backoff.ms"):
        yield (
            "retry.backoff.ms",
            _nothing(f"It is cut to retry.backoff.max.ms, which is {longest:g}."),
        )


def _without_acks(view: SettingsView) -> Found:
    if view.number("acks") != 0:
        return
    for name in ("retries", "retry.backoff.ms", "retry.backoff.max.ms", "request.timeout.ms"):
        if view.written(name):
            yield name, _nothing("With acks=0 the broker answers nothing, so nothing is retried.")


def _statistics(view: SettingsView) -> Found:
    if (
        view.format == "python"
        and view.written("statistics.interval.ms")
        and view.number("statistics.interval.ms") > 0
        and "stats_cb" not in view.given
    ):
        yield (
            "statistics.interval.ms",
            _nothing("There is no stats_cb here that would be told the statistics."),
        )


RULES: Final[tuple[Callable[[SettingsView], Found], ...]] = (
    _roles,
    _security,
    _transactions,
    _compression,
    _batches,
    _backoff,
    _without_acks,
    _statistics,
)
