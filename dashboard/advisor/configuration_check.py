"""Check mine: a pasted configuration, judged setting by setting. It stays in this session."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import streamlit as st

from dashboard.formats import NOTHING, code_span, count, escape_markdown, visible
from producer_agent.advice.check.configuration_check import check, read
from producer_agent.advice.check.configuration_text import LARGEST_BYTES
from producer_agent.advice.check.pasted import ConfigurationUnreadable
from producer_agent.advice.check.verdicts import JudgedSetting, Judgement

_FORMATS: Final = {
    "python": "a Python dict or program",
    "librdkafka": "librdkafka properties",
    "java": "a Java producer's properties or code",
    "spring": "Spring properties",
    "json": "JSON",
    "toml": "TOML",
    "csharp": "C#",
    "javascript": "JavaScript",
    "connect": "Kafka Connect's producer settings",
    "profile": "a profile of Ackboard's",
}
_WORDS: Final = {
    "refused": "✗ refused",
    "unknown": "? unknown",
    "java-only": "⇄ java-only",
    "dangerous": "⚠ dangerous",
    "no-effect": "∅ no effect",
    "default": "= default",
    "fine": "✓ fine",
}
_WORST_FIRST: Final = tuple(_WORDS)
_MEND: Final = ("refused", "unknown", "java-only", "dangerous", "no-effect")
_MOST_CARDS: Final = 60
_SHOWN_HEIGHT: Final = 400
_LANGUAGES: Final = {"python": "python", "json": "json", "profile": "json"}


def draw() -> None:
    """The text, and what is said of it; the answer stands above."""
    top = st.container(key="advisor-check-answer")
    st.caption(
        "Paste it, or give its file: a Python dict or program, librdkafka or Java properties or "
        "code, Spring YAML, JSON, TOML, C#, JavaScript, Go, a command line. It is read here, "
        "and neither run nor stored; secrets are masked as they are read."
    )
    uploaded = st.file_uploader(
        "Configuration file",
        key="advisor-check-file",
        max_upload_size=1,
        accept_multiple_files=False,
    )
    if uploaded is None:
        text = st.text_area(
            "Configuration",
            height=220,
            key="advisor-check-text",
            placeholder='conf = {\n    "bootstrap.servers": "kafka:9092",\n    "acks": "1",\n}',
        )
    else:
        text = uploaded.getvalue()[: LARGEST_BYTES + 1].decode("utf-8", "replace")
    if not (text or "").strip():
        top.info(
            "Nothing is pasted yet. Each setting will be judged: refused by librdkafka, unknown, "
            "Java's only, without effect, dangerous, a default restated, or fine; with what to "
            "write instead, and a corrected configuration to copy.",
            icon=":material/content_paste:",
        )
        return
    try:
        judgement = check(read(text or ""))
    except ConfigurationUnreadable as error:
        top.error(escape_markdown(str(error)), title="It cannot be read", icon=":material/error:")
        return
    with top:
        _verdict(judgement)
    result(judgement)


def result(judgement: Judgement) -> None:
    """What to mend, every setting, the corrected configuration, what runs."""
    for note in judgement.notes:
        st.caption(f":material/info: {escape_markdown(note)}")
    settings = sorted(judgement.settings, key=lambda s: (_WORST_FIRST.index(s.verdict), s.line))
    _to_mend([setting for setting in settings if setting.verdict in _MEND])
    _table(settings)
    _corrected(judgement)
    _effective(judgement)


def _verdict(judgement: Judgement) -> None:
    kind = _FORMATS[judgement.format]
    dangerous = sum(setting.verdict == "dangerous" for setting in judgement.settings)
    read_as = f"Read as {kind}, {count(len(judgement.settings))} settings."
    if judgement.accepted and not dangerous:
        st.success(f"**librdkafka takes it**, and nothing is dangerous. {read_as}")
    elif judgement.accepted:
        many = "1 setting is" if dangerous == 1 else f"{count(dangerous)} settings are"
        st.warning(f"**librdkafka takes it, and {many} dangerous.** {read_as}")
    else:
        where = "where its files are; here " if judgement.runnable else ""
        can = "It can be run " if judgement.runnable else ""
        st.error(
            f"**{can}{where}librdkafka refuses it:** "
            f"{escape_markdown((judgement.error or '').rstrip('.'))}. {read_as}"
        )


def _to_mend(settings: Sequence[JudgedSetting]) -> None:
    if not settings:
        return
    st.subheader("To mend", anchor=False)
    grid = st.grid(2, min_column_width=340)
    for setting in settings[:_MOST_CARDS]:
        with grid.cell(), st.container(border=True, height="stretch", gap="small"):
            value = setting.name if setting.value is None else f"{setting.name}={setting.value}"
            st.markdown(f"{_WORDS[setting.verdict]} {code_span(value[:200])}")
            st.caption(f"Line {setting.line}. {escape_markdown(setting.reason)}")
            if setting.translation is not None:
                st.markdown(f":material/edit: {code_span(setting.translation[:300])}")
    if len(settings) > _MOST_CARDS:
        st.caption(f"The first {_MOST_CARDS} of {count(len(settings))}; the table has all.")


def _table(settings: Sequence[JudgedSetting]) -> None:
    st.subheader("Every setting", anchor=False)
    st.dataframe(
        {
            "Verdict": [_WORDS[s.verdict] for s in settings],
            "Setting": [visible(s.name) for s in settings],
            "Value": [NOTHING if s.value is None else visible(s.value) for s in settings],
            "Reason": [visible(s.reason) for s in settings],
            "Write instead": [visible(s.translation or "") for s in settings],
            "Line": [s.line for s in settings],
        },
        hide_index=True,
        height="content" if len(settings) <= 12 else _SHOWN_HEIGHT,
        key="advisor-check-settings",
    )


def _corrected(judgement: Judgement) -> None:
    st.subheader("Corrected", anchor=False)
    if judgement.corrected.error is not None:
        st.warning(
            f"librdkafka still refuses it, and only you can decide: "
            f"{escape_markdown(judgement.corrected.error)}."
        )
    elif not judgement.corrected.changes:
        st.caption("Nothing had to be changed.")
    st.code(
        judgement.corrected.text,
        language=_LANGUAGES.get(judgement.format, "properties"),
        height="content" if len(judgement.corrected.settings) <= 20 else _SHOWN_HEIGHT,
    )
    st.download_button(
        "Download the corrected one",
        judgement.corrected.text,
        file_name="corrected.json" if judgement.format == "json" else "corrected.txt",
        mime="text/plain",
        icon=":material/download:",
        on_click="ignore",
        key="advisor-check-download",
    )


def _effective(judgement: Judgement) -> None:
    with st.expander("What librdkafka would run with, in full", icon=":material/code:"):
        words = {"given": "written", "derived": "follows from it", "default": "default"}
        st.dataframe(
            {
                "Property": [visible(value.name) for value in judgement.effective],
                "Value": [
                    NOTHING if value.value is None else visible(value.value)
                    for value in judgement.effective
                ],
                "From": [words[value.source] for value in judgement.effective],
            },
            hide_index=True,
            height=_SHOWN_HEIGHT,
            key="advisor-check-effective",
        )
        for left in judgement.not_tried:
            st.caption(
                f"Not put to librdkafka: {code_span(left.name)}, since "
                f"{escape_markdown(left.reason)}."
            )
