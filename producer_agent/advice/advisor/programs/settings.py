"""What a program is written with: stands here for what the advisor fills in."""

from __future__ import annotations

TOPIC = "events"
TOPICS = (TOPIC, TOPIC + "-index")
DEAD_LETTERS = TOPIC + ".dlq"
PATIENCE_S = 120.0
COMMIT_EVERY_S = 1.0
OUTCOME = "delivered"
CONFIG: dict[str, str | int | float | bool] = {"acks": "all", "enable.idempotence": True}
