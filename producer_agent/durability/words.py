"""An audit's verdict in words: what was lost, where and when."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from producer_agent.durability.verdicts import Claim, Found, Matrix
from producer_agent.store.audits import FindingRow


def headline(profile: str, matrix: Matrix, lost: Sequence[FindingRow], *, complete: bool) -> str:
    """The answer in one line.

    Args:
        lost: The lost events that are listed.
        complete: Everything was read.
    """
    acknowledged = matrix.of(Claim.DELIVERED)
    if not acknowledged:
        sent = matrix.of(Claim.UNCONFIRMED)
        if not sent:
            return f"{profile} has no acknowledged event to look for."
        there = matrix.of(Claim.UNCONFIRMED, Found.ONCE) + matrix.of(Claim.UNCONFIRMED, Found.MORE)
        missing = matrix.of(Claim.UNCONFIRMED, Found.ABSENT)
        if not missing:
            return f"{profile} sent {sent:,} with acks=0, and {there:,} of them are there."
        return (
            f"{profile} sent {sent:,} with acks=0: {missing:,} never arrived. Nothing had been "
            f"promised of them."
        )
    begin = f"{profile} acknowledged {acknowledged:,} and kept {matrix.kept:,}"
    if matrix.lost:
        return f"{begin}: {matrix.lost:,} lost{_where(lost, matrix.lost)}."
    if matrix.unknown:
        return f"{begin}; of {matrix.unknown:,} it is not known{_why(matrix)}. None is known lost."
    if not complete:
        return f"{begin}; not everything could be read. None is known lost."
    if matrix.duplicated:
        return f"{begin}: none lost, {_times(matrix.duplicated, 'event')} more than once."
    return f"{begin}: none lost, none doubled."


def notes(matrix: Matrix, *, ended: bool) -> list[str]:
    """What else is to be said of it, the worst first.

    Args:
        ended: The run is over: no outcome is still to come.
    """
    found = []
    if n := matrix.phantoms:
        found.append(f"{_times(n, 'event')} reported as not stored {_are(n)} there (phantoms).")
    if n := _there(matrix, Claim.IN_DOUBT):
        found.append(
            f"{_times(n, 'event')} reported failed {_are(n)} there: the error left that open, so "
            f"a replay would have doubled {'it' if n == 1 else 'them'}."
        )
    if n := _there(matrix, Claim.UNRESOLVED):
        found.append(f"{_times(n, 'event')} without a report {_are(n)} there.")
    if (n := _there(matrix, Claim.NONE)) and not ended:
        found.append(
            f"{_times(n, 'event')} {_are(n)} there already, {'its' if n == 1 else 'their'}"
            " outcome not written yet: the run goes on."
        )
    elif n:
        found.append(f"{_times(n, 'event')} {_are(n)} there of which no outcome is recorded.")
    flagged = {flag.name: n for flag, n in matrix.flagged.items()}
    if n := flagged.get("CORRUPT", 0):
        found.append(f"{_times(n, 'event')} {_are(n)} not as sent: the checksum differs.")
    if n := flagged.get("REORDERED", 0):
        found.append(f"{_times(n, 'event')} lie{'s' if n == 1 else ''} behind a later one.")
    if n := flagged.get("OFFSET_DIFFERS", 0):
        found.append(f"{_times(n, 'event')} {_are(n)} not at the offset that was reported.")
    if n := matrix.replayed:
        found.append(f"{_times(n, 'record')} came by a replay, and {_are(n)} counted apart.")
    if n := matrix.foreign:
        found.append(f"{_times(n, 'record')} of other producers or runs, counted apart.")
    if n := matrix.before:
        found.append(
            f"{_times(n, 'record')} of events whose outcomes are no longer kept, left out."
        )
    return found


def _there(matrix: Matrix, claim: Claim) -> int:
    return matrix.of(claim, Found.ONCE) + matrix.of(claim, Found.MORE)


def _why(matrix: Matrix) -> str:
    reasons = {
        Found.TRIMMED: "retention deleted where they were",
        Found.COMPACTED: "the topic is compacted",
        Found.UNSEEN: "they were not read yet",
    }
    told = [words for found, words in reasons.items() if matrix.of(Claim.DELIVERED, found)]
    return f" ({', '.join(told)})"


def _where(lost: Sequence[FindingRow], n: int) -> str:
    """Where and when, as far as those that are listed tell."""
    places = sorted({(row.topic, row.partition) for row in lost if row.topic is not None})
    if not places:
        return ""
    all_ = "all " if len(lost) == n and n > 1 else ""
    topics = {topic for topic, _ in places}
    numbers = [str(partition) for _, partition in places]
    where = f"partition{'s' if len(numbers) > 1 else ''} {_list(numbers)}"
    if len(topics) > 1:
        where = _list([f"{topic}[{partition}]" for topic, partition in places])
    times = [row.sent_us for row in lost if row.sent_us is not None]
    return f", {all_}on {where}{_when(min(times), max(times)) if times else ''}"


def _when(first_us: int, last_us: int) -> str:
    first, last = (datetime.fromtimestamp(us / 1e6, UTC) for us in (first_us, last_us))
    if first.replace(microsecond=0) == last.replace(microsecond=0):
        return f", sent at {first:%H:%M:%S}Z"
    if first.date() == last.date():
        return f", sent between {first:%H:%M:%S} and {last:%H:%M:%S}Z"
    return f", sent between {first:%Y-%m-%d %H:%M:%S} and {last:%Y-%m-%d %H:%M:%S}Z"


def _list(words: Sequence[str]) -> str:
    if len(words) < 2:
        return "".join(words)
    if len(words) > 8:
        return f"{', '.join(words[:8])} and {len(words) - 8} more"
    return f"{', '.join(words[:-1])} and {words[-1]}"


def _times(n: int, what: str) -> str:
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def _are(n: int) -> str:
    return "is" if n == 1 else "are"
