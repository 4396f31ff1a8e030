"""Writes the program of an advice: its parts in one file, with its settings and their reasons.

The result needs confluent-kafka and nothing of Ackboard.
"""

from __future__ import annotations

import ast
import json
import sys
import textwrap
from collections.abc import Iterable
from importlib import resources
from typing import Final

from producer_agent.advice.advisor.advice import Advice
from producer_agent.advice.advisor.profile import transaction_ms
from producer_agent.delivery.profile_values import Setting

_PARTS: Final = "producer_agent.advice.advisor.programs"
_OWN: Final = "producer_agent"
_WIDTH: Final = 96
_IN_CODE: Final = frozenset({"transactional.id"})
"""Settings that the program makes at its start, since each instance has its own."""

_IF_LOST: Final = {
    "nothing": "nothing breaks",
    "experience": "the user's experience breaks",
    "business": "business breaks",
}


def python_program(advice: Advice) -> str:
    """A complete Python program that sends the advice's events with its settings."""
    names = ["dead_letters", "transactional" if advice.is_transactional else "plain", "command"]
    parts = [_Part(resources.files(_PARTS).joinpath(f"{name}.py").read_text()) for name in names]
    blocks = [
        _docstring(advice),
        "from __future__ import annotations",
        _imports(parts),
        _constants(advice, parts),
        *(part.body for part in parts),
    ]
    return "\n\n\n".join(_tidy(blocks)) + "\n"


class _Part:
    """A module taken apart: what it imports from elsewhere, and the code behind its imports."""

    def __init__(self, source: str) -> None:
        tree = ast.parse(source)
        self.modules: set[str] = set()
        self.names: dict[str, set[str]] = {}
        last = 1
        for node in tree.body:
            if isinstance(node, ast.Import):
                self.modules |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module is not None:
                if node.module != "__future__" and not node.module.startswith(_OWN):
                    taken = self.names.setdefault(node.module, set())
                    taken |= {alias.name for alias in node.names}
            elif not isinstance(node, ast.Expr):
                break
            last = node.end_lineno or last
        code = "\n".join(source.splitlines()[last:])
        self.body = code.replace("log = logging.getLogger(TOPIC)\n", "", 1).strip("\n")


def _docstring(advice: Advice) -> str:
    q = advice.question
    loss = "none may be lost" if q.never_lost else f"{q.tolerated_loss * 100:.6g} % may be lost"
    within = "" if q.latency_p99_ms is None else f", {q.latency_p99_ms:g} ms allowed at p99"
    asked = textwrap.fill(
        f"If one is lost, {_IF_LOST[q.if_lost]}; {loss}{within}; {q.rate_per_s:g} events/s, "
        f"{q.peak:g} at peak, of about {q.payload_bytes:,} bytes.",
        _WIDTH,
    )
    warnings = "".join(
        "\n" + textwrap.fill(f"{c.kind.upper()}: {c.message} {c.mend}", _WIDTH) + "\n"
        for c in advice.conflicts
        if c.kind == "impossible"
    )
    file = f"{q.name.replace('-', '_').replace('.', '_')}.py"
    return f'''"""Sends {q.name} events to Kafka.

{asked}
{warnings}
One line of standard input is one event: a value, or a key, a tab and a value.

    KAFKA_BOOTSTRAP_SERVERS=host:9092 python {file} < events.txt
    python {file} --bootstrap host:9092 --count 1000

What cannot be sent is kept on the topic DEAD_LETTERS, or in the file of --spool.
Needs confluent-kafka 2.14 or newer. Written by Ackboard's advisor.
"""'''


def _imports(parts: Iterable[_Part]) -> str:
    modules: set[str] = set()
    names: dict[str, set[str]] = {}
    for part in parts:
        modules |= part.modules
        for module, taken in part.names.items():
            names.setdefault(module, set()).update(taken)
    plain = [f"import {module}" for module in sorted(modules)]
    froms = {
        module: f"from {module} import {', '.join(sorted(taken))}"
        for module, taken in sorted(names.items())
    }
    standard = [line for module, line in froms.items() if _is_standard(module)]
    others = [line for module, line in froms.items() if not _is_standard(module)]
    return "\n".join([*plain, *standard]) + "\n\n" + "\n".join(others)


def _is_standard(module: str) -> bool:
    return module.partition(".")[0] in sys.stdlib_module_names


def _constants(advice: Advice, parts: Iterable[_Part]) -> str:
    q = advice.question
    patience_s = int(advice.settings["delivery.timeout.ms"]) / 1000
    lines = [f"TOPIC = {_code(q.name)}"]
    if advice.is_transactional:
        lines += [
            "# Each event is written to all of them, or to none: name your own.",
            'TOPICS = (TOPIC, TOPIC + "-index")',
            "# Readers of committed events see one only after its transaction has committed.",
            f"COMMIT_EVERY_S = {transaction_ms(advice) / 1000:g}",
        ]
    lines += [
        'DEAD_LETTERS = TOPIC + ".dlq"',
        f"PATIENCE_S = {patience_s:g}  # delivery.timeout.ms",
        f"OUTCOME = {_code('sent, unconfirmed' if advice.acks == '0' else 'delivered')}",
        "CONFIG: dict[str, str | int | float | bool] = {",
    ]
    for choice in advice.producer:
        if choice.name in _IN_CODE:
            continue
        lines += _remark(choice.reason)
        lines.append(f"    {_code(choice.name)}: {_code(choice.value)},")
    lines += ["}", "", "log = logging.getLogger(TOPIC)"]
    return "\n".join(lines)


def _remark(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent="    # ", subsequent_indent="    # ")


def _code(value: Setting) -> str:
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=True)
    return repr(value) if not isinstance(value, float) else f"{value:g}"


def _tidy(blocks: list[str]) -> list[str]:
    """Imports follow the docstring after one blank line, not two."""
    head = "\n\n".join(blocks[:3])
    # Constants stand one line below the imports.
    return [f"{head}\n\n{blocks[3]}", *blocks[4:]]
