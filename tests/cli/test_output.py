"""What is written cannot steer a terminal, whatever it is made of."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer_agent.cli import output
from producer_agent.cli.dead_letters import payload_text

STEERING = "a\x1b[2J\x07\r\x9b1m\u202egnp\u200b\x7f\ud800"


def is_harmless(text: str) -> bool:
    return not any(
        unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
        for character in text.replace("\n", "").replace("\t", "")
    )


@given(st.text(st.characters()))
def test_no_text_keeps_a_character_that_steers(text: str) -> None:
    assert is_harmless(output.visible(text))


def test_control_and_bidi_characters_are_spelt_out() -> None:
    assert output.visible("a\x1b[2J\u202eb\U000e0001") == "a\\x1b[2J\\u202eb\\U000e0001"


def test_ordinary_text_of_any_script_stays_as_it_is() -> None:
    assert output.visible("naïve 漢字 🙂 x=1") == "naïve 漢字 🙂 x=1"


def test_neither_tables_nor_remarks_nor_json_pass_steering_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    output.print_table(["x"], [[STEERING], ["[bold red]no markup[/]"], ["[/]"]])
    output.print_pairs({"x": STEERING})
    output.say(STEERING)
    output.note(STEERING)
    output.print_json({"x": STEERING})
    said = capsys.readouterr()
    assert is_harmless(said.out)
    assert is_harmless(said.err)
    assert "[bold red]no markup[/]" in said.out


def test_json_reads_back_as_it_was(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_json({"x": STEERING})
    assert json.loads(capsys.readouterr().out) == {"x": STEERING}


@given(st.binary(max_size=5000))
def test_any_payload_can_be_shown_and_steers_nothing(payload: bytes) -> None:
    assert is_harmless(payload_text(payload))


def test_bytes_that_are_no_text_are_dumped_as_hex() -> None:
    assert payload_text(b"\xff\x00AB") == "00000000  ff 00 41 42" + " " * 36 + "  ..AB"


def test_a_long_payload_is_cut_and_says_so_even_in_the_middle_of_a_character() -> None:
    shown = payload_text(("x" + "é" * 4000).encode())
    assert shown.startswith("xé")
    assert "3,905 bytes more" in shown
    assert "\\x" not in shown


@pytest.mark.parametrize(
    ("ms", "told"),
    [(None, "-"), (0.0914, "0.0914 ms"), (5.379, "5.38 ms"), (142.0, "142 ms"), (1250.0, "1.25 s")],
)
def test_latencies_have_three_digits_and_a_unit(ms: float | None, told: str) -> None:
    assert output.latency(ms) == told


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.2, "0 s"), (59.6, "1 min"), (125, "2 min 5 s"), (7200, "2 h"), (100_000, "1 d 3 h")],
)
def test_durations_have_two_units_at_most(seconds: float, told: str) -> None:
    assert output.duration(seconds) == told


def test_a_time_out_of_range_is_told_as_a_number() -> None:
    assert output.moment(2**63 - 1) == f"{2**63 - 1} us"


def test_what_is_no_json_becomes_null_rather_than_an_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    output.print_json({"ratio": float("nan"), "kept": 1})
    assert json.loads(capsys.readouterr().out) == {"ratio": None, "kept": 1}
