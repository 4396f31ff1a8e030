"""What can be done with a comparison that is over: take it along, lay it beside, repeat, delete."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Final, NamedTuple

import streamlit as st

from dashboard import context
from dashboard.compare import compare_form
from dashboard.compare.compare_start import BESIDE, PARAMETER
from dashboard.components import press
from dashboard.formats import visible
from producer_agent.advice.compare.export import to_csv, to_json
from producer_agent.advice.compare.html_report import to_html
from producer_agent.advice.compare.plan import ComparisonPlan
from producer_agent.commands import Command
from producer_agent.store.queries import comparisons as queries
from producer_agent.store.queries.comparisons import Comparison, Summary
from producer_agent.store.reader import Reader


class Format(NamedTuple):
    """A file that a comparison can be written to."""

    label: str
    mime: str
    write: Callable[[Comparison], str]


FORMATS: Final[Mapping[str, Format]] = MappingProxyType(
    {
        "csv": Format("CSV: a row a profile and round", "text/csv", to_csv),
        "json": Format("JSON: all of it, with every turn", "application/json", to_json),
        "html": Format("HTML: a report in one file", "text/html", to_html),
    }
)

_BESIDE_KEY: Final = "compare-beside"


def draw(summary: Summary, plan: ComparisonPlan | None, others: Sequence[Summary]) -> None:
    """The row of tools; without a plan that can be read there is nothing to do but delete it."""
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        if plan is not None:
            if st.button(
                "Again…",
                icon=":material/replay:",
                help="Opens the form with what was measured here.",
                key="compare-again",
            ):
                compare_form.open_again(plan)
                st.rerun()
            _export(summary)
            if others:
                _beside(others)
        _delete(summary)


def _export(summary: Summary) -> None:
    opened = st.popover(
        "Export", icon=":material/download:", on_change="rerun", key="compare-export"
    )
    if not opened.open:
        return
    reader = context.reader()
    with opened:
        for suffix, format_ in FORMATS.items():
            st.download_button(
                format_.label,
                partial(_written, reader, summary.id, format_),
                file_name=f"comparison-{summary.id}.{suffix}",
                mime=format_.mime,
                icon=":material/download:",
                on_click="ignore",
                key=f"compare-export-{suffix}",
            )


def _written(reader: Reader, number: int, format_: Format) -> bytes:
    """The file, made when it is asked for; not in the page's run, so nothing is shown here."""
    found = reader(partial(queries.comparison, comparison_id=number))
    if found is None:
        return f"Comparison {number} was deleted meanwhile.\n".encode()
    return format_.write(found).encode()


def _beside(others: Sequence[Summary]) -> None:
    titles = {summary.id: visible(f"{summary.id}: {summary.title}") for summary in others}
    with st.container(width=260):
        st.selectbox(
            "Lay beside",
            list(titles),
            index=None,
            format_func=lambda number: titles.get(number, str(number)),
            placeholder="Lay it beside…",
            on_change=_beside_chosen,
            label_visibility="collapsed",
            key=_BESIDE_KEY,
        )


def _beside_chosen() -> None:
    chosen = st.session_state.pop(_BESIDE_KEY, None)
    if chosen is not None:
        st.query_params[BESIDE] = str(chosen)


def _delete(summary: Summary) -> None:
    with st.popover("Delete…", icon=":material/delete:", key="compare-delete-popover"):
        st.markdown(
            f"Comparison {summary.id} and its {summary.turns_done} measured turns are deleted. "
            "It cannot be undone: export it first if its figures may be asked for."
        )
        st.button(
            "Delete it",
            icon=":material/delete:",
            on_click=_delete_pressed,
            args=(summary.id,),
            key="compare-delete",
        )


def _delete_pressed(number: int) -> None:
    gone = press.once(
        f"compare-delete-{number}",
        lambda: context.act(Command.COMPARE_DELETE, {"comparison": number}),
    )
    if gone is not None:
        st.toast(f"Comparison {number} is deleted.", icon=":material/check_circle:")
        for name in (PARAMETER, BESIDE):
            st.query_params.pop(name, None)
