"""Settings with nothing against them: a default that is written out, or simply fine."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from producer_agent.advice.check.library_answer import effective_values
from producer_agent.advice.check.names import CALLBACKS
from producer_agent.advice.check.pasted import Entry
from producer_agent.advice.check.setting_checks import held_value, setting_of
from producer_agent.advice.check.settings_view import SettingsView
from producer_agent.advice.check.verdicts import Finding
from producer_agent.kafka.properties import Property, known_properties, read_back

_DERIVED: Final = frozenset(
    {
        "allow.auto.create.topics",
        "enable.idempotence",
        "max.in.flight.requests.per.connection",
        "message.timeout.ms",
        "socket.timeout.ms",
        "sticky.partitioning.linger.ms",
    }
)
"""Settings whose default hangs on others, so that it has to be asked without them."""

_REMARKS: Final = MappingProxyType(
    {
        ("request.required.acks", "-1"): "Every in-sync replica confirms; how many that has to "
        "be is the topic's min.insync.replicas (2 of 3 is usual), below which records come back "
        "as NOT_ENOUGH_REPLICAS.",
    }
)
_COMPARABLE: Final = ("integer", "float", "boolean", "enum")
_LONGEST: Final = 200


def plain_finding(
    entry: Entry, config: Mapping[str, str | bool | None], view: SettingsView, *, missing: bool
) -> Finding:
    """`default` if librdkafka would hold the same without the setting, else `fine`.

    `no-effect` where librdkafka holds another value once the producer is made.

    Args:
        config: What librdkafka takes of the whole, by the names it is written by.
        missing: Whether it names a file that is not on this machine.
    """
    own = setting_of(entry)
    known = known_properties().get(own)
    if missing:
        return Finding(
            "fine",
            "The file is not on this machine, so it was not looked at; where it is missing "
            "librdkafka refuses the configuration.",
        )
    if not entry.known:
        if own in CALLBACKS:
            return Finding("fine", "A function of the program.")
        return Finding("fine", "Its value is known only to the running program; not judged.")
    if known is None:
        return Finding("fine", "confluent-kafka's own.")
    held = held_value(entry)
    runs = view.values.get(own)
    overruled = runs not in (None, held) and known.kind in _COMPARABLE
    if held is not None and entry.name in config and overruled:
        return Finding("no-effect", f"librdkafka overrules it, and runs with {runs}.", ())
    remark = _REMARKS.get((own, held or ""), "")
    if held is not None and held == _without(entry, own, known, config):
        return Finding("default", f"librdkafka does so by itself. {remark}".rstrip())
    if entry.secret and entry.value:
        return Finding("fine", "It is set; its value is not kept.")
    return Finding("fine", remark or _about(known))


def _without(
    entry: Entry, own: str, known: Property, config: Mapping[str, str | bool | None]
) -> str | None:
    """What librdkafka would hold if the setting were not written."""
    if own in _DERIVED:
        rest = {name: value for name, value in config.items() if name != entry.name}
        values = effective_values(rest)
        if values is not None:
            return values.get(own)
    if not known.default:
        return None
    reading = read_back(own, known.default)
    return None if reading is None else reading.held


def _about(known: Property) -> str:
    text = known.description.replace("*", "").replace("`", "").replace("<br>", " ")
    if known.alias_of is not None and known.alias_of in known_properties():
        text = known_properties()[known.alias_of].description.replace("*", "").replace("`", "")
    first = text.split(". ")[0].strip().rstrip(".")
    return (first[:_LONGEST].rstrip() or "librdkafka takes it") + "."
