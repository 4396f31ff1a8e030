"""Part of a program: feeds it from standard input, and ends it in order."""

from __future__ import annotations

import argparse
import logging
import os
import queue
import signal
import socket
import sys
import threading
from collections.abc import Iterable
from pathlib import Path

from confluent_kafka import KafkaException

from producer_agent.advice.advisor.programs.dead_letters import DeadLetters
from producer_agent.advice.advisor.programs.plain import Sender
from producer_agent.advice.advisor.programs.settings import OUTCOME, TOPIC

log = logging.getLogger(TOPIC)


def feed(lines: Iterable[bytes], into: queue.Queue[bytes | None], stop: threading.Event) -> None:
    """Read lines in a thread of its own, so that reports are served while none comes."""
    for line in lines:
        if stop.is_set():
            break
        into.put(line.rstrip(b"\r\n"))
    into.put(None)


def run(
    sender: Sender, letters: DeadLetters, lines: Iterable[bytes], stop: threading.Event
) -> None:
    """Send each line, until there are no more or a signal came.

    Raises KafkaException after a fatal error; what was read by then is kept as dead letters.
    """
    events: queue.Queue[bytes | None] = queue.Queue(maxsize=1000)
    threading.Thread(target=feed, args=(lines, events, stop), daemon=True).start()
    try:
        while True:
            try:
                line = events.get(timeout=0.1)
            except queue.Empty:
                if stop.is_set():  # and all that was read is sent
                    return
                sender.poll()
                continue
            if line is None:
                return
            sender.send(*event_of(line))
    except KafkaException as error:
        stop.set()
        while not events.empty():
            rest = events.get()
            if rest is not None:
                letters.keep(*event_of(rest), error.args[0])
        raise


def event_of(line: bytes) -> tuple[bytes | None, bytes]:
    """Key and value of a line; without a tab it has no key."""
    key, tab, value = line.partition(b"\t")
    return (key, value) if tab else (None, line)


def main() -> int:
    """Exit code: 0 all was sent, 1 something was kept as a dead letter, 2 bad usage."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--bootstrap", default=os.environ.get("KAFKA_BOOTSTRAP_SERVERS"))
    arguments.add_argument("--count", type=int, help="make so many events, read none")
    arguments.add_argument("--spool", type=Path, default=Path(f"{TOPIC}.dlq.jsonl"))
    arguments.add_argument(
        "--instance",
        default=os.environ.get("INSTANCE", socket.gethostname()),
        help="name of this instance among those that run at once",
    )
    given = arguments.parse_args()
    if not given.bootstrap:
        arguments.error("give --bootstrap, or set KAFKA_BOOTSTRAP_SERVERS")
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")

    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    # Not sys.stdin: Python wants its lock at the end, and the reading thread may hold it.
    lines: Iterable[bytes] = os.fdopen(sys.stdin.fileno(), "rb", closefd=False)
    if given.count is not None:
        lines = (b'key-%d\t{"event": %d}' % (n % 10, n) for n in range(given.count))

    letters = DeadLetters(given.bootstrap, given.spool)
    try:
        sender = Sender(given.bootstrap, given.instance, letters)
    except KafkaException as error:
        log.critical("the producer cannot start: %s", error.args[0].str())
        return 1
    fatal = False
    try:
        run(sender, letters, lines, stop)
    except KafkaException as error:
        fatal = True
        log.critical("the producer cannot go on: %s", error.args[0].str())
    finally:
        sender.close()
        letters.close()
    log.info("%d %s, %d kept as dead letters", sender.sent, OUTCOME, letters.kept)
    if letters.spooled:
        log.error("%d dead letters are in %s", letters.spooled, given.spool)
    return 1 if fatal or letters.kept else 0


if __name__ == "__main__":
    sys.exit(main())
