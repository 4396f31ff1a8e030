"""What the agent does for the commands that compare profiles."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

from producer_agent.advice.compare.manager import CompareRefused, ComparisonManager
from producer_agent.advice.compare.plan import ComparisonPlan
from producer_agent.store import profiles
from producer_agent.store.commands import CommandRow
from producer_agent.store.reader import Reader


class CompareCommands:
    """Handlers of ``compare.*``.

    Args:
        reader: Where stored profiles are.
        manager: The comparisons of the cluster; raises where it cannot be reached.
    """

    def __init__(self, reader: Reader, manager: Callable[[], ComparisonManager]) -> None:
        self._reader = reader
        self._manager = manager

    def start(self, command: CommandRow) -> dict[str, Any]:
        """Begin to measure."""
        asked = command.arguments["plan"]
        if not isinstance(asked, dict):
            raise CompareRefused(f"plan is {asked!r}; give an object, see the compare command.")
        plan = ComparisonPlan.from_mapping({**asked, "profiles": self._bodies(asked)})
        title = command.arguments.get("title")
        number = self._manager().start(
            plan,
            command.who,
            title=None if title is None else str(title)[:200],
            pause_runs=bool(command.arguments.get("pause_runs")),
        )
        return {"comparison": number}

    def cancel(self, command: CommandRow) -> dict[str, Any]:
        """End one early, and keep what is measured."""
        number = _number_of(command)
        self._manager().cancel(number)
        return {"comparison": number}

    def delete(self, command: CommandRow) -> dict[str, Any]:
        """Forget one."""
        number = _number_of(command)
        self._manager().delete(number)
        return {"comparison": number}

    def _bodies(self, asked: dict[str, Any]) -> list[Any]:
        """The profiles, whole: a name stands for the stored profile as it is now."""
        given = asked["profiles"]
        if not isinstance(given, list):
            raise CompareRefused(f"profiles is {given!r}; give a list of names or bodies.")
        return [self._stored(entry) if isinstance(entry, str) else entry for entry in given]

    def _stored(self, name: str) -> Any:
        row = self._reader(partial(profiles.get, name=name))
        if row is None:
            known = ", ".join(row.name for row in self._reader(profiles.all_profiles))
            raise CompareRefused(f"There is no profile {name!r}. There are: {known}.")
        return json.loads(row.body)


def _number_of(command: CommandRow) -> int:
    number = command.arguments["comparison"]
    if type(number) is not int:
        raise CompareRefused(f"comparison is {number!r}; give a comparison's number.")
    return number
