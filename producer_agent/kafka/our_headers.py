"""Names of the record headers that Ackboard writes, for whoever writes or looks for them."""

from __future__ import annotations

from struct import Struct
from typing import Final

IDENTITY_HEADER: Final = "ackboard-id"
"""Which event a record is, see ``delivery.events``."""

IDENTITY: Final = Struct(">16sQI")
"""Its value: run uuid, sequence, CRC-32 of the record's value."""

REPLAY_HEADER: Final = "ackboard-replay"
"""Header of a replayed record: its replay id. A record that comes back still has it."""

TIMES_HEADER: Final = "ackboard-replay-times"
"""How often a record was replayed, the last time included, in decimal digits: told to boards that
do not have the ledger of the one that sent it."""

REPLAY_HEADERS: Final = (REPLAY_HEADER, TIMES_HEADER)
