"""In triage why it failed then, told apart from how its topic is now; the way there."""

from __future__ import annotations

from pathlib import Path

from streamlit.testing.v1 import AppTest

from producer_agent.store import facts
from producer_agent.store.database import open_database
from tests.dashboard import cluster_seed, letter_seed, seed
from tests.dashboard.cluster_seed import diagnosed, topic
from tests.dashboard.conftest import OpenPage, texts


def drawer(letter: int) -> AppTest:
    def body(letter: int) -> None:
        from dashboard.letters import dead_letter_drawer

        dead_letter_drawer.draw(letter)

    return AppTest.from_function(body, args=(letter,), default_timeout=30).run()


def store(path: Path) -> tuple[int, int]:
    """Letters of an event that is kept here, and of one that is not; their ids."""
    failures = (seed.Failures("critical", "NOT_ENOUGH_REPLICAS", 0.2),)
    seed.fill(path, seconds=10, failures=failures)
    db = open_database(path)
    with db.atomic():
        run, sequence = db.execute(
            "SELECT r.uuid, u.sequence FROM undelivered u JOIN runs r ON r.id = u.run "
            "WHERE u.code_name = 'NOT_ENOUGH_REPLICAS' LIMIT 1"
        ).fetchone()
        code = {"error_code": 19, "error_name": "NOT_ENOUGH_REPLICAS", "topic": "task-events"}
        known = letter_seed.failed_event(sequence, letter_id=f"{run}:{sequence}", run=run, **code)
        letter_seed.store(db, [known, letter_seed.failed_event(1, **code)])
    ids = [row[0] for row in db.execute("SELECT id FROM dead_letters ORDER BY id")]
    db.close()
    return ids[0], ids[1]


def test_the_drawer_tells_then_and_now_apart(database: Path) -> None:
    known, unknown = store(database)
    wrong = diagnosed("task-events", 1)
    cluster_seed.write(database, topics=[topic("task-events", (1,))], diagnoses=[wrong])
    app = drawer(known)
    assert not app.exception
    said = texts(app).replace("\\", "").replace("\u2060", "")
    assert "**Then:** The broker refused it (NOT_ENOUGH_REPLICAS)" in said
    assert "**Now:** acks=all is refused on" in said
    assert "[What to do](cluster?about=task-events)" in said
    said = texts(drawer(unknown))
    assert "**Then:**" not in said
    assert "**Now:**" in said

    cluster_seed.write(database, topics=[topic("task-events")])
    said = texts(drawer(known))
    assert "**Now:** nothing is the matter with `task-events`" in said
    assert "**Then:**" in said


def test_the_causes_box_tells_of_its_newest_failure_and_of_its_topic_now(
    database: Path, open_page: OpenPage
) -> None:
    store(database)
    wrong = diagnosed("task-events", 1)
    cluster_seed.write(database, topics=[topic("task-events", (1,))], diagnoses=[wrong])
    app = open_page("views/dead_letters.py", cause="1")
    assert not app.exception
    said = texts(app).replace("\\", "").replace("\u2060", "")
    assert "**Then:** The broker refused it (NOT_ENOUGH_REPLICAS)" in said
    assert "the newest of them" in said
    assert "**Now:** acks=all is refused on" in said
    assert "[What to do](cluster?about=task-events)" in said


def test_while_nobody_looks_the_present_is_not_known(database: Path) -> None:
    known, _ = store(database)
    cluster_seed.write(database, topics=[topic("task-events")])
    db = open_database(database)
    with db.atomic():
        db.execute("UPDATE facts SET at_us = at_us - 60000000 WHERE name = 'diagnosis'")
    db.close()
    assert "**Now:** not known, no agent looks at `task-events`" in texts(drawer(known))


def test_overview_tells_the_worst_and_links_to_what_to_do(
    database: Path, open_page: OpenPage
) -> None:
    failing = [seed.Failures(p, "_TRANSPORT", 0.1) for p in ("critical", "analytics")]
    seed.fill(database, seconds=60, failures=failing)
    db = open_database(database)
    body = {
        "diagnoses": [diagnosed("task-events", 1).to_json(), diagnosed("b", 1, 2).to_json()],
        "topics_left_out": 0,
        "took_ms": 1,
    }
    with db.atomic():
        facts.put(db, "diagnosis", body)
    db.close()
    app = open_page()
    assert not app.exception
    said = texts(app)
    assert "1 of 3 replicas in sync, 2 needed" in said.replace("\\", "")
    assert "[Why, and what to do](cluster?about=task-events). 1 more topic there." in said
    causes = next(f.value for f in app.dataframe if "Triage" in f.value.columns)
    links = dict(zip(causes["Topic"], causes["Now"], strict=True))
    assert links["task-events"] == "cluster?about=task-events"
    assert links["task-analytics"] == ""

    db = open_database(database)
    with db.atomic():
        facts.put(db, "diagnosis", {**body, "diagnoses": []})
    db.close()
    assert "what to do](" not in texts(app.run())
