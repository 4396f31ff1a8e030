"""Where Chromium is."""

from __future__ import annotations

import os
import shutil


def chromium_path() -> str | None:
    """The path of a Chromium or Chrome: ``$CHROMIUM``, or by its usual names; None without."""
    named = os.environ.get("CHROMIUM")
    if named:
        return named
    for name in ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"):
        path = shutil.which(name)
        if path is not None:
            return path
    return None
