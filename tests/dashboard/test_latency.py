from __future__ import annotations

import json
from pathlib import Path

from producer_agent.store.database import open_database
from tests.dashboard import broker_seed, seed
from tests.dashboard.conftest import OpenPage, texts

PAGE = "views/latency.py"


def test_the_first_line_tells_median_and_p99_and_the_table_the_percentiles(
    seeded: Path, open_page: OpenPage
) -> None:
    app = open_page(PAGE)
    said = texts(app)
    assert not app.exception
    assert app.title[0].value == "Latency"
    assert "In the last 15 min an acknowledgement took: **acks=all** 14." in said
    assert "Failed events have no acknowledgement: they are left out" in said
    acknowledged, delays = (table.value for table in app.dataframe)
    assert list(acknowledged[""]) == ["acks=all", "acks=1", "acks=0"]
    assert list(acknowledged.columns) == [
        "", "p50", "p90", "p95", "p99", "p99.9", "largest", "events", "failed",
    ]  # fmt: skip
    assert acknowledged["p50"][0].startswith(("13.", "14."))
    assert acknowledged["p50"][2].endswith("µs")
    events, failed = acknowledged["events"][1], acknowledged["failed"][1]
    assert int(events.replace(",", "")) + int(failed) <= 900 * 20
    assert int(failed) > 0
    assert "failed" not in delays.columns
    assert delays["p50"][0].endswith("µs")


def test_by_profile_and_another_heat_map_come_from_the_url(
    seeded: Path, open_page: OpenPage
) -> None:
    app = open_page(PAGE, by="profile", heat="acks=0", range="5 min")
    assert not app.exception
    assert list(app.dataframe[0].value[""]) == [
        "critical · acks=all",
        "analytics · acks=1",
        "metrics · acks=0",
    ]
    ecdf, heat = (json.loads(element.proto.spec) for element in app.get("plotly_chart"))
    assert [trace["name"] for trace in ecdf["data"]] == list(app.dataframe[0].value[""])
    assert heat["data"][0]["type"] == "heatmap"
    assert heat["data"][0]["colorscale"][1][1] == "#E69F00"


def test_a_heat_map_of_a_level_not_in_use_says_so(database: Path, open_page: OpenPage) -> None:
    seed.fill(database, seconds=60, rate=2.0)
    db = open_database(database)
    db.execute("DELETE FROM latency_bins WHERE series IN (SELECT id FROM series WHERE acks = '1')")
    db.close()
    app = open_page(PAGE, heat="acks=1")
    assert not app.exception
    assert "No acknowledgement under acks=1 in this time." in texts(app)


def test_by_broker_the_one_that_is_slow_and_fails_is_told_first_and_drawn_apart(
    database: Path, open_page: OpenPage
) -> None:
    broker_seed.fill(database)
    app = open_page(PAGE, by="broker")
    assert not app.exception
    [told] = app.warning
    assert "**Broker 2 stands out: " in told.value
    assert "of its events failed** under profile `critical`, none elsewhere." in told.value
    assert "**And its p99 is " in told.value
    [table] = (frame.value for frame in app.dataframe)
    assert list(table[""]) == [
        "broker 1",
        "broker 2  ◀ stands out",
        "broker 3",
        "leader changed meanwhile",
    ]
    assert list(table["success"])[::2] == ["100 %", "100 %"]
    assert table["success"][3] == "–", "nobody is held to account for it"
    [figure] = (json.loads(element.proto.spec) for element in app.get("plotly_chart"))
    red = {
        trace["name"]
        for trace in figure["data"]
        if "lines" in trace["mode"] and trace["line"]["color"] == "#C0392B"
    }
    assert red == {"broker 2"}
    assert "leader changed meanwhile*: another broker took over" in texts(app)


def test_brokers_that_are_alike_do_not_stand_out_and_levels_are_shown_apart(
    database: Path, open_page: OpenPage
) -> None:
    broker_seed.fill(database, alike=True)
    app = open_page(PAGE, by="broker")
    assert not app.warning
    assert "In the last 15 min **no broker stood out** of 3: the median of each" in texts(app)
    assert list(app.dataframe[0].value[""]) == ["broker 1", "broker 2", "broker 3"]
    app = open_page(PAGE, by="broker", **{"broker-acks": "acks=0"})
    assert "success" not in app.dataframe[0].value
    assert sum(int(n.replace(",", "")) for n in app.dataframe[0].value["sent"]) > 10_000


def test_without_a_leader_recorded_by_broker_says_what_to_do(
    empty: Path, open_page: OpenPage
) -> None:
    app = open_page(PAGE, by="broker")
    assert not app.exception
    assert "No event was put down to a broker in the last 15 min" in texts(app)
    assert "`canary`" in app.info[0].value


def test_an_empty_database_says_what_to_do(empty: Path, open_page: OpenPage) -> None:
    app = open_page(PAGE)
    assert not app.exception
    assert "No acknowledgement was measured in the last 15 min" in texts(app)
    assert any("[Profiles](profiles)" in info.value for info in app.info)
    assert app.warning[0].proto.title == "No agent has served this database yet"


def test_without_a_database_the_page_says_so_instead_of_breaking(
    database: Path, open_page: OpenPage
) -> None:
    app = open_page(PAGE)
    assert not app.exception
    assert "there is no database" in texts(app)


def test_a_silent_agent_and_an_unreachable_cluster_are_told_above_the_figures(
    seeded: Path, open_page: OpenPage
) -> None:
    db = open_database(seeded)
    seed.put_cluster(db, reachable=False)
    app = open_page(PAGE)
    assert app.error[0].proto.title.startswith("The cluster cannot be reached")
    assert "Cluster, Faults" in app.error[0].value
    seed.put_agent(db, silent_s=60)
    db.close()
    app = app.run()
    assert not app.exception
    [alert] = app.error
    assert alert.proto.title.startswith("The agent is silent")
    assert app.dataframe
