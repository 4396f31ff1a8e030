"""Reads the producer's configuration out of Python code, without running any of it."""

from __future__ import annotations

import ast
import re
import textwrap
import warnings
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from producer_agent.advice.check.names import is_setting
from producer_agent.advice.check.pasted import MOST_SETTINGS, ConfigurationUnreadable, Entry
from producer_agent.advice.check.python_values import Unknown, code_of, evaluated

_TOPIC_CONFIG: Final = "default.topic.config"
_ELIDED: Final = re.compile(r"^[ \t]*(?:\.\.\.|…)[ \t]*,?[ \t]*(?:#.*)?$", re.MULTILINE)
_CONFIG_KEYWORDS: Final = (
    "conf",
    "config",
    "configs",
    "configuration",
    "producer_config",
    "producer_conf",
)


@dataclass(frozen=True, slots=True)
class PythonText:
    """What a piece of Python sets on a producer, and what was left aside."""

    entries: list[Entry]
    notes: list[str]


def read_python(text: str) -> PythonText:
    """The settings given to the producer in this code; values that are computed are not known.

    Raises:
        ConfigurationUnreadable: it is no Python, or sets nothing.
    """
    reader = _Reader()
    reader.run(_parsed(text))
    entries, notes = reader.chosen()
    if not entries:
        raise ConfigurationUnreadable(
            "No configuration was found in this Python.",
            'Paste the dict with its braces, such as {"acks": "all"}, or conf["acks"] = "all".',
        )
    return PythonText(entries, notes)


def _parsed(text: str) -> ast.Module:
    first: SyntaxError | None = None
    plain = _ELIDED.sub("", textwrap.dedent(text)).strip(" \t\r")
    # As it is; a bare expression behind an indent; the inside of a dict without its braces.
    for attempt in (plain, plain.lstrip(), "{" + plain + "\n}"):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SyntaxWarning)
                return ast.parse(attempt)
        except SyntaxError as error:
            first = first or error
        except (MemoryError, RecursionError, ValueError) as error:
            raise ConfigurationUnreadable(
                "It is nested too deeply, or holds a NUL.", "Paste the configuration alone."
            ) from error
    cut = _first_dict(plain)
    if cut is not None:
        return cut
    raise ConfigurationUnreadable(
        f"This is no Python ({first.msg if first else 'unknown'}).",
        "Correct it there, or paste the dict alone, with its braces.",
        line=first.lineno if first else None,
    ) from first


def _first_dict(text: str) -> ast.Module | None:
    """The first `{…}` of code that does not parse as a whole, on its own line."""
    opening = text.find("{")
    if opening < 0:
        return None
    before = "\n" * text.count("\n", 0, opening)
    # The shortest end first; few enough that a long text cannot make this slow.
    ends = [match.end() for match in re.finditer(r"\}", text[opening:])][:8]
    for end in ends:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SyntaxWarning)
                return ast.parse(before + text[opening : opening + end])
        except (SyntaxError, MemoryError, RecursionError, ValueError):
            continue
    return None


