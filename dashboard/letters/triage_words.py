"""The words of triage: statuses, what a cause is marked with, whose letters are, what came of a
replay. Pure functions; what they return is plain text unless they say Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, Literal

from dashboard.formats import NOTHING, code_span, count, escape_markdown, visible
from producer_agent.store.queries.letter_groups import LetterGroup

BadgeColour = Literal["red", "orange", "blue", "green", "violet", "gray"]

STATUS_ICONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "new": ":material/mark_email_unread:",
        "acknowledged": ":material/visibility:",
        "replaying": ":material/hourglass_top:",
        "replayed": ":material/check_circle:",
        "resolved": ":material/task_alt:",
        "archived": ":material/inventory_2:",
    }
)
"""An icon for each status of a letter; causes have four of them."""

STATUS_COLOURS: Final[Mapping[str, BadgeColour]] = MappingProxyType(
    {
        "new": "orange",
        "acknowledged": "blue",
        "replaying": "violet",
        "replayed": "green",
        "resolved": "green",
        "archived": "gray",
    }
)

ACTIONS: Final[Mapping[str, tuple[str, str, str]]] = MappingProxyType(
    {
        "acknowledged": ("Acknowledge", ":material/visibility:", "Somebody looks after it."),
        "resolved": ("Resolve", ":material/task_alt:", "Nothing more is to be done with it."),
        "archived": ("Archive", ":material/inventory_2:", "Out of sight; Restore brings it back."),
        "restored": ("Restore", ":material/unarchive:", "As it was before it was archived."),
        "new": ("Reopen", ":material/undo:", "It asks for a decision again."),
    }
)
"""What a person can ask for, by the value that the command takes: label, icon, what it means."""

LEDGER_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "planned": "waits",
        "refused": "refused",
        "intent": "under way",
        "done": "replayed",
        "already": "already there",
        "failed": "failed",
        "unknown": "not known",
        "cancelled": "cancelled",
    }
)
"""States of a record in the replay ledger, as a reader says them."""


def state(group: LetterGroup) -> str:
    """How a cause stands: what tells it from the many that are known, else its state."""
    told = "⤺ regressed" if group.is_regressed else "● new cause" if group.is_new else group.state
    return f"{told}, ↻ {count(group.came_back)} back" if group.came_back else told


def whose(group: LetterGroup, most: int = 2) -> str:
    """Who is to be asked: consumer groups, connectors, else the profiles that sent it."""
    names = group.consumer_groups + group.connectors
    return several(names or group.profiles, most)


def several(names: Mapping[str, int] | Mapping[str | None, int], most: int = 2) -> str:
    """``orders, payments +3``, the most frequent first; foreign text made visible."""
    ordered = [name for name, _ in Counter(names).most_common()]
    told = [NOTHING if name is None else visible(name) for name in ordered]
    shown = ", ".join(told[:most])
    return shown if len(told) <= most else f"{shown} +{len(told) - most}"


def in_code(names: Mapping[str, int] | Mapping[str | None, int], most: int = 6) -> str:
    """``orders (12), payments (2)`` as Markdown."""
    ordered = Counter(names).most_common()
    told = [
        f"{'unknown' if name is None else code_span(name)} ({count(n)})"
        for name, n in ordered[:most]
    ]
    return ", ".join(told) + (f" and {len(ordered) - most} more" if len(ordered) > most else "")


def n_are(n: int, one: str = "is", many: str = "are") -> str:
    """``1 is``, ``2 are``; with other words ``1 was``, ``2 were``."""
    return f"{count(n)} {one if n == 1 else many}"


def joined(words: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def sentence(text: str | None) -> str:
    """Foreign words as a sentence of their own, Markdown escaped; empty where there are none."""
    words = (text or "").strip().rstrip(". ")
    return f"{escape_markdown(words[:1].upper() + words[1:])}." if words else ""


def moved(changed: int, skipped: Mapping[str, int], done: str) -> str:
    """What came of a bulk action: ``1,203 acknowledged; 12 stayed as they are (7 replayed)``."""
    words = f"{count(changed)} {done}"
    if not skipped:
        return words
    why = ", ".join(f"{count(n)} {status}" for status, n in sorted(skipped.items()))
    return f"{words}; {count(sum(skipped.values()))} stayed as they are ({why})"
