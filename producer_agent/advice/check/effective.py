"""The whole configuration a producer runs with, and where each value comes from."""

from __future__ import annotations

from producer_agent.advice.check.library_answer import Trial, effective_values
from producer_agent.advice.check.setting_checks import preferred
from producer_agent.advice.check.settings_view import SettingsView
from producer_agent.advice.check.verdicts import EffectiveValue
from producer_agent.kafka.properties import known_properties


def effective(view: SettingsView, trial: Trial) -> tuple[EffectiveValue, ...]:
    """Every producer's property librdkafka documents, by the name it is written or known by.

    `given` is written in the configuration, `derived` set by librdkafka because of what is
    written (idempotence lowers max.in.flight), `default` neither. Callbacks are left out.
    """
    bare = effective_values({}) or {}
    found: list[EffectiveValue] = []
    for name, known in known_properties().items():
        if known.role == "consumer" or known.kind == "callback" or known.alias_of:
            continue
        entry = view.given.get(name)
        value = view.values.get(name, known.default)
        if entry is not None:
            tried = entry.known and not entry.secret and entry.name in trial.config
            shown = value if tried and name != "metadata.broker.list" else entry.shown
            found.append(EffectiveValue(entry.name, shown, "given"))
        elif value != bare.get(name, known.default):
            found.append(EffectiveValue(preferred(name), value, "derived"))
        else:
            found.append(EffectiveValue(preferred(name), value, "default"))
    return tuple(sorted(found, key=lambda value: (_ORDER[value.source], value.name)))


_ORDER = {"given": 0, "derived": 1, "default": 2}
