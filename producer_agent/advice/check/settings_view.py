"""A configuration as librdkafka will run it, as the rules between settings read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from producer_agent.advice.check.pasted import Entry, Format
from producer_agent.kafka.properties import canonical


@dataclass(frozen=True, slots=True)
class SettingsView:
    """The values librdkafka holds, by its own names, and the entries that gave them."""

    values: Mapping[str, str]
    given: Mapping[str, Entry]
    format: Format

    def text(self, name: str) -> str:
        """The value of a setting, "" if it has none."""
        return self.values.get(canonical(name), "")

    def number(self, name: str) -> float:
        """The value of a number; 0 where it is none."""
        try:
            return float(self.text(name))
        except ValueError:
            return 0.0

    def flag(self, name: str) -> bool:
        """The value of a switch."""
        return self.text(name) == "true"

    def written(self, name: str) -> bool:
        """Whether the configuration gives this setting a value, under any of its names."""
        entry = self.given.get(canonical(name))
        return entry is not None and entry.known

    def as_written(self, name: str) -> str:
        """The name the configuration gives a setting under; `name` if it does not give it."""
        entry = self.given.get(canonical(name))
        return name if entry is None else entry.name

    def written_value(self, name: str) -> str | None:
        """The value the configuration gives a setting, as it is written; None if it is unknown."""
        entry = self.given.get(canonical(name))
        return None if entry is None else entry.value

    def first_written(self, *names: str) -> str | None:
        """The first of these settings that the configuration gives; None if it gives none."""
        return next((name for name in names if self.written(name)), None)

    @property
    def transactional(self) -> bool:
        """Whether it sends in transactions."""
        return bool(self.text("transactional.id")) or (
            self.written("transactional.id") and not self.given["transactional.id"].known
        )

    @property
    def idempotent(self) -> bool:
        """Whether the broker drops what a retry sends twice, as far as is known."""
        entry = self.given.get("enable.idempotence")
        unknown = entry is not None and not entry.known
        return self.flag("enable.idempotence") or self.transactional or unknown

    @property
    def uses_tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.text("security.protocol") in ("ssl", "sasl_ssl") or self._protocol_unknown

    @property
    def uses_sasl(self) -> bool:
        """Whether it signs in."""
        return self.text("security.protocol").startswith("sasl") or self._protocol_unknown

    @property
    def _protocol_unknown(self) -> bool:
        entry = self.given.get("security.protocol")
        return entry is not None and not entry.known
