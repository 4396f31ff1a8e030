"""Are the brokers able to keep the promise? The Cluster page's answer, and its brokers in words.

Pure; what is returned is Markdown unless it says plain text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dashboard.cluster.cluster_picture import Broker, Impact
from dashboard.cluster.topic_health import TopicHealth
from dashboard.components.notices import Notice
from dashboard.formats import code_span, count, duration, escape_markdown
from producer_agent.advice.diagnosis.diagnosis import Diagnosis, State

_NAMED = 3
"""Topics and brokers that a sentence names; of more it tells the number."""


def answer(
    topics: Sequence[TopicHealth],
    brokers: Sequence[Broker],
    diagnoses: Sequence[Diagnosis],
    *,
    reachable: bool,
    now_us: int,
    replicates: bool = True,
) -> Notice:
    """The first line.

    Args:
        topics: Judged, the worst first.
        brokers: All that are there or missed.
        diagnoses: What is the matter now, the worst first.
        reachable: Whether a broker answers.
        replicates: Whether copies are kept at all, which the embedded cluster does not.
    """
    if not reachable:
        return Notice(
            "error",
            "No broker answers, so nothing can be stored",
            "The topics below are as they were last seen; how they are now comes back with the "
            "first broker.",
            ":material/cloud_off:",
        )
    here = sum(broker.is_here for broker in brokers)
    by_rank = [[topic for topic in topics if topic.rank == rank] for rank in range(4)]
    who = missing(brokers, now_us)
    because = f"{who}: " if who else ""
    if by_rank[0]:
        return Notice(
            "error",
            _sentence(f"{because}{_sick(by_rank[0], 0)} without a leader"),
            "Nothing can be written or read there until a broker that holds a replica in sync is "
            "back.",
            ":material/error:",
        )
    if by_rank[1]:
        return Notice(
            "error",
            _sentence(
                f"{because}{_sick(by_rank[1], 1)} under "
                f"{'its' if _one(by_rank[1], 1) else 'their'} min.insync.replicas"
            ),
            "acks=all fails there; acks=1 and acks=0 are taken, with fewer copies than asked for.",
            ":material/error:",
        )
    wrong = [found for found in diagnoses if found.state is State.WRONG]
    if wrong:
        others = len({found.topic for found in wrong} - {wrong[0].topic})
        more = f" {count(others)} more {_n_topics(others)} below." if others else ""
        return Notice(
            "error",
            escape_markdown(wrong[0].headline),
            f"The brokers answer, yet records to {code_span(wrong[0].topic)} fail, or would.{more}",
            ":material/error:",
        )
    if by_rank[2]:
        return Notice(
            "warning",
            _sentence(
                f"{because}{_sick(by_rank[2], 2, 'lacks a replica', 'lack a replica')}; every "
                "acks level works"
            ),
            "The next broker that fails may stop acks=all.",
            ":material/warning:",
        )
    if who:
        return Notice(
            "warning",
            f"{who}; no topic misses it" if here else who,
            f"{_n_brokers(here)} answer, and every topic has its replicas in sync.",
            ":material/warning:",
        )
    if not topics:
        return Notice(
            "info",
            f"{_n_brokers(here)} answer, and there is no topic yet",
            "Start a profile on [Profiles](profiles): it makes its topic.",
            ":material/lan:",
        )
    return Notice(
        "success",
        f"Yes: {_n_brokers(here)} answer, and "
        + (
            f"all {count(len(topics))} topics have a leader and their replicas in sync"
            if len(topics) > 1
            else f"{code_span(topics[0].name)} has a leader and its replicas in sync"
        ),
        "What is acknowledged under acks=all is on every replica now."
        if replicates
        else "It takes what is sent; there are no copies behind an acknowledgement here.",
        ":material/check_circle:",
    )


def missing(brokers: Sequence[Broker], now_us: int) -> str:
    """``Broker 2 has been gone for 3 min``; empty where all are here and in sync."""
    gone = [broker for broker in brokers if not broker.is_here]
    if gone:
        return _gone(gone, now_us)
    late = [broker for broker in brokers if broker.lags]
    if not late:
        return ""
    verb = "is" if len(late) == 1 else "are"
    return f"{_names(late)} {verb} there and not in sync"


def state_of(broker: Broker, now_us: int) -> str:
    """A broker's state in a few plain words, as a table has it."""
    if not broker.is_here:
        since = (
            "" if broker.gone_since_us is None else f" for {_lasting(broker.gone_since_us, now_us)}"
        )
        how = {"paused": ", paused", "stopped": ", stopped", "running": ", starting"}
        return f"gone{since}{how.get(broker.node_state or '', '')}"
    if broker.node_state in ("paused", "stopped"):
        return f"{broker.node_state}, still counted as alive"
    return "catching up" if broker.lags else "here"


