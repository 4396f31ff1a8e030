"""``replay plan|run|resume|pause|cancel|status`` and ``replay rules``."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from producer_agent.store import commands
from producer_agent.store.reader import Reader
from tests.cli.conftest import Invoke, Start, document, end
from tests.cli.exported_letters import change, seed
from tests.cli.test_docs import example, keys_of
from tests.dashboard.letter_seed import failed_event
from tests.waiting import wait_until

N = 6
KEY = "only-these"


@pytest.fixture
def ids(agent: subprocess.Popen[str], db_path: Path, invoke: Invoke) -> list[int]:
    """Six letters meant for topics that the running agent's cluster has."""
    seed(db_path, [failed_event(at, key=f"{KEY}-{at}".encode()) for at in range(N)])
    rows = document(invoke("dead-letters", "list", "--key", KEY, "--ascending", "--json"))["rows"]
    assert len(rows) == N
    return [row["id"] for row in rows]


@pytest.fixture
def letters(db_path: Path) -> Path:
    """Six letters, and no agent."""
    seed(db_path, [failed_event(at) for at in range(N)])
    return db_path


def told(invoke: Invoke, *arguments: object, code: int = 0) -> Any:
    result = invoke("replay", *arguments, "--json")
    assert result.exit_code == code, result.stderr
    return document(result)


def state(invoke: Invoke, plan: int) -> str:
    return str(told(invoke, "status", plan)["state"])


def test_a_plan_tells_what_it_will_do_and_a_run_what_came_of_it(
    invoke: Invoke, ids: list[int], db_path: Path
) -> None:
    planned = told(
        invoke, "plan", "--key", KEY, "--title", "after the fix", "--rate", 500,
        "--rule", "task-events=task-analytics", "--stop-share", "never", "--why", "OPS-1",
    )  # fmt: skip
    assert keys_of(planned).keys() == example("replay", "plan").keys()
    assert (planned["state"], planned["title"]) == ("planned", "after the fix")
    assert (planned["total"], planned["records"]["planned"]) == (N, N)
    assert planned["exactly_once"] == "ledger"
    assert planned["options"] == {
        "rules": [{"topic": "task-events", "to": "task-analytics"}],
        "rate_per_s": 500.0,
        "stop_share": None,
    }
    assert {topic: target["records"] for topic, target in planned["targets"].items()} == {
        "task-analytics": 4, "activity-metrics": 2,
    }  # fmt: skip
    plan = planned["plan"]
    asked = next(row for row in Reader(db_path)(commands.latest) if row.kind == "replay.plan")
    assert asked.why == "OPS-1"
    statuses = {row["status"] for row in letters_of(invoke)}
    assert statuses == {"new"}, "planning has sent something"

    done = told(invoke, "run", plan)
    assert (done["state"], done["records"]["done"], done["came_back"]) == ("done", N, 0)
    assert {row["status"] for row in letters_of(invoke)} == {"replayed"}

    with_rows = told(invoke, "status", plan, "--records", "done", "--limit", 4)
    assert keys_of(with_rows["rows"]) == keys_of(example("replay", "status")["rows"])
    assert [row["sequence"] for row in with_rows["rows"]] == [0, 1, 2, 3]
    assert told(invoke, "status", plan, "--records", "failed")["rows"] == []
    listed = told(invoke, "status")
    assert (listed["total"], listed["plans"][0]["plan"]) == (1, plan)

    again = told(invoke, "plan", *ids)
    assert again["records"]["refused"] == N
    assert [refusal["records"] for refusal in again["refusals"]] == [N]
    assert f"by plan {plan}" in again["refusals"][0]["reason"]
    text = invoke("replay", "plan", *ids).stdout
    assert "nothing of it can be sent" in text
    assert f"it was replayed before, by plan {plan}" in text


def letters_of(invoke: Invoke) -> list[dict[str, Any]]:
    found = document(invoke("dead-letters", "list", "--key", KEY, "--json"))["rows"]
    assert isinstance(found, list)
    return found


def test_a_plan_is_begun_paused_resumed_and_cancelled(invoke: Invoke, ids: list[int]) -> None:
    plan = told(invoke, "plan", *ids, "--rate", 0.5)["plan"]
    assert told(invoke, "run", plan, "--no-wait")["state"] == "running"
    paused = told(invoke, "pause", plan)
    assert paused["state"] == "paused"
    assert paused["records"]["planned"] > 0
    assert invoke("replay", "pause", plan).exit_code == 1
    assert told(invoke, "resume", plan, "--no-wait")["state"] == "running"
    cancelled = told(invoke, "cancel", plan, "--why", "a test")
    assert cancelled["state"] == "cancelled"
    assert cancelled["records"]["cancelled"] > 0
    result = invoke("replay", "run", plan)
    assert result.exit_code == 1
    assert f"Plan {plan} is cancelled" in result.stderr


