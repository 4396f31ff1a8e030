"""What is exported says what was measured, and can be read back."""

from __future__ import annotations

import csv
import io
import json
import re
from functools import partial
from html.parser import HTMLParser

import pytest

from producer_agent.advice.compare.analysis import analyse
from producer_agent.advice.compare.export import NoComparison, from_json, to_csv, to_json
from producer_agent.advice.compare.html_report import to_html
from producer_agent.advice.compare.measured import measured as measured_profiles
from producer_agent.advice.compare.side_by_side import side_by_side
from producer_agent.advice.compare.verdict import verdict
from producer_agent.store import comparisons
from producer_agent.store.latency_bins import quantiles
from producer_agent.store.queries.comparisons import Comparison
from producer_agent.store.reader import Reader
from producer_agent.store.runs import register_cluster
from producer_agent.store.writer import Writer
from tests.advice.compare.builders import body, comparison_of, measured, noisy, plan_of


@pytest.fixture
def comparison() -> Comparison:
    plan = plan_of(body("one"), body("two"), body("unsure", acks=0), sweep=[2_000])
    return comparison_of(
        plan,
        noisy(1, [0, 5_000, 0], n=1_200),
        measures=lambda rate, number, profile, n: measured(
            n, rate_reached=rate, failed={"_MSG_TIMED_OUT": number} if profile else {}
        ),
        notes=("measured by Zoë <script>alert(1)</script>",),
        title="<b>one & two</b>",
    )


def test_json_is_read_back_as_it_was_and_judged_the_same(comparison: Comparison) -> None:
    text = to_json(comparison)
    read = from_json(text)
    assert read == comparison
    told = json.loads(text)
    words = verdict(analyse(read))
    assert told["verdict"]["headline"] == words.headline
    difference = told["rates"][0]["profiles"][1]["differences"][0]
    assert difference["told"] is (difference["low_ms"] > 0 or difference["high_ms"] < 0)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"format": "ackboard-comparison", "version": 99}', "null"]
)
def test_what_is_no_export_is_refused(text: str) -> None:
    with pytest.raises(NoComparison, match=r"xport"):
        from_json(text)


def test_csv_has_a_row_a_profile_and_round(comparison: Comparison) -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv(comparison))))
    assert len(rows) == len(comparison.measured) == 2 * 5 * 3
    for row, turn in zip(rows, comparison.measured, strict=True):
        assert row["profile"] == ["one", "two", "unsure"][turn.profile]
        assert (int(row["round"]), float(row["rate_asked"])) == (turn.round, turn.rate)
        assert int(row["sent"]) == turn.measures.sent
        p99 = quantiles(turn.ack, [0.99])[0]
        assert p99 is not None
        assert float(row["ack_p99_ms"]) == pytest.approx(p99 / 1000, abs=1e-3)
    assert rows[-1]["failed"].startswith("_MSG_TIMED_OUT=") or rows[-1]["profile"] == "one"


class _Tags(HTMLParser):
    """Open tags, and every address."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.addresses += [v or "" for name, v in attrs if name in ("src", "href", "xlink:href")]
        if tag not in ("meta", "br", "line", "circle"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("line", "circle"):
            return
        assert self.open.pop() == tag


def test_the_report_stands_alone_and_shows_foreign_text_as_text(comparison: Comparison) -> None:
    page = to_html(comparison)
    tags = _Tags()
    tags.feed(page)
    assert tags.open == []
    assert tags.addresses == []
    assert "script" not in tags.seen
    assert "b" not in tags.seen
    assert not re.search(r"url\(|@import|https?://", page)
    assert "&lt;b&gt;one &amp; two&lt;/b&gt;" in page
    assert "color-scheme: light dark" in page
    assert tags.seen.count("svg") == 2 * 2 + 1
    assert verdict(analyse(comparison)).headline in page


def test_a_report_can_be_made_before_anything_is_measured() -> None:
    empty = comparison_of(plan_of(), noisy(1, [0, 0]), keep=lambda *_: False, state="incomplete")
    assert "Nothing is measured yet." in to_html(empty)
    assert to_csv(empty).count("\n") == 1
    assert from_json(to_json(empty)) == empty


def test_two_are_laid_side_by_side_with_what_changed() -> None:
    first = comparison_of(plan_of(), noisy(1, [0, 0], n=600))
    second = comparison_of(
        plan_of(body("one"), body("two", linger_ms=50), load={"keys": 5}),
        noisy(2, [0, 40_000], n=600),
        environment={**first.summary.environment, "librdkafka": "2.17.0", "topic": "other"},
    )
    found = side_by_side(first, second)
    assert {(entry.what, entry.first, entry.second) for entry in found.differing} == {
        ("librdkafka", "2.16.0", "2.17.0"),
        ("load.keys", "1000", "5"),
        ("profile two, producer.linger_ms", "5.0", "50.0"),
    }
    changes = {(c.name, c.kind, c.percentile): c for c in found.changes}
    two = changes["two", "ack", "p50"]
    assert two.difference.told
    assert two.difference.us == pytest.approx(40_000, rel=0.2)
    assert two.second_us - two.first_us == pytest.approx(40_000, rel=0.2)
    assert not changes["one", "ack", "p50"].difference.told


def test_a_profile_that_only_one_has_is_said_to_be_missing() -> None:
    first = comparison_of(plan_of(), noisy(1, [0, 0]))
    second = comparison_of(plan_of(body("one"), body("three")), noisy(2, [0, 0]))
    found = side_by_side(first, second)
    assert ("profile two", "measured", "not measured") in found.differing
    assert {change.name for change in found.changes} == {"one"}


def test_what_was_measured_is_told_to_whoever_advises(
    comparison: Comparison, writer: Writer, reader: Reader
) -> None:
    cluster = writer.call(
        partial(register_cluster, cluster_id="c1", kind="real", bootstrap_servers="kafka:9092")
    )
    number = writer.call(
        partial(
            comparisons.begin,
            uuid="1" * 32,
            title="t",
            plan=comparison.summary.plan,
            environment=comparison.summary.environment,
            cluster=cluster,
            turns=30,
            expected_end_us=0,
            notes=[],
            made_by="kim",
        )
    )
    for turn in comparison.measured:
        writer.call(partial(comparisons.add_turn, comparison=number, turn=turn))
    found = reader(measured_profiles)
    assert [(m.name, m.rate) for m in found] == [
        (name, rate) for rate in (500, 2_000) for name in ("one", "two", "unsure")
    ]
    one, _, unsure = found[:3]
    assert one.comparison == number
    assert one.ack_p99 is not None
    assert one.ack_p99.low_us is not None
    assert (unsure.ack_p50, unsure.ack_p99) == (None, None)
    assert unsure.end_to_end_p99 is not None
    assert one.body.producer.acks == "all"
    assert (one.cluster_kind, one.events, one.rounds) == ("real", 6_000, 5)
