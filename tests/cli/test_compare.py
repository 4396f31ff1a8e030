"""``compare``: run here or by the agent, told, exported, laid side by side and forgotten."""

from __future__ import annotations

import csv
import json
import re
import signal
import subprocess
from functools import partial
from pathlib import Path

import pytest

from producer_agent.advice.compare.export import from_json
from producer_agent.store.database import StoreError
from producer_agent.store.queries import comparisons as queries
from producer_agent.store.queries.comparisons import Summary
from producer_agent.store.reader import Reader
from tests.cli.conftest import Invoke, Start, document, end
from tests.cli.test_docs import example, keys_of
from tests.waiting import wait_until

SHORT = ("--rate", "200", "--seconds", "0.3", "--warm-up", "0.1")


def running(db: Path) -> Summary | None:
    try:
        return Reader(db)(queries.running)
    except StoreError:  # it is being made just now
        return None


def turns(db: Path) -> int:
    found = running(db)
    return 0 if found is None else found.turns_done


def test_it_measures_here_and_tells_exports_lists_diffs_and_forgets(
    invoke: Invoke, tmp_path: Path, db_path: Path
) -> None:
    """One comparison is measured, as that takes seconds, and everything is asked of it."""
    report = tmp_path / "report.html"
    result = invoke(
        "compare", "analytics", "critical", *SHORT, "--sweep", "100", "--export", report, "--json"
    )
    assert result.exit_code == 0, result.stderr
    told = document(result)
    assert (told["state"], told["turns_done"]) == ("done", 20)
    assert [at["rate"] for at in told["rates"]] == [100, 200]
    assert told["plan"]["baseline"] == "analytics"
    assert any("does not replicate" in caveat for caveat in told["verdict"]["caveats"])
    assert told["verdict"]["headline"] in report.read_text(encoding="utf-8")
    wanted = example("compare", "show")
    for at in told["rates"]:
        for found in at["profiles"]:
            assert set(found) == set(wanted["rates"][0]["profiles"][0])
    assert set(told) == set(wanted)

    shown = invoke("compare", "show", 1)
    assert shown.exit_code == 0
    assert told["verdict"]["headline"] in shown.stdout
    assert "note: The embedded cluster" in shown.stdout

    for suffix in ("csv", "json"):
        assert invoke("compare", "show", 1, "--export", tmp_path / f"c.{suffix}").exit_code == 0
    with (tmp_path / "c.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 20
    read = from_json((tmp_path / "c.json").read_text(encoding="utf-8"))
    assert read == Reader(db_path)(partial(queries.comparison, comparison_id=1))

    listed = document(invoke("compare", "list", "--json"))
    assert (
        keys_of(listed)["comparisons"][0].keys()
        == example("compare", "list")["comparisons"][0].keys()
    )
    assert "done" in invoke("compare", "list").stdout

    beside = document(invoke("compare", "diff", 1, 1, "--json"))
    assert beside["differing"] == []
    assert {change["told"] for change in beside["changes"]} == {False}
    assert set(beside["changes"][0]) == set(example("compare", "diff")["changes"][0])
    assert "the same plan" in invoke("compare", "diff", 1, 1).stdout

    assert invoke("compare", "delete", 1).exit_code == 0
    for asked in (("show", 1), ("delete", 1), ("diff", 1, 1)):
        gone = invoke("compare", *asked)
        assert gone.exit_code == 1
        assert "no comparison 1" in gone.stderr
    assert "Nothing was compared yet" in invoke("compare", "list").stdout


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("critical",), 2, "Give 2 to 5 profiles"),
        (("critical", "nobody"), 1, "There is no profile 'nobody'"),
        (("critical", "critical"), 2, "is there twice"),
        (("critical", "analytics", "--rounds", "3"), 2, "at least 5 rounds"),
        (("critical", "analytics", "--rate", "200000"), 2, "100000"),
        (("critical", "analytics", "--seconds", "900"), 2, "more than 2 h"),
        (("critical", "analytics", "--sweep", "5,x"), 2, "no list of rates"),
        (("critical", "analytics", "--baseline", "metrics"), 2, "Choose one of critical"),
        (("critical", "analytics", "--export", "a.pdf"), 2, "none of .csv, .json, .html"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_anything_is_made(
    invoke: Invoke, db_path: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    result = invoke("compare", *arguments)
    assert result.exit_code == code
    # Usage errors are drawn in a box, whose lines break anywhere.
    words = re.sub(r"[\s│]+", " ", result.stderr)
    assert said in words
    assert not db_path.exists()


def test_ctrl_c_ends_it_and_what_is_measured_is_kept_and_told(start: Start, db_path: Path) -> None:
    process = start("compare", "critical", "analytics", *SHORT, "--rounds", "50", "--json")
    wait_until(lambda: turns(db_path) >= 2, 60, "no turn ends")
    out, said = end(process, signal.SIGINT)
    assert process.returncode == 1, said
    told = json.loads(out)
    assert told["state"] == "cancelled"
    assert told["turns_done"] >= 2
    assert "Comparison 1 is cancelled" in said
    assert "Traceback" not in said


def test_the_agent_measures_where_one_serves(
    agent: subprocess.Popen[str], start: Start, invoke: Invoke, db_path: Path
) -> None:
    process = start(
        "compare", "critical", "analytics", *SHORT, "--rounds", "50", "--pause-runs", "--json"
    )
    wait_until(lambda: turns(db_path) >= 2, 60, "no turn ends")
    refused = invoke("compare", "critical", "analytics", *SHORT)
    assert refused.exit_code == 1
    assert "is running, and two at once" in refused.stderr
    assert "Cancel it first" in invoke("compare", "delete", 1).stderr
    out, said = end(process, signal.SIGINT)
    assert process.returncode == 1, said
    told = json.loads(out)
    assert told["state"] == "cancelled"
    assert any(note.startswith("Paused meanwhile: ") for note in told["notes"])
    assert agent.poll() is None
    assert invoke("compare", "delete", 1).exit_code == 0
