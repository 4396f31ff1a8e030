"""An agent as a process of its own, on the lab, as users run it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import zlib
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from producer_agent.commands import Command, ask_and_wait
from producer_agent.kafka.lab import Lab
from producer_agent.store import facts
from producer_agent.store.database import open_database
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]


class AgentProcess:
    """Starts ``python -m producer_agent serve`` and waits until it is running."""

    def __init__(self, lab: Lab, db: Path, **environment: str) -> None:
        self.db = db
        self._environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "KAFKA_BOOTSTRAP_SERVERS": lab.bootstrap_servers,
            "ACKBOARD_CLUSTER_KIND": "lab",
            "ACKBOARD_AUTOSTART": "false",
            # The lab is shared: a database of its own takes in nobody else's dead letters.
            "ACKBOARD_DEAD_LETTER_TOPIC": f"dlq-{zlib.crc32(bytes(db)):08x}",
            **environment,
        }
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        try:
            wait_until(self._is_running, 60, "the agent does not run")
        except BaseException:
            self.kill()
            raise
        return self

    def start(self) -> None:
        """Start it, and do not wait."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "producer_agent", "serve", "--db", str(self.db)],
            env=self._environment,
        )

    def kill(self) -> None:
        """End it as a crash does, whatever it is at."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        try:
            assert self._process.wait(60) == 0
        finally:
            self._process.kill()

    def ask(self, kind: Command, arguments: dict[str, Any]) -> dict[str, Any]:
        return ask_and_wait(self.db, kind, arguments, who="test", timeout_s=60)

    def query(self, sql: str, values: Sequence[Any] = ()) -> list[dict[str, Any]]:
        db = open_database(self.db, read_only=True)
        try:
            return list(db.query(sql, list(values)))
        finally:
            db.close()

    def _is_running(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, "the agent ended at once"
        if not self.db.exists():
            return False
        try:
            db = open_database(self.db, read_only=True)
        except Exception:  # noqa: BLE001 - it is being made just now
            return False
        try:
            fact = facts.get(db, "agent")
            return fact is not None and fact.body["state"] == "running"
        finally:
            db.close()
