from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from producer_agent.store import facts, jobs
from producer_agent.store.clock import now_us
from producer_agent.store.database import open_database
from tests.dashboard import seed
from tests.dashboard.conftest import OpenPage, texts


def plots(app: AppTest) -> list[dict[str, Any]]:
    """The figures of a page, as plotly's JSON."""
    return [json.loads(element.proto.spec) for element in app.get("plotly_chart")]


def labels(app: AppTest) -> dict[str, str]:
    """What the cards' large figures say, by what they are figures of."""
    return {f"{at}: {metric.label}": metric.value for at, metric in enumerate(app.metric)}


def test_a_healthy_quarter_of_an_hour_reads_as_healthy_with_a_card_an_acks_level(
    seeded: Path, open_page: OpenPage
) -> None:
    app = open_page()
    said = texts(app)
    assert not app.exception
    assert [title.value for title in app.title] == ["Overview"]
    assert app.success[0].proto.title == "Healthy: deliveries are within their objectives"
    assert not app.error
    for card in ("**acks=all** · critical", "**acks=1** · analytics", "**acks=0** · metrics"):
        assert card in said
    figures = labels(app)
    assert list(figures) == ["0: Delivered", "1: Delivered", "2: Sent, unconfirmed"]
    assert figures["0: Delivered"].startswith(("99.99", "100 %"))
    assert figures["1: Delivered"].startswith(("99.9", "100 %"))
    assert "%" not in figures["2: Sent, unconfirmed"]
    assert "objective 99.99 %" in said
    assert "as of " in said
    assert "updates every 2 s" in said
    # Three sparklines, shares and latency.
    assert len(plots(app)) == 5
    table = app.dataframe[0].value
    assert "_UNKNOWN_PARTITION" in set(table["Cause"])
    assert "the topic has no such partition; not stored" in set(table["Means"])
    assert all(link.startswith("dead_letters?topic=") for link in table["Triage"])


def test_the_sidebar_tells_the_cluster_its_caveat_and_the_heartbeat(
    seeded: Path, open_page: OpenPage
) -> None:
    said = "\n".join(caption.value for caption in open_page().sidebar.caption)
    assert "embedded cluster** · 3 brokers" in said
    assert "does not replicate" in said
    assert "agent up 2 h 14 min · heartbeat" in said


def test_a_burning_profile_is_named_first_with_its_cause_and_its_mend(
    database: Path, open_page: OpenPage
) -> None:
    seed.fill(database, failures=seed.BURNING, seconds=600)
    app = open_page(range="15 min")
    assert not app.exception
    [alert] = app.error
    assert "analytics is burning its error budget" in alert.proto.title
    assert "NOT_ENOUGH_REPLICAS" in alert.value
    assert "Bring the missing brokers back" in alert.value
    assert app.dataframe[0].value["Cause"][0] == "NOT_ENOUGH_REPLICAS"


def test_the_time_range_comes_from_the_url_and_an_unknown_one_is_the_default(
    database: Path, open_page: OpenPage
) -> None:
    seed.fill(database, seconds=1_800, rate=2.0)
    sent = {}
    for chosen in ("5 min", "15 min", "1 h", "7 d", "a fortnight"):
        app = open_page(range=chosen)
        assert not app.exception, chosen
        sent[chosen] = int(app.metric[2].value.replace(",", ""))
    assert sent["5 min"] < sent["15 min"] < sent["1 h"] == sent["7 d"]
    assert abs(sent["5 min"] - 600) <= 40
    # Between two runs at most some seconds pass.
    assert abs(sent["a fortnight"] - sent["15 min"]) <= 60


def test_a_new_database_says_how_to_begin(empty: Path, open_page: OpenPage) -> None:
    app = open_page()
    assert not app.exception
    assert app.warning[0].proto.title == "No agent has served this database yet"
    assert "make run" in app.warning[0].value
    assert "Nothing was recorded in the last 15 min" in app.info[0].value
    assert not app.metric


def test_without_a_database_file_the_page_says_where_it_is_expected(
    database: Path, open_page: OpenPage
) -> None:
    app = open_page()
    assert not app.exception
    [notice] = app.warning
    assert "there is no database" in notice.proto.title
    assert str(database) in notice.value
    assert "make run" in notice.value


