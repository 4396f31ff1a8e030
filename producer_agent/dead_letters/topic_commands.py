"""Carrying out what is asked about dead-letter topics; without an agent the CLI does the same."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from sqlite_utils import Database

from producer_agent.dead_letters.policies import PolicyInvalid, policy_from, require_valid
from producer_agent.store import dead_letter_policies
from producer_agent.store.commands import CommandRow
from producer_agent.store.dead_letter_policies import Policy
from producer_agent.store.writer import Writer


def save_policy(db: Database, policy: Policy, own_topic: str) -> dict[str, Any]:
    """Check a policy against those that are stored, and store it; returns the command's result.

    Raises:
        PolicyInvalid: it cannot be.
    """
    stored = dead_letter_policies.all_policies(db)
    require_valid(policy, stored, own_topic)
    dead_letter_policies.save(db, policy)
    known = policy.topic in {other.topic for other in stored}
    return {"topic": policy.topic, "change": "replaced" if known else "added"}


def delete_policy(db: Database, topic: str) -> dict[str, Any]:
    """Delete a policy; returns the command's result.

    Raises:
        PolicyInvalid: there is none of this name or pattern.
    """
    if not dead_letter_policies.delete(db, topic):
        known = ", ".join(policy.topic for policy in dead_letter_policies.all_policies(db))
        raise PolicyInvalid(
            f"There is no policy for {topic!r}. "
            + (f"There are: {known}." if known else "There is none at all.")
        )
    return {"topic": topic}


class DeadLetterTopicCommands:
    """The handlers.

    Args:
        writer: The database.
        own_topic: The board's own dead-letter topic.
        changed: Called after a change, for it to take effect soon.
    """

    def __init__(self, writer: Writer, own_topic: str, changed: Callable[[], None]) -> None:
        self._writer = writer
        self._own_topic = own_topic
        self._changed = changed

    def save(self, command: CommandRow) -> dict[str, Any]:
        """Add or replace a policy."""
        policy = policy_from(command.arguments)
        result = self._writer.call(partial(save_policy, policy=policy, own_topic=self._own_topic))
        self._changed()
        return result

    def delete(self, command: CommandRow) -> dict[str, Any]:
        """Take a policy away."""
        result = self._writer.call(partial(delete_policy, topic=str(command.arguments["topic"])))
        self._changed()
        return result
