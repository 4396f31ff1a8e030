"""What the agent does for the commands that send dead letters back, and edit them before."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from concurrent.futures import TimeoutError as NotYet
from contextlib import suppress
from functools import partial
from typing import Any

from producer_agent.replay.header_names import require_header_name
from producer_agent.replay.manager import PlanRefused, ReplayManager
from producer_agent.replay.options import PlanOptions
from producer_agent.replay.selection import Selection
from producer_agent.store import letter_edits, replay_letters, replay_rules
from producer_agent.store.commands import CommandRow
from producer_agent.store.queries import replays as plans
from producer_agent.store.reader import Reader
from producer_agent.store.writer import Writer

ONE_CLICK_S = 25.0
"""How long a one-click replay is waited for; it goes on all the same."""

MOST_ONE_CLICK = 1_000
"""Records that one click may send; more deserve a look at the plan first."""

_SELECTION = ("dead_letters", "filter")


class ReplayCommands:
    """Handlers of ``replay.*`` and ``letter.edit.*``.

    Args:
        writer, reader: The database.
        manager: The plans of the cluster; raises where it cannot be reached.
    """

    def __init__(
        self, writer: Writer, reader: Reader, manager: Callable[[], ReplayManager]
    ) -> None:
        self._writer = writer
        self._reader = reader
        self._manager = manager

    def replay(self, command: CommandRow) -> dict[str, Any]:
        """Plan and send at once, and wait for a while."""
        selection, options = self._asked(command)
        count = len(self._reader(selection.ids))
        if count > MOST_ONE_CLICK:
            raise PlanRefused(
                f"{count:,} dead letters are more than one click may send ({MOST_ONE_CLICK:,}). "
                f"Make a plan of them, look at it, and run that."
            )
        plan, run = self._manager().replay_now(selection, options, command.who)
        with suppress(NotYet):  # it goes on; the ledger tells how far it is
            run.result(ONE_CLICK_S)
        rows = self._reader(partial(plans.records, plan_id=plan, limit=MOST_ONE_CLICK))
        return {
            "plan": plan,
            "outcomes": [
                {
                    "dead_letter": row.dead_letter,
                    "state": row.state,
                    "reason": row.reason,
                    "topic": row.target_topic,
                    "partition": row.partition,
                    "offset": row.offset,
                }
                for row in rows
            ],
        }

    def plan(self, command: CommandRow) -> dict[str, Any]:
        """Begin to make a plan."""
        selection, options = self._asked(command)
        title = command.arguments.get("title")
        return {
            "plan": self._manager().plan(
                selection, options, command.who, title=None if title is None else str(title)[:200]
            )
        }

    def run(self, command: CommandRow) -> dict[str, Any]:
        """Run a plan, or go on with it."""
        self._manager().run(_plan_of(command))
        return {"plan": _plan_of(command)}

    def pause(self, command: CommandRow) -> dict[str, Any]:
        """Send no further batch of it."""
        self._manager().pause(_plan_of(command))
        return {"plan": _plan_of(command)}

    def cancel(self, command: CommandRow) -> dict[str, Any]:
        """Never send the rest of it."""
        self._manager().cancel(_plan_of(command))
        return {"plan": _plan_of(command)}

    def save_rule(self, command: CommandRow) -> dict[str, Any]:
        """Make or change the automatic replay of a cause."""
        asked = command.arguments
        delay_s, cap = asked["delay_s"], asked["cap_per_hour"]
        if not _is_number(delay_s) or not 0 <= delay_s <= 30 * 86_400:
            raise PlanRefused(f"delay_s is {delay_s!r}; give seconds, from 0 to 30 days.")
        if type(cap) is not int or not 1 <= cap <= 1_000_000:
            raise PlanRefused(f"cap_per_hour is {cap!r}; give records an hour, 1 to 1,000,000.")
        options = PlanOptions.read(asked.get("options") or {})
        if options.force is not None:
            raise PlanRefused("A rule may not force records that came back too often.")
        rule = self._writer.call(
            partial(
                replay_rules.save,
                cause=str(asked["cause"]),
                enabled=bool(asked["enabled"]),
                delay_s=float(delay_s),
                cap_per_hour=cap,
                options=options.model_dump(mode="json", exclude_defaults=True),
                made_by=command.who,
            )
        )
        return {"rule": rule}

    def delete_rule(self, command: CommandRow) -> dict[str, Any]:
        """Drop an automatic replay."""
        rule = int(command.arguments["rule"])
        if not self._writer.call(partial(replay_rules.delete, rule=rule)):
            raise PlanRefused(f"There is no replay rule {rule}.")
        return {"rule": rule}

    def begin_edit(self, command: CommandRow) -> dict[str, Any]:
        """Take the one editor's place of a dead letter."""
        letter = int(command.arguments["dead_letter"])
        self._require_editable(letter)

        def take(db: Any) -> dict[str, Any]:
            held = letter_edits.lock_of(db, letter)
            if held is not None and not command.arguments.get("take_over"):
                raise PlanRefused(
                    f"{held.who} is editing dead letter {letter}. Wait until they are done, or "
                    f"take over: what they have not saved is lost then."
                )
            if held is not None:
                letter_edits.unlock(db, letter, held.token)
            made = letter_edits.lock(db, letter, command.who)
            return {"token": made.token, "until_us": made.until_us}

        return self._writer.call(take)

    def save_edit(self, command: CommandRow) -> dict[str, Any]:
        """Keep what the editor wrote, and end the editing."""
        asked = command.arguments
        letter = int(asked["dead_letter"])
        key, value = _decoded(asked, "key"), _decoded(asked, "value")
        headers = _headers(asked["headers"])
        self._require_editable(letter)

        def save(db: Any) -> dict[str, Any]:
            if not letter_edits.unlock(db, letter, str(asked["token"])):
                raise PlanRefused(
                    f"Dead letter {letter} is no longer yours to edit: the time ran out or "
                    f"somebody took over. Copy your text, and begin again."
                )
            return {"edit": letter_edits.save(db, letter, command.who, key, value, headers)}

        return self._writer.call(save)

    def discard_edit(self, command: CommandRow) -> dict[str, Any]:
        """End the editing and keep nothing of it."""
        letter, token = int(command.arguments["dead_letter"]), str(command.arguments["token"])
        freed = self._writer.call(partial(letter_edits.unlock, letter=letter, token=token))
        return {"freed": freed}

    def withdraw_edit(self, command: CommandRow) -> dict[str, Any]:
        """The next replay sends the original again."""
        letter = int(command.arguments["dead_letter"])
        return {"withdrawn": self._writer.call(partial(letter_edits.withdraw, letter=letter))}

    def _require_editable(self, letter: int) -> None:
        found = self._reader(partial(replay_letters.letters, ids=[letter]))
        if not found:
            raise PlanRefused(f"There is no dead letter {letter}.")
        if found[0].live is not None:
            raise PlanRefused(
                f"Dead letter {letter} was sent back, or is under way: an edit would come too late."
            )

    def _asked(self, command: CommandRow) -> tuple[Selection, PlanOptions]:
        given = {name: command.arguments[name] for name in _SELECTION if name in command.arguments}
        return Selection.from_json(given), PlanOptions.read(command.arguments.get("options") or {})


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _plan_of(command: CommandRow) -> int:
    plan = command.arguments["plan"]
    if type(plan) is not int:
        raise PlanRefused(f"plan is {plan!r}; give a plan's number.")
    return plan


def _decoded(asked: dict[str, Any], name: str) -> bytes | None:
    """Base64, or null for none at all."""
    text = asked[name]
    if text is None:
        return None
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, TypeError, ValueError) as error:
        raise PlanRefused(f"{name} is base64 or null: {error}") from error


def _headers(given: Any) -> list[tuple[str, bytes | None]]:
    """A list of ``[name, base64 or null]``."""
    try:
        headers = [(str(name), _decoded({"header": value}, "header")) for name, value in given]
        for name, _ in headers:
            require_header_name(name)
    except (TypeError, ValueError) as error:
        raise PlanRefused(f"headers is a list of [name, base64 or null]: {error}") from error
    return headers