@dataclass(slots=True)
class _Reader:
    """Follows assignments from top to bottom, as far as they are plain."""

    constants: dict[str, object] = field(default_factory=dict)
    dicts: dict[str, list[Entry]] = field(default_factory=dict)
    calls: list[list[Entry]] = field(default_factory=list)
    loose: list[list[Entry]] = field(default_factory=list)
    inner: list[ast.Dict] = field(default_factory=list)
    hidden: bool = False
    merged: int = 0

    def run(self, module: ast.Module) -> None:
        self._statements(module.body)

    def chosen(self) -> tuple[list[Entry], list[str]]:
        """The configuration meant: what a producer is made with, else the likeliest dict."""
        notes = ["Settings merged in with ** or update() from elsewhere are not known here."]
        notes = notes if self.hidden else []
        calls = [entries for entries in self.calls if entries]
        if calls:
            if len(calls) > 1:
                notes.append(f"{len(calls)} producers are made here; the first one is judged.")
            return calls[0], notes
        rest = [entries for entries in (*self.dicts.values(), *self.loose) if entries]
        if not any(is_setting(entry.name) for entries in rest for entry in entries):
            # Perhaps inside of another: {"producer": {"acks": "all"}}
            inside = [self._pairs(node.keys, node.values) for node in self.inner]
            rest += [found for found in inside if any(is_setting(e.name) for e in found)]
        if not rest:
            return [], notes
        best = max(rest, key=lambda entries: sum(is_setting(entry.name) for entry in entries))
        if len(rest) > 1:
            notes.append(f"{len(rest)} dicts are in the code; the one most like a configuration.")
        return best, notes

    def _statements(self, body: Iterable[ast.stmt]) -> None:
        for statement in body:
            self._statement(statement)
            for name in ("body", "orelse", "finalbody"):
                self._statements(getattr(statement, name, ()))
            for handler in getattr(statement, "handlers", ()):
                self._statements(handler.body)

    def _statement(self, statement: ast.stmt) -> None:
        match statement:
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    self._assign(target, value)
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                self._assign(target, value)
            case ast.AugAssign(target=target, op=ast.BitOr(), value=value):
                added = self._entries(value)
                if added is not None:
                    self.dicts.setdefault(ast.unparse(target), []).extend(added)
            case ast.Expr(value=value) | ast.Return(value=ast.expr() as value):
                if (entries := self._entries(value)) is not None:
                    self.loose.append(entries)
        for node in _expressions(statement):
            self._calls(node)
            if isinstance(node, ast.Dict):
                self.inner.append(node)

    def _assign(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Subscript):
            name = evaluated(target.slice, self.constants)
            if isinstance(name, str):
                owner = self.dicts.setdefault(ast.unparse(target.value), [])
                owner.extend(self._setting(name, value, target.lineno))
            return
        name = ast.unparse(target)
        entries = self._entries(value)
        if entries is not None:
            self.dicts[name] = entries
        else:
            self.constants[name] = evaluated(value, self.constants)

    def _entries(self, node: ast.expr) -> list[Entry] | None:
        """The settings of an expression that makes a dict; None for any other."""
        match node:
            case ast.Dict(keys=keys, values=values):
                return self._pairs(keys, values)
            case ast.Call(func=ast.Name(id="dict"), args=args, keywords=keywords):
                found = [entry for arg in args for entry in self._merged(arg)]
                return found + self._keywords(keywords)
            case ast.Call(func=ast.Attribute(value=owner, attr="copy"), args=[]):
                return self._entries(owner)
            case ast.Call(func=ast.Attribute(attr="deepcopy"), args=[owner]):
                return self._entries(owner)
            case ast.BinOp(left=left, op=ast.BitOr(), right=right):
                if self._entries(left) is None and self._entries(right) is None:
                    return None
                return self._merged(left) + self._merged(right)
            case ast.Name() | ast.Attribute() | ast.Subscript():
                known = self.dicts.get(ast.unparse(node))
                return None if known is None else list(known)
        return None

    def _pairs(self, keys: list[ast.expr | None], values: list[ast.expr]) -> list[Entry]:
        found: list[Entry] = []
        for key, value in zip(keys, values, strict=True):
            if key is None:
                found += self._merged(value)
                continue
            name = evaluated(key, self.constants)
            if isinstance(name, str):
                found += self._setting(name, value, key.lineno)
        return found

    def _merged(self, node: ast.expr) -> list[Entry]:
        entries = self._entries(node)
        self.hidden = self.hidden or entries is None
        self.merged += len(entries or ())
        if self.merged > MOST_SETTINGS:
            raise ConfigurationUnreadable(
                f"More than {MOST_SETTINGS:,} settings are merged.", "Paste one configuration."
            )
        return entries or []

    def _keywords(self, keywords: list[ast.keyword]) -> list[Entry]:
        found: list[Entry] = []
        for keyword in keywords:
            if keyword.arg is None:
                found += self._merged(keyword.value)
            else:
                found += self._setting(keyword.arg, keyword.value, keyword.value.lineno)
        return found

    def _setting(self, name: str, node: ast.expr, line: int) -> list[Entry]:
        if name == _TOPIC_CONFIG:
            inner = self._entries(node)
            if inner is not None:
                return [replace(entry, in_topic_config=True) for entry in inner]
        value = evaluated(node, self.constants)
        if isinstance(value, Unknown):
            return [Entry(name, None, line, known=False, expression=code_of(node))]
        return [entry_of(name, value, line)]

    def _calls(self, call: ast.expr) -> None:
        if not isinstance(call, ast.Call):
            return
        called = call.func
        name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
        if name.endswith("Producer"):
            self.calls.append(self._producer(call))
        elif name in ("update", "setdefault") and isinstance(called, ast.Attribute):
            owner = ast.unparse(called.value)
            if name == "setdefault" and len(call.args) == 2:
                key = evaluated(call.args[0], self.constants)
                known = self.dicts.setdefault(owner, [])
                if isinstance(key, str) and key not in {entry.name for entry in known}:
                    known += self._setting(key, call.args[1], call.lineno)
            elif name == "update" and self._adds_settings(owner, call.args):
                self.hidden = self.hidden or owner not in self.dicts
                added = [entry for arg in call.args for entry in self._merged(arg)]
                self.dicts.setdefault(owner, []).extend(added + self._keywords(call.keywords))

    def _adds_settings(self, owner: str, arguments: list[ast.expr]) -> bool:
        """Whether an `update(…)` is a dict's: hashes and others have one too."""
        if owner in self.dicts or not arguments:
            return True
        return any(self._entries(argument) is not None for argument in arguments)

    def _producer(self, call: ast.Call) -> list[Entry]:
        found = [entry for arg in call.args[:1] for entry in self._entries(arg) or []]
        for keyword in call.keywords:
            if keyword.arg in _CONFIG_KEYWORDS:
                found += self._entries(keyword.value) or []
        if found:
            return found
        return self._keywords([k for k in call.keywords if k.arg not in _CONFIG_KEYWORDS])


def entry_of(name: str, value: object, line: int) -> Entry:
    """An entry with the text that confluent-kafka makes of a Python value (`str()` of it)."""
    if value is None:
        return Entry(name, None, line)
    if isinstance(value, bool):
        return Entry(name, str(value).lower(), line)
    if isinstance(value, list | tuple):
        if not all(isinstance(part, str | int | float) for part in value):
            return Entry(name, None, line, listed=True, known=False)
        return Entry(name, ",".join(map(str, value)), line, listed=True)
    if isinstance(value, Mapping):
        return Entry(name, "{…}", line, listed=True)
    return Entry(name, str(value), line, quoted=isinstance(value, str))


def _expressions(statement: ast.stmt) -> list[ast.expr]:
    """Every expression of one statement, outermost first, without the statements inside it."""
    found: list[ast.expr] = []
    waiting: deque[ast.AST] = deque(
        node for node in ast.iter_child_nodes(statement) if not isinstance(node, ast.stmt)
    )
    while waiting:
        node = waiting.popleft()
        if isinstance(node, ast.expr):
            found.append(node)
        waiting += [n for n in ast.iter_child_nodes(node) if not isinstance(n, ast.stmt)]
    return found
