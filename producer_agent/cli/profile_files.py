"""Where a profile comes from: the database, what is shipped, or a file."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from producer_agent.delivery.profile_checks import check, librdkafka_refusal
from producer_agent.delivery.profiles import Problem, Profile
from producer_agent.delivery.shipped_profiles import shipped_profiles
from producer_agent.store import profiles
from producer_agent.store.reader import Reader

LARGEST_BYTES = 1_000_000


class NoProfile(Exception):
    """There is no such profile or file; the text says what there is."""


@dataclass(frozen=True, slots=True)
class FoundProfile:
    """A profile's JSON text, and where it was found."""

    name: str
    body: str
    source: Literal["database", "shipped", "file"]
    rate: float | None = None
    """Events a second as a person last set it, instead of the body's."""


def read_text(path: Path) -> str:
    """The text of a profile file; ``-`` is standard input.

    Raises:
        NoProfile: it cannot be read, or is no text.
    """
    try:
        if str(path) == "-":
            data = sys.stdin.buffer.read(LARGEST_BYTES + 1)
        else:
            with path.open("rb") as file:
                data = file.read(LARGEST_BYTES + 1)
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise NoProfile(
            f"{path} cannot be read ({error.strerror or error}). Give the path of a profile's "
            "JSON file; `profiles export NAME` writes one."
        ) from error
    except UnicodeDecodeError as error:
        raise NoProfile(f"{path} is no UTF-8 text ({error.reason}). Save it as UTF-8.") from error
    if len(data) > LARGEST_BYTES:
        raise NoProfile(f"{path} is larger than {LARGEST_BYTES:,} bytes, which is no profile.")
    return text


def is_file_name(text: str) -> bool:
    """Whether an argument means a file: names of profiles have neither ``/`` nor ``.json``."""
    return text.endswith(".json") or "/" in text


def find(db: Path, name: str) -> FoundProfile:
    """A profile by name: from the database, else a shipped one.

    Raises:
        NoProfile: there is neither. StoreError: the database cannot be read.
    """
    if db.exists():
        row = Reader(db)(partial(profiles.get, name=name))
        if row is not None:
            return FoundProfile(name, row.body, "database", row.rate)
    shipped = {profile.name: profile for profile in shipped_profiles()}
    if name in shipped:
        return FoundProfile(name, shipped[name].to_json(), "shipped")
    known = set(shipped)
    if db.exists():
        known |= {row.name for row in Reader(db)(profiles.all_profiles)}
    raise NoProfile(f"There is no profile {name!r}. There are: {', '.join(sorted(known))}.")


def problems_of(profile: Profile) -> list[Problem]:
    """All that is wrong with a profile, by our rules and, if these pass, by librdkafka's."""
    problems = check(profile)
    if not any(problem.severity == "error" for problem in problems):
        refusal = librdkafka_refusal(profile)
        if refusal is not None:
            problems = [refusal, *problems]
    return problems
