"""Asking the agent for something: the only way in which a page or the CLI acts.

A command is a row in the database. The agent takes it within 250 ms, does it, and writes what
came of it. Who asks, what, when, why and with which result stay in the table for good.
"""

from __future__ import annotations

import getpass
import time
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from producer_agent.store import commands as table
from producer_agent.store.commands import CommandRow
from producer_agent.store.database import open_database

__all__ = ["Command", "CommandFailed", "CommandRow", "ask", "ask_and_wait", "local_user"]


class Command(StrEnum):
    """What can be asked for, and its arguments."""

    RUN_START = "run.start"
    """``profile``; ``rate`` (events a second, optional)."""
    RUN_STOP = "run.stop"
    """``profile``."""
    RUN_RATE = "run.rate"
    """``profile``, ``rate``."""
    PROFILE_SAVE = "profile.save"
    """``body``: the profile as JSON text. Takes effect at its next start."""
    PROFILE_DELETE = "profile.delete"
    """``profile``; refused while it runs."""
    REPLAY = "replay"
    """At once: ``dead_letters`` (list of ids) or ``filter``; ``options``, see
    ``replay/options.py``."""
    REPLAY_PLAN = "replay.plan"
    """The same, and ``title``: begins to make a plan, sends nothing."""
    REPLAY_RUN = "replay.run"
    """``plan``: its number. Also goes on with one that was paused or stopped by itself."""
    REPLAY_PAUSE = "replay.pause"
    """``plan``."""
    REPLAY_CANCEL = "replay.cancel"
    """``plan``."""
    REPLAY_RULE_SAVE = "replay.rule.save"
    """``cause`` (fingerprint), ``enabled``, ``delay_s``, ``cap_per_hour``, ``options``."""
    REPLAY_RULE_DELETE = "replay.rule.delete"
    """``rule``: its number."""
    LETTER_EDIT_BEGIN = "letter.edit.begin"
    """``dead_letter``; ``take_over`` (bool) from another editor. Gives ``token``."""
    LETTER_EDIT_SAVE = "letter.edit.save"
    """``dead_letter``, ``token``; ``key`` and ``value`` (base64 or null), ``headers`` (list of
    ``[name, base64 or null]``)."""
    LETTER_EDIT_DISCARD = "letter.edit.discard"
    """``dead_letter``, ``token``."""
    LETTER_EDIT_WITHDRAW = "letter.edit.withdraw"
    """``dead_letter``: its next replay sends the original again."""
    LETTERS_STATUS = "letters.status"
    """``status`` (``new``, ``acknowledged``, ``resolved``, ``archived``, ``restored``); ``ids`` or
    ``filter`` (see ``store/queries/letter_filter.py``). Gives ``changed`` and ``skipped``."""
    CAUSE_STATE = "cause.state"
    """``cause`` (row id), ``state`` (the same); its letters go along."""
    CAUSE_NOTE = "cause.note"
    """``cause``, ``note``."""
    CAUSE_OWNER = "cause.owner"
    """``cause``, ``owner``."""
    DEAD_LETTER_TOPICS_SAVE = "dead-letter-topics.save"
    """``topic`` (a name, or a pattern that begins with ^); ``convention``, ``default_target``,
    ``start_from`` and ``keep_closed_days``, all optional. Takes effect within seconds."""
    DEAD_LETTER_TOPICS_DELETE = "dead-letter-topics.delete"
    """``topic``, as it was saved; letters that were read stay."""
    COMPARE_START = "compare.start"
    """``plan``: see ``advice/compare/plan.py``; each of its ``profiles`` is a stored one's name or
    a whole body. ``pause_runs`` (bool): stop what is sending, and start it again at the end.
    ``title`` (optional). Begins, and gives ``comparison``: its number."""
    COMPARE_CANCEL = "compare.cancel"
    """``comparison``: keeps what is measured; returns when it has ended."""
    COMPARE_DELETE = "compare.delete"
    """``comparison``; refused while it runs."""
    FAULT_INJECT = "fault.inject"
    """``kind``; ``topic`` or ``node`` where the kind needs one. To stop or start a node of the lab
    takes seconds: wait for half a minute."""
    FAULT_UNDO = "fault.undo"
    """The same; without ``topic`` and ``node`` on all of them."""
    FAULT_UNDO_ALL = "fault.undo_all"


class CommandFailed(Exception):
    """The agent could not do it, or did not answer; the text says why and what to do."""


def ask(
    path: Path,
    kind: Command,
    arguments: Mapping[str, Any] | None = None,
    *,
    who: str,
    why: str | None = None,
) -> int:
    """Insert a command into the database at ``path``; returns its id.

    Raises:
        StoreError: the database cannot be written.
    """
    db = open_database(path)
    try:
        return table.insert(db, kind.value, arguments or {}, who, why)
    finally:
        db.close()


def ask_and_wait(
    path: Path,
    kind: Command,
    arguments: Mapping[str, Any] | None = None,
    *,
    who: str,
    why: str | None = None,
    timeout_s: float = 10.0,
) -> dict[str, Any]:
    """Ask, and wait until the agent settled it; returns its result.

    Raises:
        CommandFailed: it failed, or was not settled in time (it stays asked for then).
        StoreError: the database cannot be used.
    """
    db = open_database(path)
    try:
        command = table.insert(db, kind.value, arguments or {}, who, why)
        deadline = time.monotonic() + timeout_s
        while True:
            row = table.get(db, command)
            assert row is not None, "commands are never deleted while they are open"
            if row.state == "done":
                return row.result or {}
            if row.state == "failed":
                raise CommandFailed((row.result or {}).get("error", "no reason was given"))
            if time.monotonic() >= deadline:
                raise CommandFailed(
                    f"The agent has not answered within {timeout_s:g} s. Is it running? "
                    f"(`python -m producer_agent status`.) Command {command} stays in its queue."
                    if row.state == "asked"
                    else f"The agent is still at it after {timeout_s:g} s (command {command})."
                )
            time.sleep(0.05)
    finally:
        db.close()


def local_user() -> str:
    """Who sits at this machine, for commands asked without a login."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "local"
