"""Task creation: a task that a user made must never be lost.

python -m examples.tasks [--brokers HOST:PORT] [--seconds 60]

acks=all and idempotence: every in-sync replica has it, once, in order. A request is answered once
its task is acknowledged; two minutes of a failing broker are ridden out, and what fails for good is
a dead letter that on-call sends again from Ackboard.
"""

from __future__ import annotations

import json
import logging
import uuid

from confluent_kafka import KafkaError, Message

from examples.service import Stop, options, ticks
from producer_agent import ReliableProducer

TOPIC = "shop-tasks"

CONFIG = {
    "acks": "all",
    "enable.idempotence": True,
    "delivery.timeout.ms": 120_000,
    "linger.ms": 0,
    "compression.type": "lz4",
}

log = logging.getLogger("tasks")


def answer(error: KafkaError | None, message: Message) -> None:
    """The end of a request: created, or an error that the user sees and may repeat."""
    if error is not None:
        log.error("503 task %s was not created: %s", message.key(), error.str())


def main() -> None:
    """Serve until told to stop."""
    given = options("Creates tasks; none may be lost.", rate=20)
    stop = Stop()
    config = {**CONFIG, "bootstrap.servers": given.brokers}
    with ReliableProducer(config, name="shop-tasks", database=given.database) as producer:
        for n in ticks(stop, given):
            task = str(uuid.uuid4())
            body = {"task": task, "type": "task.created", "title": f"Task {n}", "by": n % 500}
            create(producer, task, json.dumps(body))
            producer.poll(0.01)  # with linger.ms=0 the answer is often there already
    log.info("%s", producer.counts())


def create(producer: ReliableProducer, task: str, body: str) -> None:
    """Hand a task over; while the queue is full the request waits, as it may not be dropped."""
    while True:
        try:
            producer.produce(
                TOPIC,
                body,
                key=task,
                headers={"content-type": "application/json"},
                on_delivery=answer,
            )
            return
        except BufferError:
            producer.poll(0.1)


if __name__ == "__main__":
    main()
