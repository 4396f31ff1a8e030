"""What planning finds out, kept with the plan as JSON for whoever reviews it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class TargetFindings:
    """What is known of one target."""

    records: int = 0
    partitions: int | None = None
    """How many it has; None: it is not there."""
    max_message_bytes: int | None = None
    by_partition: dict[int, int] = field(default_factory=dict)
    """Records by the partition they will go to."""
    kept_partition: int = 0
    """Records that go to the partition number they had."""
    by_key: int = 0
    """Records whose partition was computed from their key."""
    anywhere: int = 0
    """Records without key and without a known partition."""


@dataclass(slots=True)
class Findings:
    """What planning found. Kept with the plan as JSON."""

    targets: dict[str, TargetFindings] = field(default_factory=dict)
    groups: dict[str, list[str]] | None = None
    """Consumer groups that will see the records again, by topic; None: it does not tell."""
    dropped_headers: dict[str, int] = field(default_factory=dict)
    """Records by the name of a header that they are sent without."""
    kept_headers: dict[str, int] = field(default_factory=dict)
    edited: int = 0
    keys_checked: int = 0
    """Records whose key and partition are both known, as far as they were looked at."""
    keys_agree: dict[str, int] = field(default_factory=dict)
    """How many of those each partitioner puts where they were."""
    partitioner: str | None = None
    """The one that keys without a known partition are put by."""
    looked_for: int = 0
    """Records that may lie on their target already, and could be looked for."""
    not_looked_for: int = 0
    """Records that may lie there already and cannot be known there, or it could not be read."""
    look_problem: str | None = None
    compression: str | None = None
    """Set where a record fits its topic compressed only."""


def findings_partitions(findings: Findings) -> dict[str, int]:
    """``{topic: partitions}`` of the targets that are there."""
    return {
        name: target.partitions
        for name, target in findings.targets.items()
        if target.partitions is not None
    }
