"""The corrected configuration: what was pasted, with each finding mended, in a form to copy."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from producer_agent.advice.check.java_settings import DEFAULTS_THAT_DIFFER
from producer_agent.advice.check.library_answer import BOOL_ONLY, Trial, answer
from producer_agent.advice.check.names import CALLBACKS
from producer_agent.advice.check.pasted import MASK, Entry, Format
from producer_agent.advice.check.refusals import blamed, refusal_finding
from producer_agent.advice.check.setting_checks import preferred
from producer_agent.advice.check.verdicts import Change, Corrected, Finding, Pair
from producer_agent.kafka.properties import canonical

_MOST_ROUNDS: Final = 50
_OF_JAVA: Final = ("java", "spring", "connect")


@dataclass(slots=True)
class _Line:
    name: str
    value: str | None
    before: str | None = None
    why: str | None = None
    expression: str | None = None
    secret: bool = False


def correct(found: Sequence[tuple[Entry, Finding]], kind: Format) -> Corrected:
    """Mend every finding that has a mend; what librdkafka still refuses is mended in turn."""
    lines: dict[str, _Line] = {}
    changes: list[Change] = []
    written = {canonical(e.name) for e, f in found if f.write is None and f.verdict != "unknown"}
    for entry, finding in found:
        _apply(entry, finding, lines, changes, written)
    if kind in _OF_JAVA:
        _add_java_defaults(lines, changes, {canonical(entry.name) for entry, _ in found})
    error = _settle(lines, changes)
    return Corrected(
        settings=tuple((line.name, line.value) for line in lines.values()),
        changes=tuple(changes),
        text=_text(lines.values(), changes, kind),
        error=error,
    )


def _apply(
    entry: Entry,
    finding: Finding,
    lines: dict[str, _Line],
    changes: list[Change],
    written: set[str],
) -> None:
    before = entry.value if entry.known else None
    if finding.write is None:
        lines[canonical(entry.name)] = _Line(
            entry.name, before, expression=entry.expression, secret=entry.secret
        )
        return
    pairs = [pair for pair in finding.write if _is_free(pair, entry, written, lines)]
    if not pairs:
        changes.append(Change(entry.name, before, None, finding.reason))
    for name, value in pairs:
        own = canonical(name)
        lines[own] = _Line(
            name,
            value,
            before=before,
            why=None if (name, value) != pairs[0] else finding.reason,
            expression=entry.expression if value is None and len(pairs) == 1 else None,
            secret=value == MASK,
        )
        if (name, value) != (entry.name, before):
            after = name if value is None else f"{name}={value}"
            changes.append(Change(entry.name, before, after, finding.reason))


def _is_free(pair: Pair, entry: Entry, written: set[str], lines: dict[str, _Line]) -> bool:
    """Whether a mend may write a setting: its own, or one that is not written anyway."""
    own = canonical(pair[0])
    return own == canonical(entry.name) or (own not in written and own not in lines)


def _add_java_defaults(lines: dict[str, _Line], changes: list[Change], given: set[str]) -> None:
    for own, (value, why) in DEFAULTS_THAT_DIFFER.items():
        if (
            own in given
            or own in lines
            or (own == "message.timeout.ms" and _is_transactional(lines))
        ):
            continue
        name = preferred(own)
        reason = f"It is not written, and {why}."
        lines[own] = _Line(name, value, why=reason)
        changes.append(Change(name, None, f"{name}={value}", reason))


def _is_transactional(lines: dict[str, _Line]) -> bool:
    return "transactional.id" in lines


def _settle(lines: dict[str, _Line], changes: list[Change]) -> str | None:
    """Mend what librdkafka refuses in the corrected whole; what it still says at the end."""
    words: str | None = None
    for _ in range(_MOST_ROUNDS):
        entries = [_entry(line) for line in lines.values() if line.name not in CALLBACKS]
        trial = Trial(entries)
        words = answer(trial.config)
        if words is None:
            return None
        given = {canonical(entry.name): entry for entry in entries}
        own = blamed(words, [canonical(name) for name in trial.config])
        if own is None:
            return words
        line = lines[own]
        finding = refusal_finding(words, given[own], given)
        if finding.write is None or (line.name, line.value) in finding.write:
            return words
        before = line.value
        if finding.write:
            name, line.value = finding.write[0]
            line.why = finding.reason
            changes.append(Change(name, before, f"{name}={line.value}", finding.reason))
        else:
            del lines[own]
            changes.append(Change(line.name, before, None, finding.reason))
    return words


def _entry(line: _Line) -> Entry:
    return Entry(line.name, line.value, 1, known=line.value is not None, secret=line.secret)


def _text(lines: Iterable[_Line], changes: Sequence[Change], kind: Format) -> str:
    gone = [change for change in changes if change.after is None]
    if kind == "python":
        return _python(lines, gone)
    if kind in ("json", "javascript"):
        settings = {line.name: _typed(line) for line in lines}
        return json.dumps(settings, indent=2, ensure_ascii=False) + "\n"
    form = _FORMS.get(kind, _FORMS["librdkafka"])
    parts = [f"{form.remark} left out: {_one_line(f'{c.name}: {c.reason}')}" for c in gone]
    for line in lines:
        if line.why:
            parts.append(f"{form.remark} {_one_line(line.why)}")
        parts.append(form.line(line.name, _one_line(_filled_in(line))))
    return form.before + "\n".join(parts) + form.behind + "\n"


@dataclass(frozen=True, slots=True)
class _Form:
    """How one line and one remark are written, and what stands around all of them."""

    line: Callable[[str, str], str]
    remark: str = "#"
    before: str = ""
    behind: str = ""


_FORMS: Final[Mapping[str, _Form]] = {
    "librdkafka": _Form(lambda name, value: f"{name}={value}"),
    "toml": _Form(lambda name, value: f"{_quoted(name)} = {_quoted(value)}"),
    "csharp": _Form(
        lambda name, value: f"    {{ {_quoted(name)}, {_quoted(value)} }},",
        remark="    //",
        before="var config = new Dictionary<string, string>\n{\n",
        behind="\n};",
    ),
}


def _python(lines: Iterable[_Line], gone: Iterable[Change]) -> str:
    parts: list[str] = []
    environment = False
    for line in lines:
        if line.why:
            parts.append(f"    # {_one_line(line.why)}")
        if line.value is None or line.secret:
            code = line.expression or f'os.environ["{_variable(line.name)}"]'
            environment = environment or "os.environ" in code
        else:
            code = str(_typed(line)) if line.name == BOOL_ONLY else _quoted(line.value)
        parts.append(f"    {_quoted(line.name)}: {code},")
    parts += [f"    # left out: {_one_line(f'{c.name}: {c.reason}')}" for c in gone]
    head = "import os\n\n" if environment else ""
    return f"{head}conf = {{\n" + "\n".join(parts) + "\n}\n"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _typed(line: _Line) -> str | bool:
    if line.name == BOOL_ONLY and line.value in ("true", "false"):
        return line.value == "true"
    return _filled_in(line)


def _filled_in(line: _Line) -> str:
    if line.value is None or line.secret:
        return line.expression or "${" + _variable(line.name) + "}"
    return line.value


def _variable(name: str) -> str:
    return "KAFKA_" + "".join(c if c.isascii() and c.isalnum() else "_" for c in name).upper()


def _one_line(text: str) -> str:
    return " ".join(text.split())
