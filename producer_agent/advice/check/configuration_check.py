"""Judges a pasted producer configuration, setting by setting and as a whole.

What librdkafka says is asked of the installed one; what it leaves unsaid, rules add: names that
only Java has, values it cuts without a word, combinations that lose or reorder records.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from producer_agent.advice.check import dangerous_delivery, dangerous_operation, idle_settings
from producer_agent.advice.check.configuration_text import read
from producer_agent.advice.check.correction import correct
from producer_agent.advice.check.effective import effective
from producer_agent.advice.check.java_settings import DEFAULTS_THAT_DIFFER
from producer_agent.advice.check.library_answer import (
    Trial,
    answer,
    answer_to_missing,
    effective_values,
)
from producer_agent.advice.check.names import CALLBACKS
from producer_agent.advice.check.pasted import Entry, PastedConfiguration
from producer_agent.advice.check.plain_verdicts import plain_finding
from producer_agent.advice.check.refusals import blamed, refusal_finding
from producer_agent.advice.check.setting_checks import (
    name_finding,
    preferred,
    setting_of,
    value_finding,
)
from producer_agent.advice.check.settings_view import SettingsView
from producer_agent.advice.check.verdicts import Finding, JudgedSetting, Judgement, NotTried
from producer_agent.kafka.properties import known_properties

__all__ = ["Judgement", "check", "read"]

_MOST_REFUSALS: Final = 50
_MOST_NEAR_NAMES: Final = 100


def check(pasted: PastedConfiguration) -> Judgement:
    """Every setting with its verdict, librdkafka's answer, what runs, and a corrected one.

    Nothing is connected to, no code or command a setting names is run, and no file it names is
    read unless it is a regular one on this machine. Takes a few milliseconds for a usual
    configuration.
    """
    entries = _as_python_keeps_them(pasted.entries)
    winners = _winners(entries)
    findings: dict[int, Finding] = {}
    unknown = 0
    for at, entry in enumerate(entries):
        few = unknown < _MOST_NEAR_NAMES
        finding = name_finding(entry, look_further=few) or value_finding(entry)
        if finding is not None:
            findings[at] = finding
            unknown += finding.verdict == "unknown"
    for at, entry in enumerate(entries):
        winner = winners[setting_of(entry)]
        if winner == at:
            continue
        # Of one name only the last value reaches librdkafka; of two names both do.
        never_seen = entries[winner].name == entry.name
        if never_seen or at not in findings or findings[at].verdict == "dangerous":
            findings[at] = _overridden(entry, entries[winner])

    refused = {at for at, finding in findings.items() if _keeps_out(finding)}
    taken = {own: at for own, at in winners.items() if at not in refused}
    trial, at_fault, stood_in = _combinations(entries, taken, _signing_in(findings))
    findings |= at_fault
    view = _view(entries, taken, trial, stood_in, pasted)
    _between(view, taken, findings)
    config = dict(trial.config)
    for at, entry in enumerate(entries):
        if at not in findings:
            missing = entry.name in trial.missing
            findings[at] = plain_finding(entry, config, view, missing=missing)

    whole = Trial(_literally(entries))
    error = answer(whole.config)
    runnable = error is None
    if runnable:
        error = answer_to_missing(whole.config, whole.missing)
    settings = tuple(_judged(entry, findings[at]) for at, entry in enumerate(entries))
    return Judgement(
        format=pasted.format,
        accepted=error is None,
        error=error,
        runnable=runnable,
        settings=settings,
        effective=effective(view, trial),
        corrected=correct([(e, findings[at]) for at, e in enumerate(entries)], pasted.format),
        not_tried=_once(whole.not_tried),
        notes=(*pasted.notes, *_notes(view, pasted, findings.values())),
    )


def _as_python_keeps_them(entries: Sequence[Entry]) -> list[Entry]:
    """In the order librdkafka is given them: a topic's own configuration comes last, and wins."""
    first = [entry for entry in entries if not entry.in_topic_config]
    return first + [entry for entry in entries if entry.in_topic_config]


def _winners(entries: Sequence[Entry]) -> dict[str, int]:
    """Where the entry stands that decides each setting, by librdkafka's name for it.

    Of one name written twice a dict keeps the last value in the first place; of two names of one
    setting librdkafka heeds the one in the later place.
    """
    places: dict[tuple[str, bool], int] = {}
    last: dict[tuple[str, bool], int] = {}
    for at, entry in enumerate(entries):
        key = (entry.name, entry.in_topic_config)
        places.setdefault(key, at)
        last[key] = at
    winners: dict[str, int] = {}
    for key in sorted(places, key=lambda key: places[key]):
        winners[setting_of(entries[last[key]])] = last[key]
    return winners


def _overridden(entry: Entry, winner: Entry) -> Finding:
    where = "default.topic.config" if winner.in_topic_config else f"line {winner.line}"
    if winner.in_topic_config and not entry.in_topic_config:
        why = "what is in default.topic.config wins without a word"
    elif winner.name == entry.name:
        why = "it is written twice, and the later one wins"
    else:
        why = f"{winner.name} is another name for it, and the later one wins"
    return Finding("no-effect", f"It is overridden ({where}): {why}.", ())


def _keeps_out(finding: Finding) -> bool:
    return finding.verdict in ("unknown", "java-only", "refused")


