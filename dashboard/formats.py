"""How figures, times and foreign text are written: pure functions, nothing of Streamlit.

Times are UTC microseconds and are shown in the viewer's zone. Numbers carry their unit, with as
many digits as tell something.
"""

from __future__ import annotations

import math
import re
import unicodedata
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

NOTHING = "–"
"""Stands where there is no figure (not: zero)."""

ACKS_LEVELS = ("all", "1", "0")
"""In the order in which they are shown everywhere."""


_WORD_JOINER = "\u2060"

_REPLACED_AFTER_PARSING = re.compile(
    r"(?<=[:@])(?=[\w+/-])|(?<=[-<>=~])(?=[-<>=~])|(?<=www)(?=\.)", re.IGNORECASE
)
"""Places within what GFM's autolinks, remark-emoji and Streamlit look for in parsed text."""


def count(n: int) -> str:
    """``1,234``; from ten thousand millions on ``12.3 G``."""
    if n < 10_000_000:
        return f"{n:,}"
    for unit, size in (("M", 1e6), ("G", 1e9), ("T", 1e12)):
        if n < size * 1000:
            return f"{n / size:.1f} {unit}"
    return f"{n:.2e}"


def ratio(good: int, all_of_them: int) -> str:
    """A share as a percentage whose digits still show the failures: ``99.998 %``.

    Two digits of the failed share are kept, and ``100 %`` means that nothing failed at all.
    """
    if all_of_them <= 0:
        return NOTHING
    bad = all_of_them - good
    if bad == 0:
        return "100 %"
    digits = min(max(2, 1 - math.floor(math.log10(bad / all_of_them * 100))), 8)
    percent = 100 * good / all_of_them
    # Rounding may not turn "some failed" into "none did".
    floor = math.floor(percent * 10**digits) / 10**digits
    return f"{floor:.{digits}f} %"


def percent(share: float) -> str:
    """An objective such as 0.9999 as ``99.99 %``."""
    return f"{share * 100:.8g} %"


def one_in(part: int, whole: int) -> str:
    """``1 in 55``, or ``all`` and ``none`` at the ends."""
    if part <= 0 or whole <= 0:
        return "none"
    if part >= whole:
        return "all"
    per = whole / part
    # "1 in 2" would be a coarse word for two in three.
    return f"1 in {count(round(per))}" if per >= 4.5 else f"{part * 100 // whole} in 100"


def times(factor: float) -> str:
    """A factor in a sentence: ``1.4``, ``18``, ``1,200``."""
    return f"{factor:.1f}" if factor < 9.95 else count(round(factor))


def latency(us: float | None) -> str:
    """``850 µs``, ``14.2 ms``, ``1.24 s``, ``2.1 min``: three digits, the unit that fits."""
    if us is None:
        return NOTHING
    if us < 999.5:
        return f"{us:.0f} µs"
    if us < 999_500:
        return f"{_three_digits(us / 1000)} ms"
    if us < 119_500_000:
        return f"{_three_digits(us / 1e6)} s"
    return f"{_three_digits(us / 60e6)} min"


def rate(per_s: float) -> str:
    """``1,004/s``; under ten with one digit: ``0.5/s``."""
    if per_s <= 0:
        return "0/s"
    if per_s < 0.095:
        return "<0.1/s"
    return f"{per_s:.1f}/s" if per_s < 9.95 else f"{count(round(per_s))}/s"


def size(n_bytes: int) -> str:
    """``812 B``, ``1.4 kB``, ``2.0 MB`` (powers of ten, as disks and networks count)."""
    if n_bytes < 1000:
        return f"{n_bytes} B"
    for unit, width in (("kB", 1e3), ("MB", 1e6)):
        if n_bytes < width * 999.95:
            return f"{n_bytes / width:.1f} {unit}"
    return f"{n_bytes / 1e9:.1f} GB"


def duration(seconds: float) -> str:
    """``8 s``, ``4 min``, ``2 h 14 min``, ``3 d 4 h``: the two units that matter."""
    whole = max(int(seconds), 0)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min"
    if whole < 86_400:
        return _two(whole // 3600, "h", whole % 3600 // 60, "min")
    return _two(whole // 86_400, "d", whole % 86_400 // 3600, "h")


def ago(at_us: int | None, now_us: int) -> str:
    """``4 s ago``; clocks of two machines may differ, so the near future is ``just now``."""
    if at_us is None:
        return "never"
    seconds = (now_us - at_us) / 1e6
    return "just now" if seconds < 1 else f"{duration(seconds)} ago"


def viewer_zone(name: str | None) -> tzinfo:
    """The time zone a browser named, or UTC where it named none that is known here."""
    try:
        return ZoneInfo(name) if name else UTC
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


def clock(at_us: int, zone: tzinfo) -> str:
    """``05:15:02`` in the viewer's zone."""
    return datetime.fromtimestamp(at_us / 1e6, zone).strftime("%H:%M:%S")


def moment(at_us: int, zone: tzinfo) -> str:
    """``2026-11-24 05:15:02 CET`` in the viewer's zone."""
    return datetime.fromtimestamp(at_us / 1e6, zone).strftime("%Y-%m-%d %H:%M:%S %Z")


def visible(text: str) -> str:
    """Foreign text with what would not be seen, or would reorder it, written out: ``\\u202e``.

    Control, format (bidi marks, zero width), surrogate and private characters; line breaks and
    tabs stay. See Unicode TR 36 and CVE-2021-42574 for what bidi marks do to a reader.
    """
    return "".join(_visible(character) for character in text)


def escape_markdown(text: str) -> str:
    """Foreign text for a place that reads Markdown: it shows as it is, on one line.

    Bare addresses, emoji codes, ``:material/…:`` and arrows are replaced in the text *after*
    Markdown was parsed, where no backslash helps: a word joiner, which is not seen, breaks them.
    Where people will copy the text, use ``st.code`` or :func:`code_span` instead.
    """
    one_line = re.sub(r"\s+", " ", visible(text))
    broken = _REPLACED_AFTER_PARSING.sub(_WORD_JOINER, one_line)
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", broken)


def code_span(text: str) -> str:
    """Foreign text as inline code, where Markdown interprets nothing."""
    one_line = re.sub(r"\s+", " ", visible(text)).strip() or " "
    fence = "`" * (max((len(run) for run in re.findall(r"`+", one_line)), default=0) + 1)
    pad = " " if "`" in one_line else ""
    return f"{fence}{pad}{one_line}{pad}{fence}"


def _visible(character: str) -> str:
    if character in "\n\t" or unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Co"):
        return character
    point = ord(character)
    if point < 0x100:
        return f"\\x{point:02x}"
    return f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"


def _three_digits(value: float) -> str:
    return f"{value:.2f}" if value < 9.995 else f"{value:.1f}" if value < 99.95 else f"{value:.0f}"


def _two(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large} {large_unit}" + (f" {small} {small_unit}" if small else "")
