"""The attempts behind failures in words: of one record, and of a group."""

from __future__ import annotations

from dashboard.diagnosis.timeout_figure import Life
from dashboard.formats import code_span, count, latency, ratio
from producer_agent.advice.diagnosis.timeouts import AttemptsSum
from producer_agent.store.queries.cluster_changes import ChangeRow

_SHOWN_CAUSES = 4


def summary(life: Life) -> str:
    """How many attempts there were in which time, what they ended in, what they left open."""
    told = life.told
    waited = f"in the {latency(life.ended_us)} from produce() to its outcome"
    if told.never_sent:
        return f"**No request held it** {waited}: it never left the client's queue."
    causes = ", ".join(
        f"{code_span(cause.cause)} ×{count(cause.attempts)}"
        for cause in told.causes[:_SHOWN_CAUSES]
    )
    n = told.attempts
    whose = "" if told.exact else " on its partition"
    first = (
        f" The first was over after {latency(max(told.first_us - life.sent_us, 0))}."
        if told.first_us is not None
        else ""
    )
    doubtful = sum(cause.attempts for cause in told.causes if cause.may_be_stored)
    stored = (
        f"**{count(doubtful) if doubtful < n else 'each'} of a cause that may have stored it.**"
        if told.may_be_stored
        else "None of them can have stored it."
    )
    return (
        f"**{count(n)} attempt{'' if n == 1 else 's'}{whose}** {waited}: {causes}.{first} {stored}"
    )


def caption(life: Life, *, known_here: bool, watched: bool) -> str:
    """How to read the picture, and what is not known."""
    told = life.told
    said = []
    if told.each and told.exact:
        said.append(
            "A mark is the moment an attempt was over; librdkafka does not tell when it was sent: "
            "within the pale bar before it."
        )
    elif told.each:
        said.append(
            "A mark is the moment an attempt on the record's partition was over. Which of them "
            "held this record is not known: librdkafka numbers records only under idempotence."
        )
    elif not told.never_sent:
        said.append(
            "Attempts were not told one by one by the release that recorded this: a bar goes from "
            "the first to the last of a cause."
        )
    if life.backoff_us is not None and told.each and told.exact:
        said.append("The back-off is retry.backoff.ms; librdkafka varies and doubles it.")
    if not known_here:
        said.append(
            "Its event is not (or no longer) in this database: its time-out, its end and the "
            "cluster's state then are not known; the bar ends with the last attempt."
        )
    elif not watched:
        said.append("Who led its partition is not known: nobody watched the cluster all that time.")
    else:
        said.append("Brokers are looked at every 2 s: what changed is drawn where it was seen.")
    return " ".join(said)


def change(row: ChangeRow) -> str:
    """What was seen on the cluster: ``broker 2 left``."""
    broker = "" if row.broker is None else f" {row.broker}"
    kind, _, what = row.kind.partition("_")
    return f"{kind}{broker} {what}"


def group_title(summed: AttemptsSum) -> str:
    """The expander's label."""
    n = summed.failures
    return f"Attempts behind {count(n)} failure{'' if n == 1 else 's'} of this cause"


def group_summary(summed: AttemptsSum) -> str:
    """How many attempts, how soon the first cause, how many may be stored."""
    said = []
    if summed.with_attempts:
        attempts = summed.median_attempts or 0
        said.append(
            f"**{attempts:,.0f} attempt{'' if attempts == 1 else 's'}** each at the median"
            + (
                f", the first over **{latency(summed.median_first_us)}** after produce()"
                if summed.median_first_us is not None
                else ""
            )
            + "."
        )
    if summed.never_sent:
        said.append(
            f"{count(summed.never_sent)} ({ratio(summed.never_sent, summed.failures)}) never left "
            "the client's queue."
        )
    said.append(
        f"**{count(summed.may_be_stored)} of {count(summed.failures)} may be stored.**"
        if summed.may_be_stored
        else "**None of them can be stored.**"
    )
    return " ".join(said)


def group_caption(summed: AttemptsSum, most: int) -> str:
    """What the figures are of, and what is not known."""
    said = []
    if summed.with_attempts > summed.exact:
        n = summed.with_attempts - summed.exact
        said.append(
            f"Of {count(n)} failure{'' if n == 1 else 's'} these are the attempts on their "
            "partition while they waited: librdkafka numbers records only under idempotence. "
            "Such an attempt counts for each record that waited."
        )
    if summed.not_told:
        said.append(
            f"Of {count(summed.not_told)} no attempts are told: their events are not (or no "
            "longer) in this database, or librdkafka told none."
        )
    if summed.failures >= most:
        said.append(f"The newest {count(most)} letters are summed.")
    return " ".join(said) or "All of them are the failures' own attempts."
