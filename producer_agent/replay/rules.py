"""Carrying out automatic rules: called by the clock, it plans and sends what is due."""

from __future__ import annotations

import logging
from functools import partial

from producer_agent.replay.manager import PlanRefused, ReplayManager
from producer_agent.replay.options import OptionsInvalid, PlanOptions
from producer_agent.replay.selection import Selection
from producer_agent.store import replay_rules
from producer_agent.store.reader import Reader
from producer_agent.store.replay_rules import Rule
from producer_agent.store.writer import Writer

log = logging.getLogger(__name__)


def follow_rules(manager: ReplayManager, reader: Reader, writer: Writer) -> None:
    """Send what is due by every rule that is on."""
    for rule in reader(replay_rules.all_rules):
        if not rule.enabled:
            continue
        try:
            _follow(rule, manager, reader, writer)
        except (PlanRefused, OptionsInvalid) as error:
            log.warning("the replay rule of %s could not be followed: %s", rule.cause, error)


def _follow(rule: Rule, manager: ReplayManager, reader: Reader, writer: Writer) -> None:
    lately = reader(partial(replay_rules.last_hour, rule=rule))
    options = PlanOptions.read(rule.options)
    stop = lately.stopped or _too_many_came_back(lately, options)
    if stop is not None:
        log.warning("the replay rule of %s switched itself off: %s", rule.cause, stop)
        writer.call(partial(replay_rules.switch_off, rule=rule.id, reason=stop))
        return
    if lately.under_way:
        return
    room = rule.cap_per_hour - lately.planned
    if room <= 0:
        return
    ids = reader(partial(replay_rules.due_letters, rule=rule, limit=room))
    if ids:
        plan, _ = manager.replay_now(
            Selection(dead_letters=tuple(ids)), options, f"rule {rule.id}", rule=rule.id
        )
        log.info("the replay rule of %s sends %d back, plan %d", rule.cause, len(ids), plan)


def _too_many_came_back(lately: replay_rules.LastHour, options: PlanOptions) -> str | None:
    """Records may come back after their plan is done: that counts too."""
    share = options.stop_share
    if share is None or not lately.came_back or lately.came_back / max(1, lately.sent) < share:
        return None
    return (
        f"{lately.came_back:,} of {lately.sent:,} records that it sent within an hour came back, "
        f"and it was to stop at {share:.0%}"
    )
