from __future__ import annotations

import pytest

from dashboard.profiles.profile_draft import EXTRA, check_draft, draft_of, specs
from producer_agent.delivery.profiles import FaultMix, ProducerSettings, Profile, Workload
from producer_agent.delivery.shipped_profiles import shipped_profiles

EVERYTHING = Profile(
    name="everything",
    producer=ProducerSettings(
        acks="all",
        transactional_id="tx-1",
        linger_ms=0.5,
        extra={"socket.keepalive.enable": "true", "client.rack": "a=b"},
    ),
    workload=Workload(topic="t", faults=FaultMix(oversized=0.00002)),
)


@pytest.mark.parametrize("profile", [*shipped_profiles(), EVERYTHING], ids=lambda p: p.name)
def test_a_profile_comes_back_from_its_draft_as_it_was(profile: Profile) -> None:
    assert check_draft(draft_of(profile)).profile == profile


def test_every_setting_of_the_model_has_its_field() -> None:
    shown = {
        spec.path.rsplit(".", 1)[1]
        for part in ("producer", "workload", "workload.faults", "objective")
        for spec in specs(part)
    }
    parts = (ProducerSettings, Workload, FaultMix)
    expected = {name for part in parts for name in part.model_fields} - {"extra", "faults"}
    assert expected <= shown
    assert {"success_ratio", "latency_p99_ms"} <= shown


def test_a_malformed_value_and_a_broken_rule_are_both_told_each_at_its_field() -> None:
    draft = draft_of(shipped_profiles()[0])
    draft |= {"producer.linger_ms": "64KB", "producer.max_in_flight": "50"}
    checked = check_draft(draft)
    assert not checked.is_usable
    assert "64KB" in checked.of("producer.linger_ms")[0].message
    assert "at most 5" in checked.of("producer.max_in_flight")[0].message
    assert checked.elsewhere() == []


def test_a_warning_does_not_keep_a_profile_from_being_saved() -> None:
    draft = draft_of(shipped_profiles()[0])
    draft["workload.min_insync_replicas"] = "1"
    checked = check_draft(draft)
    assert [p.severity for p in checked.of("workload.min_insync_replicas")] == ["warning"]
    assert checked.is_usable


def test_a_name_that_is_taken_is_refused() -> None:
    draft = draft_of(shipped_profiles()[0])
    assert "already" in check_draft(draft, ["critical"]).of("name")[0].message
    assert check_draft(draft, ["metrics"]).is_usable


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("linger.ms", "Line 1 is not a setting"),
        ("# why\n\n=5", "Line 3 is not a setting"),
        ("client.rack=a\nclient.rack=b", "client.rack is set twice"),
        ("no.such.property=1", "no.such.property"),
    ],
)
def test_a_faulty_line_of_further_properties_is_told_beside_them(text: str, message: str) -> None:
    draft = draft_of(shipped_profiles()[0])
    draft[EXTRA] = text
    checked = check_draft(draft)
    assert not checked.is_usable
    assert message in " ".join(problem.message for problem in checked.of(EXTRA))


def test_an_emptied_objective_is_none_and_an_emptied_number_is_refused() -> None:
    draft = draft_of(shipped_profiles()[0])
    draft["objective.success_ratio"] = " "
    profile = check_draft(draft).profile
    assert profile is not None
    assert profile.objective.success_ratio is None
    draft["producer.retries"] = ""
    assert check_draft(draft).of("producer.retries")