def test_a_file_that_is_no_database_is_told_with_its_mend(
    database: Path, open_page: OpenPage
) -> None:
    database.write_bytes(b"this is not SQLite" * 100)
    app = open_page()
    assert not app.exception
    assert app.error[0].proto.title == "The database cannot be read"
    assert "recover" in app.error[0].value


def test_a_silent_agent_is_the_first_line_and_the_sidebar_says_it_too(
    seeded: Path, open_page: OpenPage
) -> None:
    db = open_database(seeded)
    seed.put_agent(db, silent_s=40)
    db.execute("UPDATE runs SET accepted = accepted + 7 WHERE acks = 'all'")
    db.close()
    app = open_page()
    assert not app.exception
    assert app.error[0].proto.title == "The agent is silent: its last heartbeat was 40 s ago"
    assert "make run" in app.error[0].value
    assert not app.success
    assert "agent silent" in "\n".join(caption.value for caption in app.sidebar.caption)
    # What it left without a report, from its open run.
    assert ":gray[unresolved]\u00a0**7**" in texts(app)


def test_an_unreachable_cluster_is_told_with_its_address_since_when_and_the_mend(
    seeded: Path, open_page: OpenPage
) -> None:
    db = open_database(seeded)
    since_us = now_us() - 240_000_000
    seed.put_cluster(
        db,
        kind="real",
        bootstrap_servers="kafka-1:9092",
        reachable=False,
        since_us=since_us,
        error="Connection refused",
    )
    db.close()
    app = open_page()
    assert not app.exception
    assert app.error[0].proto.title.startswith("The cluster cannot be reached for 4 min, since ")
    for words in ("kafka-1:9092", "Connection refused", "KAFKA_BOOTSTRAP_SERVERS"):
        assert words in app.error[0].value
    assert "not reachable" in "\n".join(caption.value for caption in app.sidebar.caption)


def test_outstanding_events_failed_jobs_and_incidents_are_shown(
    seeded: Path, open_page: OpenPage
) -> None:
    db = open_database(seeded)
    found = facts.get(db, "runs")
    assert found is not None
    facts.put(db, "runs", [run | {"outstanding": 3} for run in found.body])
    jobs.note(db, "retention", "failed", "disk full")
    db.execute(
        "UPDATE rollups SET late_polls = 1 WHERE series = 1 AND (resolution, bucket) IN "
        "(SELECT resolution, max(bucket) FROM rollups WHERE series = 1 GROUP BY 1)"
    )
    db.close()
    app = open_page()
    said = texts(app)
    assert not app.exception
    assert ":gray[unresolved]\u00a0**3**" in said
    assert "The scheduled job `retention` failed" in said
    assert "Worth knowing" in said
    assert "served late once" in said


def test_foreign_names_are_shown_as_text_and_not_as_markdown(
    database: Path, open_page: OpenPage
) -> None:
    failing = [seed.Failures("critical", "_TRANSPORT", 0.2)]
    seed.fill(database, seconds=60, rate=2.0, failures=failing)
    db = open_database(database)
    db.execute("UPDATE series SET profile = '**loud** :red[x]' WHERE profile = 'critical'")
    db.execute("UPDATE failure_rollups SET topic = 'a' || char(8238) || 'b'")
    db.close()
    app = open_page()
    assert not app.exception
    assert "**loud**" not in texts(app)
    assert ":red[x]" not in texts(app)
    assert list(app.dataframe[0].value["Topic"]) == ["a\\u202eb"]


def test_paused_the_page_says_that_it_does_not_update(seeded: Path, open_page: OpenPage) -> None:
    app = open_page()
    [toggle] = [toggle for toggle in app.sidebar.toggle if toggle.label == "Refresh"]
    app = toggle.set_value(False).run()
    assert not app.exception
    assert any(caption.value.endswith("paused") for caption in app.caption)


@pytest.mark.parametrize("acks", ["0"])
def test_with_acks_0_alone_no_share_is_drawn_and_none_is_claimed(
    acks: str, database: Path, open_page: OpenPage
) -> None:
    seed.fill(database, seconds=60, rate=2.0)
    db = open_database(database)
    db.execute(
        "DELETE FROM rollups WHERE series IN (SELECT id FROM series WHERE acks <> ?)", [acks]
    )
    db.close()
    app = open_page()
    assert not app.exception
    assert "nothing proves a delivery" in texts(app)
    assert "unconfirmed" in app.info[0].proto.title
    assert len(plots(app)) == 2
