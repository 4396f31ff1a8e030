from __future__ import annotations

from datetime import UTC
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard import formats


@pytest.mark.parametrize(
    ("good", "whole", "said"),
    [
        (0, 0, "–"),
        (10, 10, "100 %"),
        (0, 10, "0.00 %"),
        (9820, 10_000, "98.20 %"),
        (999_006, 1_000_000, "99.900 %"),  # not 99.901: never better than it is
        (99_998, 100_000, "99.9980 %"),
        (9_999_999, 10_000_000, "99.999990 %"),
    ],
)
def test_a_ratio_has_digits_enough_to_show_its_failures(good: int, whole: int, said: str) -> None:
    assert formats.ratio(good, whole) == said


@given(st.integers(1, 10**12), st.integers(1, 10**6))
def test_a_ratio_never_says_100_percent_when_something_failed(good: int, bad: int) -> None:
    shown = formats.ratio(good, good + bad)
    assert shown != "100 %"
    assert float(shown.removesuffix(" %")) < 100


@pytest.mark.parametrize(
    ("us", "said"),
    [
        (None, "–"),
        (1, "1 µs"),
        (999.4, "999 µs"),
        (999.6, "1.00 ms"),
        (14_200, "14.2 ms"),
        (99_960, "100 ms"),
        (999_400, "999 ms"),
        (999_600, "1.00 s"),
        (30_000_000, "30.0 s"),
        (126_000_000, "2.10 min"),
    ],
)
def test_a_latency_has_three_digits_and_the_unit_that_fits(us: float | None, said: str) -> None:
    assert formats.latency(us) == said


@pytest.mark.parametrize(
    ("per_s", "said"),
    [(0, "0/s"), (0.04, "<0.1/s"), (0.5, "0.5/s"), (9.96, "10/s"), (1004.2, "1,004/s")],
)
def test_a_rate_is_whole_unless_it_is_small(per_s: float, said: str) -> None:
    assert formats.rate(per_s) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-3, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (3600, "1 h"),
        (8040, "2 h 14 min"),
        (273_600, "3 d 4 h"),
    ],
)
def test_a_duration_has_the_two_units_that_matter(seconds: float, said: str) -> None:
    assert formats.duration(seconds) == said


def test_a_time_in_the_near_future_is_just_now_since_clocks_differ() -> None:
    assert formats.ago(2_000_000, 1_000_000) == "just now"
    assert formats.ago(1_000_000, 5_000_000) == "4 s ago"
    assert formats.ago(None, 5_000_000) == "never"


@pytest.mark.parametrize(
    ("part", "whole", "said"),
    [(0, 5, "none"), (1, 55, "1 in 55"), (3, 4, "75 in 100"), (4, 4, "all"), (2, 3, "66 in 100")],
)
def test_a_share_of_events_is_said_as_one_in_so_many(part: int, whole: int, said: str) -> None:
    assert formats.one_in(part, whole) == said


def test_figures_of_any_size_are_grouped_or_scaled() -> None:
    assert formats.count(1234) == "1,234"
    assert formats.count(23_400_000) == "23.4 M"
    assert formats.count(5_600_000_000) == "5.6 G"
    assert formats.size(812) == "812 B"
    assert formats.size(1_400) == "1.4 kB"
    assert formats.size(2_000_000) == "2.0 MB"
    assert formats.percent(0.9999) == "99.99 %"
    assert formats.times(1.44) == "1.4"
    assert formats.times(17.6) == "18"


def test_times_are_told_in_the_viewers_zone_and_an_unknown_zone_is_utc() -> None:
    assert formats.viewer_zone("Europe/Berlin") == ZoneInfo("Europe/Berlin")
    assert formats.viewer_zone("Not/AZone") == UTC
    assert formats.viewer_zone("../../etc/passwd") == UTC
    assert formats.viewer_zone(None) == UTC
    at_us = 1_795_493_702_000_000
    assert formats.clock(at_us, UTC) == "04:15:02"
    assert formats.moment(at_us, ZoneInfo("Europe/Berlin")) == "2026-11-24 05:15:02 CET"


def test_what_would_not_be_seen_or_would_reorder_text_is_written_out() -> None:
    assert formats.visible("a\u202eb\x00c\u200b\x7f\n\t") == "a\\u202eb\\x00c\\u200b\\x7f\n\t"
    assert formats.visible("Grüße, 世界 🎉") == "Grüße, 世界 🎉"


@pytest.mark.parametrize("text", ["**b**", "[l](http://x)", ":red[x]", "$x$", "<b>", "`c`", "# h"])
def test_every_sign_that_markdown_reads_is_escaped(text: str) -> None:
    escaped = formats.escape_markdown(text)
    for at, character in enumerate(escaped):
        if not character.isalnum() and character not in " \\\u2060":
            assert escaped[at - 1] == "\\"


@pytest.mark.parametrize("text", ["http://x.y", "www.x.y", "a@b.co", ":smile:", ":+1:", "->"])
def test_what_is_replaced_after_parsing_is_broken_by_a_joiner_that_is_not_seen(text: str) -> None:
    escaped = formats.escape_markdown(text)
    assert "\u2060" in escaped
    assert escaped.replace("\u2060", "").replace("\\", "") == text


def test_escaped_text_is_one_line_so_that_it_cannot_begin_a_block() -> None:
    assert "\n" not in formats.escape_markdown("a\n# b\r\n- c")


@given(st.text(max_size=40))
def test_a_code_span_is_closed_by_its_own_fence_and_nothing_within(text: str) -> None:
    span = formats.code_span(text)
    fence = span[: len(span) - len(span.lstrip("`"))]
    inner = span[len(fence) : -len(fence)]
    assert span.endswith(fence)
    assert fence not in inner
    assert "\n" not in span
