"""What the agent does for each command."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from producer_agent.advice.compare.manager import CompareRefused
from producer_agent.advice.compare.plan import PlanInvalid
from producer_agent.commands import Command
from producer_agent.compare_commands import CompareCommands
from producer_agent.dead_letters.policies import PolicyInvalid
from producer_agent.dead_letters.topic_commands import DeadLetterTopicCommands
from producer_agent.delivery.profiles import Profile, ProfileInvalid
from producer_agent.delivery.run_manager import RunRefused, require_usable
from producer_agent.fault_commands import FaultCommands
from producer_agent.flows import Flows
from producer_agent.kafka.cluster import Cluster
from producer_agent.kafka.lab import LabError
from producer_agent.kafka.lab_faults import FaultRefused
from producer_agent.kafka.topic_restraint import RestraintRefused
from producer_agent.replay.manager import PlanRefused
from producer_agent.replay.options import OptionsInvalid
from producer_agent.replay.selection import SelectionInvalid
from producer_agent.replay_commands import ReplayCommands
from producer_agent.store import profiles
from producer_agent.store.commands import CommandRow
from producer_agent.store.queries.letter_filter import FilterInvalid
from producer_agent.store.reader import Reader
from producer_agent.store.writer import Writer
from producer_agent.triage_commands import TriageCommands


class CommandRefused(Exception):
    """The command cannot be done; the text says why and what to do."""


REFUSALS = (
    CommandRefused,
    CompareRefused,
    FaultRefused,
    FilterInvalid,
    LabError,
    OptionsInvalid,
    PlanInvalid,
    PlanRefused,
    PolicyInvalid,
    ProfileInvalid,
    RestraintRefused,
    RunRefused,
    SelectionInvalid,
)
"""What says in its own words why a command cannot be done: no fault of the agent's."""


class CommandHandlers:
    """Carries out commands. Each handler returns the command's result, or raises.

    Args:
        writer: The database.
        cluster: For faults.
        flows: The flows now, or None while the cluster cannot be reached.
        dead_letter_topic: The board's own.
    """

    def __init__(
        self,
        writer: Writer,
        cluster: Cluster,
        flows: Callable[[], Flows | None],
        dead_letter_topic: str,
    ) -> None:
        self._writer = writer
        self._cluster = cluster
        self._current_flows = flows
        replays = ReplayCommands(writer, Reader(writer.path), lambda: self._flows().replays)
        compare = CompareCommands(Reader(writer.path), lambda: self._flows().comparisons)
        triage = TriageCommands(writer)
        faults = FaultCommands(cluster, self._faults_changed)
        topics = DeadLetterTopicCommands(writer, dead_letter_topic, self._review_topics)
        self._handlers: dict[Command, Callable[[CommandRow], dict[str, Any]]] = {
            Command.RUN_START: self._start,
            Command.RUN_STOP: self._stop,
            Command.RUN_RATE: self._rate,
            Command.PROFILE_SAVE: self._save,
            Command.PROFILE_DELETE: self._delete,
            Command.REPLAY: replays.replay,
            Command.REPLAY_PLAN: replays.plan,
            Command.REPLAY_RUN: replays.run,
            Command.REPLAY_PAUSE: replays.pause,
            Command.REPLAY_CANCEL: replays.cancel,
            Command.REPLAY_RULE_SAVE: replays.save_rule,
            Command.REPLAY_RULE_DELETE: replays.delete_rule,
            Command.LETTER_EDIT_BEGIN: replays.begin_edit,
            Command.LETTER_EDIT_SAVE: replays.save_edit,
            Command.LETTER_EDIT_DISCARD: replays.discard_edit,
            Command.LETTER_EDIT_WITHDRAW: replays.withdraw_edit,
            Command.LETTERS_STATUS: triage.set_letters,
            Command.CAUSE_STATE: triage.set_cause_state,
            Command.CAUSE_NOTE: triage.set_cause_note,
            Command.CAUSE_OWNER: triage.set_cause_owner,
            Command.DEAD_LETTER_TOPICS_SAVE: topics.save,
            Command.DEAD_LETTER_TOPICS_DELETE: topics.delete,
            Command.COMPARE_START: compare.start,
            Command.COMPARE_CANCEL: compare.cancel,
            Command.COMPARE_DELETE: compare.delete,
            Command.FAULT_INJECT: faults.inject,
            Command.FAULT_UNDO: faults.undo,
            Command.FAULT_UNDO_ALL: faults.undo_all,
        }

    def handle(self, command: CommandRow) -> dict[str, Any]:
        """Do what was asked.

        Raises:
            CommandRefused: there is no such command, or an argument is missing or wrong.
            Exception: what the handler raised; its text is for whoever asked.
        """
        try:
            handler = self._handlers[Command(command.kind)]
        except ValueError:
            known = ", ".join(kind.value for kind in Command)
            raise CommandRefused(
                f"There is no command {command.kind!r}. There are: {known}."
            ) from None
        try:
            return handler(command)
        except KeyError as error:
            raise CommandRefused(f"{command.kind} needs the argument {error}.") from error

    def _start(self, command: CommandRow) -> dict[str, Any]:
        name = str(command.arguments["profile"])
        flows = self._flows()
        row = flows.profile_row(name)
        rate = _rate_of(command)
        flows.start_run(Profile.from_json(row.body), rate if rate is not None else row.rate)
        self._writer.call(partial(profiles.want, name=name, running=True))
        return {"profile": name}

    def _stop(self, command: CommandRow) -> dict[str, Any]:
        name = str(command.arguments["profile"])
        self._flows().runs.stop(name, f"stopped by {command.who}")
        self._writer.call(partial(profiles.want, name=name, running=False))
        return {"profile": name}

    def _rate(self, command: CommandRow) -> dict[str, Any]:
        name = str(command.arguments["profile"])
        rate = _rate_of(command)
        if rate is None:
            raise KeyError("rate")
        self._flows().runs.set_rate(name, rate)
        self._writer.call(partial(profiles.set_rate, name=name, rate=rate))
        return {"profile": name, "rate": rate}

    def _save(self, command: CommandRow) -> dict[str, Any]:
        profile = Profile.from_json(str(command.arguments["body"]))
        require_usable(profile)
        self._writer.call(partial(profiles.save, name=profile.name, body=profile.to_json()))
        flows = self._current_flows()
        return {
            "profile": profile.name,
            "running": flows is not None and flows.runs.is_running(profile.name),
        }

    def _delete(self, command: CommandRow) -> dict[str, Any]:
        name = str(command.arguments["profile"])
        flows = self._current_flows()
        if flows is not None and flows.runs.is_running(name):
            raise RunRefused(f"{name} is running. Stop it first.")
        self._writer.call(partial(profiles.delete, name=name))
        return {"profile": name}

    def _review_topics(self) -> None:
        flows = self._current_flows()
        if flows is not None:
            flows.consumer.review_soon()

    def _faults_changed(self) -> None:
        flows = self._current_flows()
        if flows is not None:
            flows.apply_event_faults()

    def _flows(self) -> Flows:
        flows = self._current_flows()
        if flows is None:
            raise CommandRefused(
                f"The cluster at {self._cluster.bootstrap_servers} cannot be reached. "
                f"Try again when it is back."
            )
        return flows


def _rate_of(command: CommandRow) -> float | None:
    rate = command.arguments.get("rate")
    if rate is None:
        return None
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 < rate <= 100_000:
        raise CommandRefused(f"The rate is {rate!r}; give events a second, above 0, up to 100,000.")
    return float(rate)
