"""The tables, as sqlite-utils migrations: each runs once, in a transaction of its own.

Conventions: times are UTC microseconds (``*_us``); keys, values and headers are bytes as they
came (headers as a JSON list of ``[name, base64 or null]``); a nullable column means "not known".

Migrations run in the order in which their files are imported here, so a new one goes at the end
of the last file or into a file of its own after it.
"""

from __future__ import annotations

from producer_agent.store.schema import (
    m01_recording,
    m07_dead_letter_records,
    m08_dead_letter_topics,
    m09_triage,
    m10_replay_plans,
    m11_letter_counts,
    m12_letter_search,
    m13_comparisons,
    m14_cluster_changes,
    m15_applications,
    m16_broker_rollups,
    m17_client_statistics,
    m18_audits,
)
from producer_agent.store.schema.base import LOT_CAPACITY, migrations

__all__ = [
    "LOT_CAPACITY",
    "m01_recording",
    "m07_dead_letter_records",
    "m08_dead_letter_topics",
    "m09_triage",
    "m10_replay_plans",
    "m11_letter_counts",
    "m12_letter_search",
    "m13_comparisons",
    "m14_cluster_changes",
    "m15_applications",
    "m16_broker_rollups",
    "m17_client_statistics",
    "m18_audits",
    "migrations",
]
