"""The verdict in words says what the matrix says, and no more."""

from __future__ import annotations

import pytest

from producer_agent.durability.verdicts import Claim, Flag, Found, Matrix
from producer_agent.durability.words import headline, notes
from producer_agent.store.audits import FindingRow

NOON_US = 1_764_072_000_000_000
"""2025-11-25 12:00:00 UTC."""


def matrix(*cells: tuple[Claim, Found, int], **others: int) -> Matrix:
    made = Matrix(**others)  # type: ignore[arg-type]
    for claim, found, n in cells:
        made.add(claim, found, n)
    return made


def lost(sequence: int, partition: int, seconds: float, topic: str = "orders") -> FindingRow:
    at_us = NOON_US + int(seconds * 1e6)
    return FindingRow("lost", sequence, "delivered", at_us, topic, partition, 7, ())


KEPT = (Claim.DELIVERED, Found.ONCE, 1_000)


@pytest.mark.parametrize(
    ("cells", "rows", "complete", "expected"),
    [
        ([KEPT], [], True, "shop acknowledged 1,000 and kept 1,000: none lost, none doubled."),
        (
            [KEPT, (Claim.DELIVERED, Found.MORE, 3)],
            [],
            True,
            "shop acknowledged 1,003 and kept 1,003: none lost, 3 events more than once.",
        ),
        (
            [KEPT, (Claim.DELIVERED, Found.ABSENT, 2)],
            [lost(1, 2, 0), lost(2, 2, 2)],
            True,
            "shop acknowledged 1,002 and kept 1,000: 2 lost, all on partition 2, sent between "
            "12:00:00 and 12:00:02Z.",
        ),
        (
            [(Claim.DELIVERED, Found.ABSENT, 9)],
            [lost(1, 0, 0), lost(2, 1, 0.5)],
            True,
            "shop acknowledged 9 and kept 0: 9 lost, on partitions 0 and 1, sent at 12:00:00Z.",
        ),
        (
            [(Claim.DELIVERED, Found.ABSENT, 2)],
            [lost(1, 0, 0), lost(2, 1, 86_400, topic="audit")],
            True,
            "shop acknowledged 2 and kept 0: 2 lost, all on audit[1] and orders[0], sent between "
            "2025-11-25 12:00:00 and 2025-11-26 12:00:00Z.",
        ),
        (
            [KEPT, (Claim.DELIVERED, Found.TRIMMED, 4)],
            [],
            True,
            "shop acknowledged 1,004 and kept 1,000; of 4 it is not known (retention deleted "
            "where they were). None is known lost.",
        ),
        (
            [KEPT],
            [],
            False,
            "shop acknowledged 1,000 and kept 1,000; not everything could be read. None is known "
            "lost.",
        ),
        (
            [(Claim.UNCONFIRMED, Found.ONCE, 5), (Claim.UNCONFIRMED, Found.ABSENT, 2)],
            [],
            True,
            "shop sent 7 with acks=0: 2 never arrived. Nothing had been promised of them.",
        ),
        (
            [(Claim.UNCONFIRMED, Found.ONCE, 5)],
            [],
            True,
            "shop sent 5 with acks=0, and 5 of them are there.",
        ),
        (
            [(Claim.FAILED, Found.ABSENT, 5)],
            [],
            True,
            "shop has no acknowledged event to look for.",
        ),
    ],
)
def test_the_headline_is_the_answer(
    cells: list[tuple[Claim, Found, int]], rows: list[FindingRow], complete: bool, expected: str
) -> None:
    assert headline("shop", matrix(*cells), rows, complete=complete) == expected


def test_what_else_there_is_to_say_is_said_once_and_counts_right() -> None:
    made = matrix(
        (Claim.FAILED, Found.ONCE, 1),
        (Claim.IN_DOUBT, Found.MORE, 2),
        (Claim.UNRESOLVED, Found.ONCE, 3),
        (Claim.NONE, Found.ONCE, 4),
        replayed=5,
        foreign=1,
        before=6,
    )
    made.flagged = {Flag.CORRUPT: 1, Flag.REORDERED: 2, Flag.OFFSET_DIFFERS: 3, Flag.REPLAYED: 5}
    assert notes(made, ended=True) == [
        "1 event reported as not stored is there (phantoms).",
        "2 events reported failed are there: the error left that open, so a replay would have "
        "doubled them.",
        "3 events without a report are there.",
        "4 events are there of which no outcome is recorded.",
        "1 event is not as sent: the checksum differs.",
        "2 events lie behind a later one.",
        "3 events are not at the offset that was reported.",
        "5 records came by a replay, and are counted apart.",
        "1 record of other producers or runs, counted apart.",
        "6 records of events whose outcomes are no longer kept, left out.",
    ]
    assert "the run goes on" in notes(made, ended=False)[3]
    assert notes(Matrix(), ended=True) == []
