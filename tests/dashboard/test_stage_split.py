"""Where the time goes: told in words first, drawn, and acks=0 without a round trip."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dashboard.latency import stage_figure, stage_words
from producer_agent.store.queries.client_statistics import Stage, StageSplit
from tests.dashboard import stage_seed
from tests.dashboard.conftest import OpenPage, texts

PAGE = "views/latency.py"


def drawn(app: Any) -> dict[str, Any]:
    [figure] = [
        found
        for element in app.get("plotly_chart")
        if "barmode" in (found := json.loads(element.proto.spec))["layout"]
    ]
    return dict(figure)


def table(app: Any) -> Any:
    [found] = [frame.value for frame in app.dataframe if "round trip" in frame.value]
    return found


def test_the_stage_that_takes_most_is_told_first(database: Path, open_page: OpenPage) -> None:
    stage_seed.fill(database)
    app = open_page(PAGE)
    assert not app.exception
    said = texts(app)
    assert (
        "In the last 15 min most of the time was spent **at the broker** under `critical`" in said
    )
    assert "**in the client's queue** under `analytics` (1" in said
    assert "which waits for no answer (acks=0)" in said
    assert "Throttled" not in said
    rows = table(app)
    assert list(rows[""]) == ["critical", "analytics", "metrics"]
    assert list(rows["round trip"])[2] == "none"
    assert rows["queue"][0].startswith("5.")
    assert set(rows["throttled"]) == {"no"}
    figure = drawn(app)
    assert [trace["name"] for trace in figure["data"]] == ["client's queue", "socket", "round trip"]
    assert figure["layout"]["yaxis"]["ticktext"] == ["critical", "analytics", "metrics"]
    assert figure["data"][2]["x"][2] is None, "acks=0 has no bar for it"


def test_by_broker_a_slow_and_a_throttling_one_show(database: Path, open_page: OpenPage) -> None:
    stage_seed.fill(database, throttled_ms=1_400)
    app = open_page(PAGE, stages="profile and broker")
    assert not app.exception
    assert "**Throttled by quota**: broker 2 held `analytics` back for up to 1.40 s" in texts(app)
    rows = table(app)
    assert list(rows[""])[:3] == [f"critical · broker {number}" for number in (1, 2, 3)]
    trips = [float(told.removesuffix(" ms")) for told in rows["round trip"][:3]]
    assert trips[1] > 1.5 * max(trips[0], trips[2])
    assert list(rows["throttled"])[3:6] == ["no", "1.40 s", "no"]
    assert len(drawn(app)["data"][0]["x"]) == 9


def test_without_statistics_it_says_when_they_come(seeded: Path, open_page: OpenPage) -> None:
    app = open_page(PAGE)
    assert not app.exception
    assert any("some seconds after a profile starts" in info.value for info in app.info)


def split(name: str, acks: str, *means: int, broker: int | None = None) -> StageSplit:
    queue, send, trip = (Stage(1, mean, mean) for mean in means)
    return StageSplit(name, acks, broker, queue, send, trip, Stage(1, 0, 0), 1)


@pytest.mark.parametrize(
    ("longest", "ticks"),
    [
        (23_900, ["0 ms", "5 ms", "10 ms", "15 ms", "20 ms"]),
        (950, ["0 ms", "0.2 ms", "0.4 ms", "0.6 ms", "0.8 ms"]),
        (0, ["0 ms", "0.0002 ms", "0.0004 ms", "0.0006 ms", "0.0008 ms", "0.001 ms"]),
    ],
)
def test_ticks_are_round(longest: int, ticks: list[str]) -> None:
    figure = stage_figure.stage_split([split("a", "1", longest, 0, 0)], dark=False)
    assert list(figure.layout.xaxis.ticktext) == ticks


@pytest.mark.parametrize("dark", [False, True])
def test_a_long_name_is_shortened_and_the_sum_written_beside_its_bar(dark: bool) -> None:
    long = split("n" * 40, "all", 1_000, 500, 3_000, broker=2)
    figure = stage_figure.stage_split([long, split("b", "0", 10, 5, 9_999)], dark=dark)
    assert [len(name) for name in figure.layout.yaxis.ticktext] == [26, 1]
    *sums, key = (note.text for note in figure.layout.annotations)
    assert sums == ["4.50 ms", "15 µs"]
    for stage, color in stage_figure.STAGE_COLORS[dark].items():
        assert f'{color}">■</span> {stage}' in key


def test_no_more_bars_are_drawn_than_can_be_read() -> None:
    many = [split(f"p{at}", "1", 1, 1, 1) for at in range(stage_figure.MOST_BARS + 5)]
    assert len(stage_figure.stage_split(many, dark=False).data[0].x) == stage_figure.MOST_BARS


def test_a_profile_whose_stages_took_nothing_is_not_said_to_spend_time() -> None:
    said = stage_words.answer([split("idle", "1", 0, 0, 0), split("busy", "1", 9, 0, 1)], "5 min")
    assert "busy" in said
    assert "idle" not in said
