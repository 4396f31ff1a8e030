"""Reading a Java stack trace: what went wrong at the bottom, and where in the application.

The format is ``Throwable.printStackTrace``'s: ``Caused by:`` at the start of a line begins an inner
exception, what is suppressed is indented, and frames shared with the enclosing one are left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Root:
    """The innermost exception of a stack trace."""

    error_class: str
    message: str
    """The first line of it; empty if there is none."""
    frame: str | None
    """``class.method`` of the innermost application frame, without its line number: that differs
    from build to build."""


MOST_STACK = 200_000
"""Characters that are looked at: only Kafka's largest record limits a trace."""

_INNER = "Caused by: "
_HEAD = re.compile(r"(?:Caused by: )?([A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*)*)(?:: (.*))?\s*")
_FRAME = re.compile(r"\tat (?:[\w.@+-]*/){0,2}([\w$.<>/]+?)\(")
_GENERATED = re.compile(r"\$\$(Lambda|EnhancerBy\w+|FastClassBy\w+|SpringCGLIB)[\w$/]*")
_NOT_THE_APPLICATION = (
    "java.",
    "javax.",
    "jakarta.",
    "jdk.",
    "sun.",
    "com.sun.",
    "org.springframework.",
    "org.apache.kafka.",
    "io.smallrye.",
    "kotlin.",
    "kotlinx.",
    "scala.",
)


def root_of(stack: str) -> Root | None:
    """The innermost exception, with the innermost frame of the application's own around it.

    An exception that the JDK or a framework throws has no frame of the application; then it is the
    enclosing exception's that tells where. None for what is no Java stack trace.
    """
    if "\n\tat " not in stack:
        return None
    lines = stack[:MOST_STACK].split("\n")
    outermost = _HEAD.fullmatch(lines[0])
    if outermost is None:
        return None
    heads = [(0, outermost)]
    for number, line in enumerate(lines):
        inner = _HEAD.fullmatch(line) if number and line.startswith(_INNER) else None
        if inner is not None:
            heads.append((number, inner))
    head, end = heads[-1][1], len(lines)
    for number, _ in reversed(heads):
        frame = next(filter(None, map(_frame, lines[number + 1 : end])), None)
        if frame is not None:
            break
        end = number
    return Root(head[1], (head[2] or "").strip(), frame)


def _frame(line: str) -> str | None:
    """The application frame in a line, if it is one."""
    found = _FRAME.match(line)
    if found is None or found[1].startswith(_NOT_THE_APPLICATION):
        return None
    return _GENERATED.sub(r"$$\1", found[1])
