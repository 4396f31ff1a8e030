"""An audit whose checkpoints and verdict are kept in the database."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

from producer_agent.durability.audit import Audit, AuditImpossible, AuditResult, Checkpoint
from producer_agent.durability.judging import Finding
from producer_agent.durability.verdicts import Place
from producer_agent.store import audits
from producer_agent.store.audits import FindingRow
from producer_agent.store.queries import run_claims
from producer_agent.store.queries.run_claims import RunRecord
from producer_agent.store.reader import Reader
from producer_agent.store.writer import Writer

log = logging.getLogger(__name__)


def audit_run(
    connection: Mapping[str, Any],
    reader: Reader,
    writer: Writer,
    run: RunRecord,
    *,
    stopped: Callable[[], bool] = lambda: False,
    progress: Callable[[float], None] = lambda _share: None,
) -> int:
    """Audit a run, or go on where an audit of it was interrupted; returns the audit's id.

    Args: see :class:`~producer_agent.durability.audit.Audit`.

    Raises:
        AuditImpossible: there is nothing to hold the run against; kept as failed.
        ClusterUnreachable: no broker answered; it is gone on with when it is asked for again.
    """
    number = writer.call(partial(audits.begin, run=run.id))

    def save(at: Checkpoint) -> None:
        assert at.matcher is not None
        writer.call(
            partial(audits.save_checkpoint, audit=number, body=at.to_json(), matcher=at.matcher)
        )

    kept = reader(partial(audits.checkpoint, audit=number))
    audit = Audit(
        connection,
        reader,
        run,
        stopped=stopped,
        progress=progress,
        save=save,
        checkpoint=None if kept is None else Checkpoint.from_json(*kept),
    )
    try:
        result = audit.run()
    except AuditImpossible as error:
        reason = str(error)
        writer.call(partial(audits.give_up, audit=number, reason=reason))
        raise
    sent_us = reader(
        partial(
            run_claims.sent_times,
            run=run.id,
            sequences=[finding.sequence for finding in result.findings],
        )
    )
    writer.call(
        partial(
            audits.finish,
            audit=number,
            accepted=run.accepted,
            records=result.records,
            matrix=result.matrix.to_json(),
            places=[asdict(place) for place in result.places],
            findings=_rows(result, sent_us),
            reason=" ".join(result.not_known) or None,
        )
    )
    return number


def _rows(result: AuditResult, sent_us: Mapping[int, int]) -> list[FindingRow]:
    return [_row(finding, result.places, sent_us) for finding in result.findings]


def _row(finding: Finding, places: list[Place], sent_us: Mapping[int, int]) -> FindingRow:
    told = places[finding.place] if finding.place >= 0 else None
    return FindingRow(
        finding.kind.word,
        finding.sequence,
        finding.claim.name.lower(),
        sent_us.get(finding.sequence),
        None if told is None else told.topic,
        None if told is None else told.partition,
        finding.offset if finding.offset >= 0 else None,
        [(places[at].topic, places[at].partition, offset) for at, offset in finding.found],
    )
