"""Facts about now: small JSON documents that the agent replaces whole, each with its time.

======== ===========================================================================================
name     body
======== ===========================================================================================
agent    ``pid, version, state`` (starting, running, stopping), ``started_us, host, blocked`` (why
         the database cannot be written, or null), ``backlog`` (reports not yet committed),
         ``messages`` (list of texts that a page should show)
cluster  ``kind`` (embedded, lab, real), ``bootstrap_servers, cluster_id, controller_id, reachable,
         since_us`` (of its being reachable or not), ``error`` (null or text), ``brokers`` (``id,
         host, port``), ``topics`` (``name, internal, min_insync_replicas`` or null, ``partitions``
         (``id, leader, replicas, isrs``)), ``problems`` (``topic, message, mend, severity``)
runs     list of ``uuid, profile, acks, topic, rate, accepted, outstanding, started_us,
         paused_because`` (or null), ``last_error`` (``[us, text]`` or null)
faults   ``available`` (``kind, title, effect, expected_code, needs_topic, needs_node``, and on the
         lab ``undo``: the words of a button), ``active`` (``kind, topic, since_us``, and on the lab
         ``node`` and ``injected``: false of a node that was found down), ``unavailable_because``
         (null or text); on the lab also ``nodes`` (``id, port, pid, state``: running, paused,
         stopped)
letters  ``topic`` (of the dead-letter queue), ``outbox_waiting, outbox_since_us`` (of the oldest
         waiting), ``publisher_error, consumer_error`` (null or text), ``behind`` (records on the
         topics not yet stored here, or null), ``group`` (consumer group that offsets are committed
         to), ``group_error`` (null or text), ``topics``: each dead-letter topic's ``topic,
         partitions`` (how many), ``stored_to`` (next offset or null, by partition as text),
         ``behind`` (or null), ``retention_ms`` (null: no limit or not told), ``next_deletion_us``
         (when retention may take the first that is not stored; null: it will not, or that is not
         known), ``deleted_unread`` (at most so many were), ``convention`` (that its policy says, or
         null), ``warnings`` (``message, mend``)
diagno-  (its name is ``diagnosis``) ``diagnoses``: of each topic with which something is the matter
sis      now a document as ``advice/diagnosis/diagnosis.py`` makes it, the worst first;
         ``topics_left_out`` (how many more there were than are looked at), ``took_ms``
======== ===========================================================================================
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sqlite_utils import Database

from producer_agent.store.clock import now_us


@dataclass(frozen=True, slots=True)
class Fact:
    """A document and when it was written (UTC microseconds)."""

    body: Any
    at_us: int


def put(db: Database, name: str, body: Any) -> None:
    """Replace a fact."""
    db.execute(
        "INSERT INTO facts (name, body, at_us) VALUES (?, ?, ?) "
        "ON CONFLICT (name) DO UPDATE SET body = excluded.body, at_us = excluded.at_us",
        [name, json.dumps(body), now_us()],
    )


def get(db: Database, name: str) -> Fact | None:
    """A fact, or None if it was never written."""
    row = db.execute("SELECT body, at_us FROM facts WHERE name = ?", [name]).fetchone()
    return None if row is None else Fact(json.loads(row[0]), row[1])