def impact_words(impact: Impact, *, majority_goes: bool) -> str:
    """What is touched if a broker is lost now.

    Args:
        majority_goes: Whether the controllers would lose their majority.
    """
    told = [
        f"Leads **{count(impact.leads)}** of the **{count(impact.replicas)}** partitions it holds."
    ]
    if impact.leaderless:
        told.append(f"Without it {_in_code(impact.leaderless)} loses its last replica in sync.")
    if impact.refused:
        told.append(f"Without it acks=all fails on {_in_code(impact.refused)}.")
    if not impact.leaderless and not impact.refused:
        told.append("Without it every acks level goes on.")
    if majority_goes:
        told.append("The controllers lose their majority: no leader can be elected meanwhile.")
    return " ".join(told)


def _gone(gone: Sequence[Broker], now_us: int) -> str:
    dated = [broker for broker in gone if broker.gone_since_us is not None]
    times = [_lasting(broker.gone_since_us or 0, now_us) for broker in dated]
    if len(gone) > _NAMED or len(dated) < len(gone) or len(set(times)) == 1:
        verb = "has" if len(gone) == 1 else "have"
        if len(dated) < len(gone):
            rest = "since before watching began" if not dated else "some of them for long"
        else:
            rest = (
                f"for {times[0]}"
                if len(set(times)) == 1
                else f"for up to {_longest(dated, now_us)}"
            )
        return f"{_names(gone)} {verb} been gone {rest}"
    told = [f"broker {broker.id} for {time}" for broker, time in zip(gone, times, strict=True)]
    first = f"Broker {gone[0].id} has been gone for {times[0]}"
    return f"{first}, {' and '.join(told[1:])}"


def _longest(gone: Sequence[Broker], now_us: int) -> str:
    return _lasting(min(broker.gone_since_us or now_us for broker in gone), now_us)


def _lasting(since_us: int, now_us: int) -> str:
    return duration((now_us - since_us) / 1e6)


def _names(brokers: Sequence[Broker]) -> str:
    if len(brokers) > _NAMED:
        return f"{count(len(brokers))} brokers"
    ids = [str(broker.id) for broker in brokers]
    if len(ids) == 1:
        return f"Broker {ids[0]}"
    return f"Brokers {', '.join(ids[:-1])} and {ids[-1]}"


def _sick(topics: Sequence[TopicHealth], rank: int, one: str = "is", more: str = "are") -> str:
    """``4 of 12 partitions of `task-events` are``."""
    n = sum(topic.count(rank) for topic in topics)
    if not n:  # a topic of which no partition is told
        return f"{_in_code([topic.name for topic in topics])} is"
    of = sum(len(topic.partitions) for topic in topics)
    noun = "partition" if of == 1 else "partitions"
    verb = one if n == 1 else more
    return f"{count(n)} of {count(of)} {noun} of {_in_code([t.name for t in topics])} {verb}"


def _one(topics: Sequence[TopicHealth], rank: int) -> bool:
    return sum(topic.count(rank) for topic in topics) == 1


def _in_code(names: Iterable[str]) -> str:
    every = list(names)
    told = [code_span(name) for name in every[:_NAMED]]
    if len(every) > _NAMED:
        more = len(every) - _NAMED
        return f"{', '.join(told)} and {count(more)} more {_n_topics(more)}"
    return told[0] if len(told) == 1 else f"{', '.join(told[:-1])} and {told[-1]}"


def _n_topics(n: int) -> str:
    return "topic" if n == 1 else "topics"


def _n_brokers(n: int) -> str:
    return f"{count(n)} broker{'' if n == 1 else 's'}"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