def test_ctrl_c_leaves_the_plan_running_and_says_how_to_pause_it(
    invoke: Invoke, ids: list[int], start: Start
) -> None:
    """And what somebody else does to it ends the watching with 1."""
    plan = told(invoke, "plan", *ids, "--rate", 0.2)["plan"]
    watching = start("replay", "run", plan)
    wait_until(lambda: state(invoke, plan) == "running", 30, "it does not run")
    out, err = end(watching, signal.SIGINT)
    assert watching.returncode == 1, err
    assert f"`replay pause {plan}`" in err
    assert out == ""
    assert told(invoke, "run", plan, "--no-wait")["state"] == "running", "it runs already"
    told(invoke, "pause", plan)
    watching = start("replay", "resume", plan)
    wait_until(lambda: state(invoke, plan) == "running", 30, "it does not go on")
    told(invoke, "pause", plan)
    _, err = watching.communicate(timeout=30)
    assert watching.returncode == 1
    assert f"Plan {plan} is paused" in err
    assert f"`replay resume {plan}` goes on" in err


def test_records_that_fail_end_a_run_with_1_and_say_where_to_look(
    invoke: Invoke, ids: list[int], db_path: Path
) -> None:
    plan = told(invoke, "plan", *ids)["plan"]
    change(db_path, "UPDATE replays SET target_partition = 99 WHERE sequence = 2")
    result = invoke("replay", "run", plan)
    assert result.exit_code == 1
    assert f"1 records failed; `replay status {plan} --records failed` says why" in result.stderr
    shown = invoke("replay", "status", plan, "--records", "failed").stdout
    assert "_UNKNOWN_PARTITION" in shown
    assert f"{N - 1} sent, 1 failed" in shown


def test_a_rule_is_made_changed_listed_and_removed(invoke: Invoke, ids: list[int]) -> None:
    assert told(invoke, "rules", "list") == {"rules": []}
    number = document(invoke("dead-letters", "list", "--key", KEY, "--json"))["causes"][0]["id"]
    made = told(invoke, "rules", "set", number, "--delay", 3600, "--per-hour", 7, "--to", "x")
    told(invoke, "rules", "set", number, "--delay", 7200, "--per-hour", 8, "--off")
    (rule,) = told(invoke, "rules", "list")["rules"]
    assert keys_of(rule) == keys_of(example("replay", "rules", "list")["rules"][0])
    assert (rule["rule"], rule["enabled"], rule["delay_s"], rule["cap_per_hour"]) == (
        made["rule"], False, 7200.0, 8,
    )  # fmt: skip
    assert rule["options"] == {}, "what was said of it before is gone"
    assert rule["cause"] == number
    assert "2 h" in invoke("replay", "rules", "list").stdout
    told(invoke, "rules", "remove", rule["rule"])
    gone = invoke("replay", "rules", "remove", rule["rule"])
    assert (gone.exit_code, "There is no replay rule" in gone.stderr) == (1, True)


@pytest.mark.parametrize(
    "arguments", [["plan", "1"], ["rules", "remove", "1"], ["rules", "set", "1"]]
)
def test_without_an_agent_nothing_is_sent_and_the_mend_is_named(
    invoke: Invoke, letters: Path, arguments: list[str]
) -> None:
    result = invoke("replay", *arguments)
    assert result.exit_code == 1
    assert "python -m producer_agent serve" in result.stderr
    assert Reader(letters)(commands.latest) == []


@pytest.mark.parametrize("command", ["run", "resume", "pause", "cancel", "status"])
def test_a_plan_that_is_not_there_is_named(invoke: Invoke, letters: Path, command: str) -> None:
    result = invoke("replay", command, 77)
    assert result.exit_code == 1
    assert "There is no replay plan 77" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "Say which letters"),
        (["1", "--everything"], "Say which letters"),
        (["1", "--topic", "x"], "Say which letters"),
        (["1", "--rule", "orders"], "FROM=TO"),
        (["1", "--ramp", "1,x"], "numbers with commas"),
        (["1", "--ramp", "0"], "ramp"),
        (["1", "--stop-share", "lots"], "never"),
        (["1", "--stop-share", "2"], "stop_share"),
        (["1", "--rate", "0"], "rate_per_s"),
        (["1", "--partition", "any"], "partition"),
        (["1", "--exactly-once", "hope"], "exactly_once"),
        (["1", "--force", "x"], "force"),
    ],
)
def test_what_cannot_be_planned_is_bad_usage_and_says_why(
    invoke: Invoke, letters: Path, arguments: list[str], words: str
) -> None:
    result = invoke("replay", "plan", *arguments)
    assert result.exit_code == 2
    assert words in result.stderr.replace("\n", " ")
    assert Reader(letters)(commands.latest) == []


@pytest.mark.parametrize("arguments", [["1", "--records", "odd"], ["--records", "done"]])
def test_records_of_no_state_or_no_plan_are_bad_usage(
    invoke: Invoke, letters: Path, arguments: list[str]
) -> None:
    assert invoke("replay", "status", *arguments).exit_code == 2


def test_without_plans_the_list_says_how_to_make_one(invoke: Invoke, letters: Path) -> None:
    assert told(invoke, "status") == {"total": 0, "plans": []}
    assert "`replay plan` makes one" in invoke("replay", "status").stdout
