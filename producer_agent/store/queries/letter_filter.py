"""Which dead letters: a filter, as SQL and as the JSON that commands and plans carry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Final, get_args, get_type_hints

from producer_agent.store import letter_text

STATUSES: Final = ("new", "acknowledged", "replaying", "replayed", "resolved", "archived")
"""Every value of ``dead_letters.status``, in the order of a letter's life."""

OPEN_STATUSES: Final = ("new", "acknowledged")
"""Those that still ask somebody for a decision."""

REPLAYABLE_STATUSES: Final = ("new", "acknowledged", "resolved")
"""Those without a replay under way or done, so that another may begin."""

SIDES: Final = ("producer", "consumer", "unknown")


class FilterInvalid(ValueError):
    """This JSON is no filter; the text says which part is not, and what would be."""


@dataclass(frozen=True, slots=True)
class LetterFilter:
    """Which dead letters; what is None or empty leaves its column alone. All must hold."""

    topic: str | None = None
    """The topic the record was meant for."""
    cause: int | None = None
    """A row id of ``causes``."""
    side: str | None = None
    """``producer``, ``consumer`` or ``unknown``."""
    statuses: tuple[str, ...] | None = None
    profile: str | None = None
    since_us: int | None = None
    """Stored here at or after this time, UTC microseconds."""
    key_contains: str = ""
    """Text within the original key, in either case."""
    up_to_id: int | None = None
    """Only those known when the list was made, so that rows do not move while one is read."""
    until_us: int | None = None
    """Stored here before this time, UTC microseconds."""
    dead_letter_topic: str | None = None
    """The topic it was read from."""
    convention: str | None = None
    error: str | None = None
    """A number: the error code. Anything else: text within the error's class, in either case."""
    consumer_group: str | None = None
    header: str | None = None
    """``name``, or ``name=value``, exactly; of the record or of the original that it wraps."""
    text: str = ""
    """Words in the payload, see :func:`producer_agent.store.letter_text.text_query`."""
    plan: int | None = None
    """A row id of ``replay_plans``: the letters of that plan."""
    came_back: bool = False
    """Only those that are replays come back."""


COUNTED: Final = frozenset(
    {
        "topic",
        "dead_letter_topic",
        "cause",
        "side",
        "statuses",
        "profile",
        "convention",
        "error",
        "consumer_group",
        "since_us",
        "until_us",
        "up_to_id",
    }
)
"""Fields that the kept counts answer (``store/schema/m11_letter_counts.py``)."""

_KIND_COLUMNS: Final = {
    "cause": "k.cause",
    "topic": "k.original_topic",
    "dead_letter_topic": "k.topic",
    "side": "k.side",
    "profile": "k.profile",
    "convention": "k.convention",
    "consumer_group": "k.consumer_group",
}


def is_counted(wanted: LetterFilter) -> bool:
    """Whether the kept counts answer this filter, without a look at the letters."""
    return all(
        field.name in COUNTED or getattr(wanted, field.name) == field.default
        for field in fields(wanted)
    )


def kind_clause(wanted: LetterFilter) -> tuple[str, list[Any]]:
    """The part of a filter that a letter's kind answers, over ``letter_kinds k``; else empty."""
    clauses: list[str] = []
    values: list[Any] = []
    for name, column in _KIND_COLUMNS.items():
        value = getattr(wanted, name)
        if value is not None:
            clauses.append(f"{column} = ?")
            values.append(value)
    if wanted.error is not None:
        code = _code_of(wanted.error)
        if code is None:
            clauses.append("k.error_class LIKE ? ESCAPE '\\'")
            values.append(_containing(wanted.error))
        else:
            clauses.append("k.error_code = ?")
            values.append(code)
    return " AND ".join(clauses), _bindable(values)


def where_clause(wanted: LetterFilter) -> tuple[str, list[Any]]:
    """A filter as SQL over ``dead_letters d`` (empty: everything) and the values it takes."""
    clauses: list[str] = []
    values: list[Any] = []

    def add(clause: str, *taken: Any) -> None:
        clauses.append(clause)
        values.extend(taken)

    of_kind, kind_values = kind_clause(wanted)
    if of_kind:
        add(f"d.kind IN (SELECT k.id FROM letter_kinds k WHERE {of_kind})", *kind_values)
    if wanted.statuses is not None:
        add(f"d.status IN ({marks(wanted.statuses)})", *wanted.statuses)
    if wanted.since_us is not None:
        add("d.stored_us >= ?", wanted.since_us)
    if wanted.until_us is not None:
        add("d.stored_us < ?", wanted.until_us)
    if wanted.up_to_id is not None:
        add("d.id <= ?", wanted.up_to_id)
    if wanted.came_back:
        add("d.times_back > 0")
    if wanted.plan is not None:
        add("d.id IN (SELECT r.dead_letter FROM replays r WHERE r.plan = ?)", wanted.plan)
    for clause, value in _searches(wanted):
        add(clause, *value)
    return (f"WHERE {' AND '.join(clauses)}" if clauses else ""), _bindable(values)


