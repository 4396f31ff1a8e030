"""What a replay plan will do, in words: what one reads before anything is sent.

Pure functions over what planning found (``replay.findings.Findings`` as JSON) and what the plan was
told (``replay.options.PlanOptions`` as JSON). What they return is Markdown, with foreign text in it
escaped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from dashboard.formats import code_span, count, escape_markdown, rate
from dashboard.letters.triage_words import n_are
from producer_agent.store.queries.replays import Plan

MOST_NAMES: Final = 8

TRANSACTIONS, LEDGER = "transactions", "ledger"


def method(plan: Plan) -> str:
    """Which of the two ways keeps it exactly once, in a sentence."""
    chosen = plan.row.method or plan.row.options.get("exactly_once")
    is_embedded = plan.cluster_kind == "embedded"
    if chosen is None:
        chosen = LEDGER if is_embedded else TRANSACTIONS
    if chosen == TRANSACTIONS and not is_embedded:
        return (
            "**Exactly once by transactions**: each batch is committed together with its number, "
            "so after a crash the cluster itself tells how far it came. Consumers with "
            "`isolation.level=read_committed` see each record once."
        )
    because = " The embedded cluster keeps no transactional offsets." if is_embedded else ""
    return (
        "**Exactly once by the ledger**: each record is noted before it is sent, and after a "
        "crash the target is read back from where the plan began, to see what had arrived before "
        f"anything else goes.{because}"
    )


def order(options: Mapping[str, Any]) -> str:
    """What becomes of the order of a key's records."""
    if options.get("partition") == "key":
        return (
            "Records are sent in the order of their originals, each to the partition of its key: "
            "records of one key keep their order."
        )
    return (
        "Records are sent in the order of their originals, each to the partition it had where "
        "that is known and there: records of one key keep their order."
    )


def keys(findings: Mapping[str, Any]) -> str | None:
    """Whether keys are put where their records were; None where nothing was to be looked at."""
    by_key = sum(target.get("by_key", 0) for target in findings.get("targets", {}).values())
    chosen = findings.get("partitioner")
    checked = findings.get("keys_checked", 0)
    if not by_key or chosen is None:
        return None
    go = n_are(by_key, "goes", "go")
    words = f"{go} to the partition that {escape_markdown(chosen)} gives the key. "
    if not checked:
        return f"{words}No record tells both its key and its partition, so this is a guess."
    agree = findings.get("keys_agree", {}).get(chosen, 0)
    known = f"Of {count(checked)} records whose key and partition are both known, "
    if agree == checked:
        return f"{words}{known}it puts every one where it was."
    return (
        f"{words}{known}it puts {count(agree)} where they were: **their producer used another "
        "partitioner**, so these may lie apart from older records of their key."
    )


def groups(findings: Mapping[str, Any]) -> str:
    """Which consumer groups will see the records again."""
    told = findings.get("groups")
    if told is None:
        return "The cluster does not tell which consumer groups will see them again."
    lines = [
        f"{code_span(topic)}: {_names(names) if names else 'no group that commits offsets'}"
        for topic, names in told.items()
    ]
    return "Consumer groups that will see them again: " + "; ".join(lines) + "."


def headers(findings: Mapping[str, Any], options: Mapping[str, Any]) -> list[str]:
    """Which headers are dropped and which are sent along, a sentence each."""
    dropped = _by_frequency(findings.get("dropped_headers", {}))
    kept = _by_frequency(findings.get("kept_headers", {}))
    said = []
    if dropped:
        said.append(f"Dropped, as they tell of the failure only: {_names(dropped)}.")
    elif options.get("keep_failure_headers"):
        said.append("The failure headers are sent along, as was asked for.")
    if kept:
        said.append(f"Sent along: {_names(kept)}.")
    said.append("Each gets `ackboard-replay`, by which it is known if it comes back.")
    return said


def doubt(findings: Mapping[str, Any], already: int) -> str | None:
    """What may be stored already, and what was done about it; None where nothing may."""
    looked, not_looked = findings.get("looked_for", 0), findings.get("not_looked_for", 0)
    if not looked and not not_looked:
        return None
    said = []
    if looked:
        said.append(
            f"{count(looked)} may be stored already, as their failure left doubt, and were looked "
            f"for on their target: **{n_are(already)} already there**, and skipped."
        )
    if not_looked:
        problem = findings.get("look_problem")
        why = f" ({escape_markdown(str(problem).rstrip('.'))})" if problem else ""
        said.append(
            f"**{count(not_looked)} may be stored already and could not be looked for**{why}: "
            "they are sent, and may then be there twice."
        )
    return " ".join(said)


def pace(options: Mapping[str, Any]) -> str:
    """Ramp, rate and the share at which it stops, in a sentence."""
    ramp = options.get("ramp") or []
    wait_s = options.get("ramp_wait_s", 10.0)
    words = (
        f"First {', then '.join([*map(count, ramp), 'the rest'])}; after each step it watches "
        f"{wait_s:g} s for records that come back."
        if ramp
        else "Without a ramp: all of them at once."
    )
    limit = options.get("rate_per_s")
    words += f" At most {rate(limit)}." if limit else ""
    share = options.get("stop_share", 0.2)
    return words + (
        f" It stops by itself when {share:.0%} of what was sent has come back."
        if share
        else " It does not stop by itself, however many come back."
    )


def _by_frequency(counted: Mapping[str, int]) -> list[str]:
    return sorted(counted, key=lambda name: (-counted[name], name))


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(code_span(name) for name in names[:MOST_NAMES])
    return shown if len(names) <= MOST_NAMES else f"{shown} and {len(names) - MOST_NAMES} more"