def _combinations(
    entries: Sequence[Entry], taken: dict[str, int], signing_in: Sequence[Entry]
) -> tuple[Trial, dict[int, Finding], bool]:
    """What librdkafka refuses of the settings together: one at a time, taken out, and asked again.

    What is refused is removed from `taken`; but for how to sign in, without which the rest could
    not be asked about: there a stand-in takes its place, and that is told.
    """
    found: dict[int, Finding] = {}
    stand_ins = [entry for entry in signing_in if entry.name not in taken]
    while True:
        chosen = [entries[at] for at in taken.values() if entries[at].name not in CALLBACKS]
        trial = Trial([*chosen, *stand_ins])
        words = answer(trial.config)
        tried = {setting_of(entry): entry for entry in chosen if entry.name in trial.config}
        own = None if words is None else blamed(words, tried)
        if words is None or own is None or len(found) >= _MOST_REFUSALS:
            return trial, found, stand_ins == _STAND_INS
        at = taken[own]
        found.setdefault(at, refusal_finding(words, entries[at], tried))
        if own in ("sasl.mechanisms", "security.protocol") and stand_ins != _STAND_INS:
            stand_ins = list(_STAND_INS)
        else:
            del taken[own]


_STAND_INS: Final = [
    Entry("sasl.mechanism", "PLAIN", 1),
    Entry("sasl.username", "unknown", 1),
    Entry("sasl.password", "unknown", 1),
]


def _signing_in(findings: Mapping[int, Finding]) -> list[Entry]:
    """What a JAAS line says in librdkafka's words, without which it would refuse the rest."""
    return [
        Entry(name, value, 1, known=value is not None)
        for finding in findings.values()
        if finding.verdict == "java-only"
        for name, value in finding.write or ()
        if name.startswith("sasl.")
    ]


def _view(
    entries: Sequence[Entry],
    taken: Mapping[str, int],
    trial: Trial,
    stood_in: bool,
    pasted: PastedConfiguration,
) -> SettingsView:
    defaults = {p.name: p.default for p in known_properties().values()}
    values = effective_values(trial.config)
    if values is None:
        values = defaults | {
            setting_of(entries[at]): entries[at].value or "" for at in taken.values()
        }
    given = {own: entries[at] for own, at in taken.items()}
    for own in (setting_of(entry) for entry in _STAND_INS if stood_in):
        values[own] = (given[own].value or "") if own in given else defaults[own]
    return SettingsView(defaults | values, given, pasted.format)


def _between(view: SettingsView, taken: Mapping[str, int], findings: dict[int, Finding]) -> None:
    """Add what the rules say; where one setting is blamed more than once, all of it is said."""
    dangers = (*dangerous_delivery.RULES, *dangerous_operation.RULES)
    for rules in (idle_settings.RULES, dangers):
        of_rules: dict[int, Finding] = {}
        for name, finding in (pair for rule in rules for pair in rule(view)):
            entry = view.given[_own(name)]
            at = taken[setting_of(entry)]
            before = of_rules.get(at)
            of_rules[at] = finding if before is None else _both(before, finding, entry)
        for at, finding in of_rules.items():
            findings.setdefault(at, finding)


def _own(name: str) -> str:
    return setting_of(Entry(name, None, 1))


def _both(one: Finding, other: Finding, entry: Entry) -> Finding:
    reason = f"{one.reason} {other.reason}"
    if one.write is None or other.write is None:
        return Finding(one.verdict, reason, one.write if one.write is not None else other.write)
    write = dict(one.write)
    for name, value in other.write:
        # A setting that only stays beside its mend gives way to a mend of its own.
        if name not in write or write[name] == entry.value:
            write[name] = value
    return Finding(one.verdict, reason, tuple(write.items()))


def _literally(entries: Iterable[Entry]) -> list[Entry]:
    """The entries as a program would hand them over: functions for callbacks are its own."""
    return [entry for entry in entries if entry.known or entry.name not in CALLBACKS]


def _judged(entry: Entry, finding: Finding) -> JudgedSetting:
    pairs = finding.write or ()
    translation = ", ".join(name if value is None else f"{name}={value}" for name, value in pairs)
    return JudgedSetting(
        name=entry.name,
        value=entry.shown,
        verdict=finding.verdict,
        reason=finding.reason,
        translation=translation or None,
        line=entry.line,
    )


def _once(not_tried: Iterable[NotTried]) -> tuple[NotTried, ...]:
    return tuple(dict.fromkeys(not_tried))


def _notes(
    view: SettingsView, pasted: PastedConfiguration, findings: Iterable[Finding]
) -> list[str]:
    notes: list[str] = []
    translated = {name for finding in findings for name, _ in finding.write or ()}
    if pasted.format in ("java", "spring", "connect"):
        notes.append("These are settings of the Java client, judged as librdkafka would take them.")
        notes += [
            f"{preferred(own)} is not written: {why}."
            for own, (_, why) in DEFAULTS_THAT_DIFFER.items()
            if own not in view.given and preferred(own) not in translated
        ]
    elif (
        not view.idempotent
        and view.number("acks") != 0
        and not (view.written("enable.idempotence") or view.written("max.in.flight"))
    ):
        notes.append(
            "enable.idempotence is not written and is false: a retry may be stored twice, and "
            f"overtake what was sent after it ({view.number('max.in.flight'):.0f} requests in "
            "flight)."
        )
    return notes