@dataclass(frozen=True, slots=True)
class Search:
    """A filter's full-text part, to be asked of its index first, and the rest of the filter."""

    table: str
    """``letter_text``, ``letter_headers`` or ``letter_keys``; its row ids are those of letters."""
    query: str
    rest: LetterFilter


def search_of(wanted: LetterFilter) -> Search | None:
    """The search that a filter begins with; None if it has none, or one that finds nothing."""
    query = letter_text.text_query(wanted.text)
    if query is not None:
        return Search("letter_text", query, replace(wanted, text=""))
    if wanted.text.strip():
        return None
    if wanted.header is not None:
        query = letter_text.header_query(wanted.header)
        return Search("letter_headers", query, replace(wanted, header=None))
    if _is_indexed(wanted.key_contains):
        (query,) = _bindable([letter_text.key_query(wanted.key_contains)])
        return Search("letter_keys", query, replace(wanted, key_contains=""))
    return None


def filter_to_json(wanted: LetterFilter) -> dict[str, Any]:
    """The filter as a JSON object, without what it leaves alone."""
    told: dict[str, Any] = {}
    for field in fields(wanted):
        value = getattr(wanted, field.name)
        if value != field.default:
            told[field.name] = list(value) if isinstance(value, tuple) else value
    return told


def filter_from_json(told: object) -> LetterFilter:
    """The reverse of :func:`filter_to_json`.

    Raises:
        FilterInvalid: it is no object, has a key that no filter has, or a value of another kind.
            Nothing is passed over: a filter that is misread selects letters nobody meant.
    """
    if not isinstance(told, Mapping):
        raise FilterInvalid(f"A filter is a JSON object, not {type(told).__name__}.")
    unknown = sorted(str(name) for name in told if name not in _TYPES)
    if unknown:
        raise FilterInvalid(
            f"A filter has no {unknown[0]!r}. It may have: {', '.join(sorted(_TYPES))}."
        )
    values = {str(name): _checked(str(name), value) for name, value in told.items()}
    for status in values.get("statuses") or ():
        if status not in STATUSES:
            raise FilterInvalid(f"There is no status {status!r}. There are: {', '.join(STATUSES)}.")
    if values.get("side") not in (None, *SIDES):
        raise FilterInvalid(f"There is no side {values['side']!r}. There are: {', '.join(SIDES)}.")
    return LetterFilter(**values)


def marks(values: Sequence[Any]) -> str:
    """As many question marks as there are values, for ``IN``."""
    return ", ".join("?" * len(values))


_TYPES: Final = get_type_hints(LetterFilter)


def _checked(name: str, value: Any) -> Any:
    if name == "statuses":
        if value is None:
            return None
        if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
            return tuple(value)
        raise FilterInvalid(f"statuses is a list of texts, not {value!r}.")
    kinds = get_args(_TYPES[name]) or (_TYPES[name],)
    if type(value) not in kinds:  # a bool is no number here
        words = {int: "a whole number", str: "text", bool: "true or false", type(None): "null"}
        raise FilterInvalid(
            f"{name} is {' or '.join(words[kind] for kind in kinds)}, not {value!r}."
        )
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise FilterInvalid(f"{name} is {value}, which is no number of this database.")
    return value


def _searches(wanted: LetterFilter) -> list[tuple[str, list[Any]]]:
    """What the full-text indexes answer."""
    found: list[tuple[str, list[Any]]] = []
    if wanted.key_contains:
        part = wanted.key_contains
        if _is_indexed(part):
            found.append((_match("letter_keys"), [letter_text.key_query(part)]))
        else:
            # Not LIKE, whose patterns end at a NUL.
            found.append(("instr(lower(d.original_key_text), lower(?)) > 0", [part]))
    if wanted.header is not None:
        found.append((_match("letter_headers"), [letter_text.header_query(wanted.header)]))
    if wanted.text.strip():
        query = letter_text.text_query(wanted.text)
        # Signs alone are no word of any payload.
        found.append(("0", []) if query is None else (_match("letter_text"), [query]))
    return found


def _is_indexed(part: str) -> bool:
    return len(part) >= letter_text.SHORTEST_KEY_PART and "\0" not in part


def _match(table: str) -> str:
    return f"d.id IN (SELECT rowid FROM {table} WHERE {table} MATCH ?)"


def _bindable(values: list[Any]) -> list[Any]:
    """Values that SQLite takes: a byte of a command line that is no UTF-8 is a lone surrogate."""
    return [
        value.encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else value
        for value in values
    ]


def _code_of(error: str) -> int | None:
    digits = error.strip()
    if digits.removeprefix("-").isdecimal() and len(digits) < 20:
        code = int(digits)
        return code if -(2**63) <= code < 2**63 else None
    return None


def _containing(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
