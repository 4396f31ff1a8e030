from __future__ import annotations

from dataclasses import replace
from datetime import UTC

import pytest

from dashboard import verdict
from dashboard.components.notices import Notice
from producer_agent.store.queries.health import (
    AgentHealth,
    ClusterHealth,
    FailedJob,
    Health,
    RunNow,
)
from producer_agent.store.queries.watch import (
    CauseSummary,
    Counts,
    LevelSummary,
    ProfileSummary,
)

NOW_US = 1_800_000_000_000_000

AGENT = AgentHealth(NOW_US - 500_000, NOW_US - 60_000_000, "running", None, 0, ())
CLUSTER = ClusterHealth("real", "k1:9092", True, NOW_US - 60_000_000, None, 3, ())
RUN = RunNow("critical", "all", "orders", 60.0, 1, None)
WELL = Health(AGENT, CLUSTER, (RUN,), ())
CAUSE = CauseSummary(
    "NOT_ENOUGH_REPLICAS", "orders", "failed", ("critical",), 20, NOW_US, (), "title (a)"
)


def profile(failed: int = 0, *, acks: str = "all", p99_us: float = 9_000.0) -> ProfileSummary:
    counts = (
        Counts(unconfirmed=10_000, failed=failed)
        if acks == "0"
        else Counts(delivered=10_000 - failed, failed=failed)
    )
    return ProfileSummary("critical", acks, counts, 60.0, p99_us, 0.9999, 100.0)


def level(*profiles: ProfileSummary) -> LevelSummary:
    counts = Counts()
    for one in profiles:
        counts += one.counts
    return LevelSummary(profiles[0].acks, profiles, counts, 60.0, 1.0, 2.0, (), (), (), (), ())


def answer(
    now: Health = WELL,
    levels: tuple[LevelSummary, ...] | None = None,
    causes: tuple[CauseSummary, ...] = (),
) -> list[Notice]:
    levels = (level(profile()),) if levels is None else levels
    return verdict.notices(now, levels, causes, "15 min", NOW_US, UTC)


def test_healthy_says_so_with_its_figures() -> None:
    [notice] = answer()
    assert notice.severity == "success"
    assert "Healthy" in notice.title
    assert "No confirmed event failed in the last 15 min" in notice.text


def test_burning_names_the_profile_how_fast_the_cause_and_its_mend() -> None:
    [notice] = answer(levels=(level(profile(20)),), causes=(CAUSE,))
    assert notice.severity == "error"
    assert notice.title == "critical is burning its error budget 20 times too fast"
    for words in ("1 in 500", "all `NOT_ENOUGH_REPLICAS`", "too few replicas", "Bring the missing"):
        assert words in notice.text
    assert "dead_letters?topic=orders&cause=title+%28a%29" in notice.text


def test_the_worst_of_several_burning_profiles_comes_first_and_the_others_are_named() -> None:
    worse = replace(profile(500), profile="payments")
    [notice] = answer(levels=(level(profile(20), worse),))
    assert notice.title.startswith("payments")
    assert "Also over budget: critical" in notice.text


def test_another_profiles_cause_does_not_explain_the_one_that_burns() -> None:
    foreign = replace(CAUSE, profiles=("metrics",))
    [notice] = answer(levels=(level(profile(20)),), causes=(foreign,))
    assert "NOT_ENOUGH_REPLICAS" not in notice.text


def test_slow_is_told_against_its_objective() -> None:
    [notice] = answer(levels=(level(profile(p99_us=180_000)),))
    assert notice.severity == "warning"
    assert "180 ms at p99, its objective is 100 ms" in notice.title
    assert "our own delay" not in notice.text


def test_slow_admits_that_reports_were_served_late() -> None:
    late = replace(profile(p99_us=180_000), counts=Counts(delivered=10_000, late_polls=2))
    [notice] = answer(levels=(level(late),))
    assert "may be our own delay" in notice.text


def test_nothing_being_sent_says_how_to_begin() -> None:
    [notice] = answer(replace(WELL, runs=()))
    assert notice.title == "Nothing is being sent"
    assert "[Profiles](profiles)" in notice.text


def test_paused_says_why_for_all_runs_and_for_some() -> None:
    held = replace(RUN, paused_because="the outbox is full")
    [notice] = answer(replace(WELL, runs=(held,)))
    assert notice.title == "Nothing is being sent: paused because the outbox is full"
    [notice] = answer(replace(WELL, runs=(held, RUN)))
    assert notice.title == "critical paused because the outbox is full"


def test_only_acks_0_in_use_claims_no_delivery() -> None:
    [notice] = answer(levels=(level(profile(acks="0")),))
    assert "unconfirmed" in notice.title
    assert notice.severity == "info"


def test_a_run_without_any_report_yet_is_neither_healthy_nor_idle() -> None:
    [notice] = answer(levels=())
    assert notice.title == "Sending has begun; no report has come back yet"


