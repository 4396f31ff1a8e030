"""Header names that confluent-kafka can write."""

from __future__ import annotations


def require_header_name(name: str) -> None:
    """Raise ValueError for a name that confluent-kafka 2.16 mistreats: one that is no UTF-8 (JSON
    can hold half a surrogate pair) crashes the process, and one with a NUL is cut there."""
    name.encode("utf-8")
    if "\0" in name:
        raise ValueError(f"the header name {name!r} holds a NUL and would be cut there")
