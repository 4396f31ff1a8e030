from __future__ import annotations

import json
from pathlib import Path

from producer_agent.store.database import open_database
from tests.dashboard import seed
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
