"""The configuration librdkafka gets from a profile, saved and running side by side."""

from __future__ import annotations

import streamlit as st

from dashboard.formats import NOTHING, visible
from producer_agent.delivery.profiles import ProducerSettings


def effective_settings(
    saved: ProducerSettings, running: ProducerSettings | None = None, *, key: str
) -> None:
    """A table of properties; with what runs beside it where that differs.

    The connection (bootstrap.servers, TLS, SASL) is the agent's and is not in a profile.
    """
    wanted, now = saved.librdkafka(), running.librdkafka() if running is not None else {}
    names = sorted({*wanted, *now})
    differs = running is not None and now != wanted
    columns = {
        "Property": [visible(name) for name in names],
        "Saved" if differs else "Value": [_value(wanted.get(name)) for name in names],
    }
    if differs:
        columns["Running now"] = [_value(now.get(name)) for name in names]
        columns["Differs"] = ["yes" if wanted.get(n) != now.get(n) else "" for n in names]
    st.dataframe(columns, hide_index=True, height="content", key=key)


def _value(value: object) -> str:
    if value is None:
        return NOTHING
    return str(value).lower() if isinstance(value, bool) else visible(str(value))
