"""The two processes of a comparison: one sends, one reads.

They have an interpreter each, so that neither the agent's own runs nor the reading is measured
with the sending, and a comparison takes no poll from a run. Orders and answers are lines of JSON
on stdin and stdout: a connection's secrets are in no argument list. A process ends when its stdin
does, which is also when the agent is killed.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Literal

from producer_agent import collector

log = logging.getLogger(__name__)

_ROOT: Final = Path(__file__).parents[3]
_END_S: Final = 10.0

Role = Literal["sender", "reader"]


class WorkerDied(Exception):
    """The process ended, or could not do it; the text says what it said last."""


class Worker:
    """A process, seen from the agent. Use it as a context manager."""

    def __init__(self, role: Role) -> None:
        path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
        self._role = role
        self._process = subprocess.Popen(
            [sys.executable, "-m", __spec__.name, role],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path},
            start_new_session=True,  # Ctrl-C in a terminal is the agent's to deal with
            text=True,
        )
        self._answers: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._listener = threading.Thread(target=self._listen, name=f"compare-{role}", daemon=True)
        self._listener.start()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """The process's."""
        return self._process.pid

    def tell(self, do: str, **order: Any) -> None:
        """Send an order.

        Raises:
            WorkerDied: the process has ended.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({"do": do, **order}) + "\n")
            self._process.stdin.flush()
        except OSError as error:
            raise self._died() from error

    def answer(
        self,
        timeout_s: float,
        stopped: Callable[[], bool] = lambda: False,
    ) -> dict[str, Any]:
        """Wait for the answer to the last order; once ``stopped``, tell the process to stop.

        Raises:
            WorkerDied: the process ended, failed, or did not answer.
        """
        told = False
        step_s = 0.1
        waited_s = 0.0
        while waited_s < timeout_s:
            if stopped() and not told:
                self.tell("stop")
                told = True
            try:
                line = self._answers.get(timeout=step_s)
            except queue.Empty:
                waited_s += step_s
                continue
            if line is None:
                raise self._died()
            answer: dict[str, Any] = json.loads(line)
            if "error" in answer:
                raise WorkerDied(str(answer["error"]))
            return answer
        raise WorkerDied(f"The {self._role} has not answered within {timeout_s:.0f} s.")

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.close()
        except OSError:
            log.debug("the %s had ended before", self._role)
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._listener.join()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._answers.put(line)
        self._answers.put(None)

    def _died(self) -> WorkerDied:
        return WorkerDied(
            f"The process that was to be the {self._role} ended "
            f"(exit code {self._process.poll()}); its last words are in the agent's log."
        )


class _Orders:
    """Orders from stdin, read by a thread, as the main one sends or reads."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self.ended = threading.Event()
        threading.Thread(target=self._listen, name="orders", daemon=True).start()

    def stopped(self) -> bool:
        """Whether the order under way is to end early."""
        return self._stopped.is_set()

    def next(self, timeout_s: float) -> dict[str, Any] | None:
        """The next order; None if there is none yet."""
        try:
            return self._queue.get(timeout=timeout_s) if timeout_s else self._queue.get_nowait()
        except queue.Empty:
            return None

    def answered(self) -> None:
        """The order under way is done, and a stop was meant for it."""
        if not self.ended.is_set():
            self._stopped.clear()

    def _listen(self) -> None:
        for line in sys.stdin:
            order = json.loads(line)
            if order["do"] == "stop":
                self._stopped.set()
            else:
                self._queue.put(order)
        self.ended.set()
        self._stopped.set()


def _say(answer: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def _send(orders: _Orders) -> None:
    from producer_agent.advice.compare.sender import TurnSender
    from producer_agent.advice.compare.turn import TurnOrder

    while not orders.ended.is_set():
        order = orders.next(0.2)
        if order is None:
            continue
        del order["do"]
        result = TurnSender(TurnOrder(**order), orders.stopped).run()
        orders.answered()
        _say(result.to_json())


def _read(orders: _Orders) -> None:
    from confluent_kafka import KafkaException

    from producer_agent.advice.compare.reader import LiveReader

    reader: LiveReader | None = None
    while not orders.ended.is_set():
        order = orders.next(0.0 if reader else 0.2)
        if order is None:
            if reader is not None:
                reader.read()
            continue
        do = order.pop("do")
        try:
            if do == "open":
                reader = LiveReader(**order)
                _say({})
                continue
            assert reader is not None, "it is opened first"
            if do == "begin":
                reader.begin(**order)
                _say({})
            else:
                _say(reader.finish(**order, stopped=orders.stopped).to_json())
        except KafkaException as error:
            _say({"error": error.args[0].str()})
        orders.answered()
    if reader is not None:
        reader.close()


def main(role: str) -> None:
    """Do what stdin says until it ends."""
    collector.relax()
    orders = _Orders()
    if role == "sender":
        _send(orders)
    else:
        _read(orders)


if __name__ == "__main__":
    main(sys.argv[1])
