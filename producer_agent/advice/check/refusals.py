"""Which setting a refusal of librdkafka is about, and what to write so that it is taken."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Final

from producer_agent.advice.check.names import other_name
from producer_agent.advice.check.pasted import MASK, Entry
from producer_agent.advice.check.verdicts import Finding, Pair
from producer_agent.kafka.properties import canonical, known_properties

_QUOTED: Final = re.compile(r"[`\"'](?P<name>[a-z][a-z0-9._]*)(?:=[A-Za-z0-9_]+)?[`\"']")
_REQUIRES: Final = re.compile(r"requires [`\"'](?P<name>[a-z][a-z0-9._]*)")
_BARE: Final = re.compile(r"\b[a-z]+(?:[._][a-z0-9]+)+\b")
_OWN: Final = {
    "request.required.acks": "all",
    "max.in.flight.requests.per.connection": "5",
    "message.send.max.retries": str(2**31 - 1),
    "queuing.strategy": "fifo",
    "enable.idempotence": "true",
}


def blamed(words: str, given: Collection[str]) -> str | None:
    """The setting, of those given, that librdkafka wants changed; None if none can be told.

    Names are librdkafka's own; of "`a` requires `b`" it is b where b is given.
    """
    requires = _REQUIRES.search(words)
    names = [requires["name"]] if requires else []
    names += [match["name"] for match in _QUOTED.finditer(words)]
    names += _BARE.findall(words)
    lower = words.lower()
    if "sasl" in lower:
        names += ["sasl.mechanisms", "security.protocol"]
    if "ssl" in lower:
        names += ["security.protocol"]
    return next((canonical(name) for name in names if canonical(name) in given), None)


def refusal_finding(words: str, entry: Entry, given: Mapping[str, Entry]) -> Finding:
    """A refusal of the whole as the finding of the setting it is blamed on."""
    own = canonical(entry.name)
    write = _write(words, own, entry, given)
    mend = ""
    if write:
        new = [pair for pair in write if pair != (entry.name, entry.value)]
        mend = " Write " + ", ".join(n if v in (None, MASK) else f"{n}={v}" for n, v in new) + "."
    elif write == ():
        mend = " Leave it out."
    words = words.rstrip(".") + other_name(words, entry.name)
    return Finding("refused", f"librdkafka refuses it here: {words}.{mend}", write)


def _write(
    words: str, own: str, entry: Entry, given: Mapping[str, Entry]
) -> tuple[Pair, ...] | None:
    if own in _OWN:
        return ((entry.name, _OWN[own]),)
    if own == "message.timeout.ms":
        if "linger" in words:
            return ((entry.name, f"{_number(given, 'queue.buffering.max.ms') + 30_000:.0f}"),)
        return ((entry.name, f"{_number(given, 'transaction.timeout.ms'):.0f}"),)
    if own == "socket.timeout.ms":
        return ((entry.name, f"{_number(given, 'transaction.timeout.ms'):.0f}"),)
    if own == "reconnect.backoff.max.ms":
        return ((entry.name, f"{_number(given, 'reconnect.backoff.ms'):.0f}"),)
    if "sasl.username and sasl.password" in words:
        asked: tuple[Pair, ...] = (("sasl.username", None), ("sasl.password", MASK))
        missing = [pair for pair in asked if pair[0] not in given]
        return ((entry.name, entry.value), *missing) if missing else None
    if own == "sasl.mechanisms":
        upper = (entry.value or "").upper()
        if upper == "AWS_MSK_IAM":
            return ((entry.name, "OAUTHBEARER"),)
        # librdkafka compares the mechanism's case, the Java client writes it in capitals too.
        return ((entry.name, upper),) if upper != entry.value else None
    # Without it nobody would sign in, or without encryption: that is not a correction.
    return None if own == "security.protocol" or own.startswith(("sasl.", "ssl.")) else ()


def _number(given: Mapping[str, Entry], name: str) -> float:
    known = known_properties().get(name)
    entry = given.get(name)
    for text in (entry.value if entry else None, known.default if known else None):
        try:
            return float(text or "")
        except ValueError:
            continue
    return 0.0
