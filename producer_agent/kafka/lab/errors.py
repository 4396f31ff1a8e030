"""What the lab raises."""

from __future__ import annotations


class LabError(RuntimeError):
    """The lab could not do what was asked; the text says what to do about it."""
