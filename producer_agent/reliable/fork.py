"""A forked child cannot use its parent's producers: librdkafka's threads stay in the parent."""

from __future__ import annotations

import ctypes
import os
import weakref
from typing import Any, Protocol


class Inherited(Protocol):
    """What is told that it lives on in a child."""

    def left_in_parent(self) -> None:
        """From now on it refuses to be used."""


_producers: weakref.WeakSet[Any] = weakref.WeakSet()
_registered = False


def watch(producer: Inherited) -> None:
    """Have ``producer.left_in_parent()`` called in every child that is forked from now on."""
    global _registered
    _producers.add(producer)
    if not _registered:
        _registered = True
        os.register_at_fork(after_in_child=_in_child)


def _in_child() -> None:
    for producer in list(_producers):
        # Never to be freed in the child: librdkafka would wait there for threads that it has not.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(producer))
        producer.left_in_parent()
    _producers.clear()


def refuse(*_arguments: Any, **_named: Any) -> Any:
    """What a producer does in a child."""
    raise RuntimeError(
        "this producer was made before the process forked, and librdkafka does not live on in a "
        "child: make the producer after the fork, in each child its own"
    )
