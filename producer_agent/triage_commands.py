"""What the agent does when a person decides on dead letters or on a cause."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Any

from producer_agent.store import causes, triage
from producer_agent.store.commands import CommandRow
from producer_agent.store.queries import letter_order
from producer_agent.store.queries.letter_filter import (
    FilterInvalid,
    LetterFilter,
    filter_from_json,
)
from producer_agent.store.reader import Reader
from producer_agent.store.triage import CAUSE_MOVES, MOVES, Moved
from producer_agent.store.writer import Writer

MOST_IDS = 100_000
"""Letters that a command may name one by one; more are told by a filter."""


class TriageRefused(Exception):
    """The command cannot be done; the text says why and what to do."""


class TriageCommands:
    """Carries out ``letters.*`` and ``cause.*``. Each returns the command's result, or raises."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._reader = Reader(writer.path)

    def set_letters(self, command: CommandRow) -> dict[str, Any]:
        """``letters.status``: ``status``, and ``ids`` or ``filter``.

        The result has ``changed`` and ``skipped`` (by status). A filter is frozen first: what
        comes in while letters are moved is not among them.

        Raises:
            TriageRefused: the status is none, or neither or both of ids and filter are given.
        """
        status = str(command.arguments["status"])
        if status not in MOVES:
            raise TriageRefused(
                f"Letters cannot be made {status!r}. They can be: {', '.join(MOVES)}."
            )
        letters = self._chosen(command.arguments)
        return asdict(self._move(letters, status, command.id, MOVES[status]))

    def set_cause_state(self, command: CommandRow) -> dict[str, Any]:
        """``cause.state``: ``cause``, ``state``; its letters go along (``CAUSE_MOVES``).

        Raises:
            CauseRefused: see :func:`producer_agent.store.causes.set_state`.
        """
        cause, state = _cause_of(command), str(command.arguments["state"])
        # The cause first: a letter that comes in meanwhile finds it resolved, and opens it again.
        now = self._writer.call(
            partial(causes.set_state, cause=cause, state=state, command=command.id, who=command.who)
        )
        from_ = CAUSE_MOVES[state]
        wanted = LetterFilter(cause=cause, statuses=tuple(sorted(from_)))
        moved = self._move(self._frozen(wanted), state, command.id, from_)
        return {"cause": cause, "state": now, **asdict(moved)}

    def set_cause_note(self, command: CommandRow) -> dict[str, Any]:
        """``cause.note``: ``cause``, ``note`` (plain text, empty removes it)."""
        cause, note = _cause_of(command), str(command.arguments["note"])
        self._writer.call(partial(causes.set_note, cause=cause, note=note, command=command.id))
        return {"cause": cause}

    def set_cause_owner(self, command: CommandRow) -> dict[str, Any]:
        """``cause.owner``: ``cause``, ``owner`` (empty: nobody's)."""
        cause, owner = _cause_of(command), str(command.arguments["owner"])
        self._writer.call(partial(causes.set_owner, cause=cause, owner=owner, command=command.id))
        return {"cause": cause}

    def _chosen(self, arguments: dict[str, Any]) -> Sequence[int]:
        if ("ids" in arguments) == ("filter" in arguments):
            raise TriageRefused("Say which letters: give ids or a filter, and not both.")
        if "filter" in arguments:
            try:
                return self._frozen(filter_from_json(arguments["filter"]))
            except FilterInvalid as error:
                raise TriageRefused(str(error)) from error
        ids = arguments["ids"]
        if not isinstance(ids, list) or not all(type(id_) is int for id_ in ids):
            raise TriageRefused("ids is a list of row ids.")
        if len(ids) > MOST_IDS:
            raise TriageRefused(f"{len(ids):,} ids are too many for one command; give a filter.")
        return ids

    def _frozen(self, wanted: LetterFilter) -> Sequence[int]:
        """The letters that match now."""
        newest = self._reader(letter_order.newest_id)
        pin = newest if wanted.up_to_id is None else min(newest, wanted.up_to_id)
        return array(
            "q", self._reader(partial(letter_order.ids, wanted=replace(wanted, up_to_id=pin)))
        )

    def _move(self, letters: Sequence[int], to: str, command: int, from_: frozenset[str]) -> Moved:
        total = Moved()
        for at in range(0, len(letters), triage.STEP):
            step = letters[at : at + triage.STEP]
            total.add(
                self._writer.call(
                    partial(triage.move, letters=step, to=to, command=command, from_=from_)
                )
            )
        return total


def _cause_of(command: CommandRow) -> int:
    cause = command.arguments["cause"]
    if type(cause) is not int:
        raise TriageRefused(f"cause is a row id, not {cause!r}.")
    return cause
