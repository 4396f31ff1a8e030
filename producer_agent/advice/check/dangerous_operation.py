"""Settings that hide what happens, open the connection to others, or send to the wrong place.

Each rule reads the configuration as it will run, and blames a setting that is written in it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from producer_agent.advice.check.rule_words import Found, danger
from producer_agent.advice.check.settings_view import SettingsView
from producer_agent.advice.check.verdicts import Finding

_ADDRESS: Final = re.compile(
    r"(?:(?:plaintext|ssl|sasl_plaintext|sasl_ssl)://)?(?:\[[0-9a-f:.%]+\]|[^\s:/\[\]'\"@]+)"
    r"(?::[0-9]{1,5})?",
    re.IGNORECASE,
)


def _reports(view: SettingsView) -> Found:
    if view.flag("delivery.report.only.error"):
        yield (
            "delivery.report.only.error",
            danger(
                "Successes are not reported: a record that is never reported cannot be told from "
                "one that arrived.",
                ("delivery.report.only.error", "false"),
            ),
        )
    if view.number("enabled_events"):
        yield (
            "enabled_events",
            Finding(
                "dangerous",
                "Delivery reports become events that nobody fetches: on_delivery is never called.",
                (),
            ),
        )


def _security(view: SettingsView) -> Found:
    protocol = view.text("security.protocol")
    if (
        view.uses_tls
        and view.written("enable.ssl.certificate.verification")
        and not view.flag("enable.ssl.certificate.verification")
    ):
        yield (
            "enable.ssl.certificate.verification",
            danger(
                "Any certificate is taken: who stands between the client and the broker reads "
                "and changes everything. Set ssl.ca.location instead.",
                ("enable.ssl.certificate.verification", "true"),
            ),
        )
    name = "ssl.endpoint.identification.algorithm"
    if view.uses_tls and view.written(name) and view.text(name) == "none":
        yield (
            name,
            danger("A certificate for any other host is taken as the broker's.", (name, "https")),
        )
    store = view.given.get("ssl.keystore.location")
    if view.uses_tls and store is not None and (store.value or "").lower().endswith(".jks"):
        yield (
            "ssl.keystore.location",
            danger(
                "librdkafka reads a PKCS#12 store, and no Java key store: convert it with "
                "`keytool -importkeystore -deststoretype PKCS12`.",
                ("ssl.keystore.location", (store.value or "")[:-4] + ".p12"),
            ),
        )
    if protocol == "sasl_plaintext" and view.text("sasl.mechanism") in ("PLAIN", "OAUTHBEARER"):
        yield (
            "security.protocol",
            danger(
                f"{view.text('sasl.mechanism')} sends the password or token unencrypted.",
                ("security.protocol", "sasl_ssl"),
            ),
        )


def _visibility(view: SettingsView) -> Found:
    if view.written("debug"):
        yield (
            "debug",
            Finding(
                "dangerous",
                "librdkafka logs every request and record in these contexts: for looking into a "
                "fault, not for production.",
                (),
            ),
        )
    if view.written("log_level") and view.number("log_level") < 4:
        yield (
            "log_level",
            danger("Warnings and errors of librdkafka are not logged.", ("log_level", "6")),
        )
    if view.number("topic.metadata.refresh.interval.ms") == -1:
        yield (
            "topic.metadata.refresh.interval.ms",
            danger(
                "New partitions and moved leaders are learned of only by errors.",
                ("topic.metadata.refresh.interval.ms", "300000"),
            ),
        )
    if view.written("allow.auto.create.topics") and view.flag("allow.auto.create.topics"):
        yield (
            "allow.auto.create.topics",
            danger(
                "A misspelt topic is made by the broker, with its default number of replicas "
                "(often 1), and takes the records.",
                ("allow.auto.create.topics", "false"),
            ),
        )


def _delivery_order(view: SettingsView) -> Found:
    if view.text("queuing.strategy") == "lifo":
        yield (
            "queuing.strategy",
            danger("Records are sent in reverse, newest first.", ("queuing.strategy", "fifo")),
        )
    if view.flag("enable.gapless.guarantee"):
        yield (
            "enable.gapless.guarantee",
            Finding(
                "dangerous",
                "It is experimental, and one record that fails stops the whole producer.",
                (),
            ),
        )


def _brokers(view: SettingsView) -> Found:
    entry = view.given.get("metadata.broker.list")
    if entry is None or entry.value is None or entry.listed:
        return
    addresses = [part.strip() for part in entry.value.split(",") if part.strip()]
    wrong = [address for address in addresses if not _ADDRESS.fullmatch(address)]
    if not addresses:
        yield (
            "bootstrap.servers",
            danger("It is empty, and librdkafka only logs that: nothing is ever sent."),
        )
    elif wrong:
        yield (
            "bootstrap.servers",
            danger(
                f"{len(wrong)} of {len(addresses)} addresses cannot be read as host:port, and "
                "librdkafka only logs that. Write host:port, separated by commas."
            ),
        )


RULES: Final[tuple[Callable[[SettingsView], Found], ...]] = (
    _reports,
    _security,
    _visibility,
    _delivery_order,
    _brokers,
)