@pytest.mark.parametrize(
    ("now", "title", "mend"),
    [
        (replace(WELL, agent=None), "No agent has served", "make run"),
        (
            replace(WELL, agent=replace(AGENT, heartbeat_us=NOW_US - 9_000_000)),
            "The agent is silent: its last heartbeat was 9 s ago",
            "make run",
        ),
        (
            replace(WELL, agent=replace(AGENT, blocked="No room to write")),
            "cannot write the database",
            "No room to write",
        ),
        (
            replace(
                WELL,
                cluster=replace(
                    CLUSTER, reachable=False, since_us=NOW_US - 240_000_000, error="refused"
                ),
            ),
            "cannot be reached for 4 min, since",
            "k1:9092",
        ),
    ],
)
def test_what_makes_figures_worthless_stands_in_place_of_them(
    now: Health, title: str, mend: str
) -> None:
    notices = answer(now, levels=(level(profile(500)),), causes=(CAUSE,))
    assert title in notices[0].title
    assert mend in notices[0].text
    assert not any("burning" in notice.title for notice in notices)


def test_a_silent_agent_says_nothing_of_the_cluster_it_no_longer_sees() -> None:
    silent = replace(AGENT, heartbeat_us=NOW_US - 60_000_000)
    gone = replace(CLUSTER, reachable=False)
    assert len(answer(replace(WELL, agent=silent, cluster=gone))) == 1


def test_failed_jobs_and_messages_come_after_the_answer() -> None:
    job = FailedJob("retention", NOW_US - 60_000_000, "disk *full*", 3)
    talking = replace(AGENT, messages=("a profile has no *topic*",))
    titles = [notice.title for notice in answer(replace(WELL, failed_jobs=(job,), agent=talking))]
    assert titles == [
        "Healthy: deliveries are within their objectives",
        "From the agent",
        "The scheduled job `retention` failed, 3 times in a row",
    ]


def test_foreign_text_in_a_notice_is_escaped() -> None:
    held = replace(RUN, paused_because="**bold** :red[x]")
    [notice] = answer(replace(WELL, runs=(held,)))
    assert "**bold**" not in notice.title
    assert ":red[" not in notice.title


@pytest.mark.parametrize(
    ("summary", "word"),
    [
        (level(profile()), "healthy"),
        (level(profile(20)), "burning"),
        (level(profile(p99_us=200_000)), "slow"),
        (level(profile(acks="0")), "no proof"),
        (level(replace(profile(), success_objective=None)), "no objective"),
        (level(replace(profile(), counts=Counts(rejected=3))), "no reports"),
    ],
)
def test_a_card_tells_its_state_in_a_word(summary: LevelSummary, word: str) -> None:
    assert verdict.badge(summary).word == word


def test_incidents_are_told_only_when_they_happened() -> None:
    assert verdict.incidents([level(profile())]) == []
    counts = Counts(delivered=1, unresolved=1, queue_full=2, not_sent=3, late_polls=1)
    said = verdict.incidents([level(replace(profile(), counts=counts))])
    assert len(said) == 4
    assert "1 event never got a report" in said[0]
    assert "3 events were due and not sent" in said[1]
    assert "2 events were refused" in said[2]
    assert "served late once" in said[3]


@pytest.mark.parametrize(
    ("summary", "words"),
    [
        (profile(), "objective 99.99 %: at 0 % of its error budget"),
        (profile(20), "objective 99.99 %: fails 20 times too often"),
        (profile(2), "objective 99.99 %: just under, with too few events to tell"),
        (profile(acks="0"), "nothing proves a delivery"),
        (replace(profile(), success_objective=None), "no success objective"),
    ],
)
def test_a_card_tells_how_it_stands_against_its_objective(
    summary: ProfileSummary, words: str
) -> None:
    assert verdict.objective_words(summary) == words


def test_events_that_produce_refuses_are_no_health() -> None:
    """They are no part of the success ratio, and just as lost."""
    counts = Counts(delivered=8_000, rejected=2_000)
    refused = replace(profile(), counts=counts)
    cause = replace(CAUSE, cause="TOPIC_AUTHORIZATION_FAILED", outcome="rejected")
    [notice] = answer(levels=(level(refused),), causes=(cause,))
    assert notice.severity == "error"
    assert notice.title == "critical: produce() refuses its events"
    for words in ("1 in 5 events", "never left the client", "not allowed to write", "Grant WRITE"):
        assert words in notice.text
    assert verdict.badge(level(refused)).word == "refusing"


def test_a_single_refused_event_in_a_quiet_minute_is_no_alarm() -> None:
    summary = level(replace(profile(), counts=Counts(delivered=500, rejected=1)))
    [notice] = answer(levels=(summary,))
    assert notice.severity == "success"
