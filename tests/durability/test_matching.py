"""The matcher against a model: whatever was claimed and read, in whatever order, the verdict is
what counting event by event tells."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from producer_agent.durability import blocks, judging, matching
from producer_agent.durability.blocks import NOWHERE
from producer_agent.durability.matching import Matcher, TooMuchAmiss
from producer_agent.durability.verdicts import Claim, Flag, Found, Kind, Matrix, Place

SMALL = 8


@pytest.fixture(scope="module", autouse=True)
def small_blocks() -> Iterator[None]:
    """Blocks of eight events, two of them open: everything is sealed and opened again."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (blocks, judging, matching):
            patch.setattr(module, "SIZE", SMALL)
        patch.setattr(matching, "MOST_OPEN", 2)
        yield


@dataclass(frozen=True)
class Record:
    """One record of the run on a place."""

    offset: int
    sequence: int
    corrupt: bool = False
    replayed: bool = False


@dataclass(frozen=True)
class Told:
    """What was claimed of an event."""

    claim: Claim
    place: int = NOWHERE
    offset: int = NOWHERE


@dataclass
class World:
    """A run, and what is on its topic."""

    accepted: int
    first: int
    end: int | None
    places: list[Place]
    lows: list[int]
    """Before reading."""
    logs: list[list[Record]]
    claims: dict[int, Told]
    steps: list[tuple[str, int]] = field(default_factory=list)
    """``("claims", n)``, ``("read", place)`` with how many by turns, ``("resume", 0)``."""


@st.composite
def worlds(draw: st.DrawFn) -> World:
    accepted = draw(st.integers(0, 40))
    n_places = draw(st.integers(1, 3))
    starts = [draw(st.integers(0, 3)) for _ in range(n_places)]
    lows = [start + draw(st.sampled_from([0, 0, 4])) for start in starts]
    logs: list[list[Record]] = []
    for low in lows:
        records = draw(
            st.lists(
                st.builds(
                    Record,
                    offset=st.integers(1, 3),  # a gap: a marker, or somebody else's record
                    sequence=st.integers(0, accepted + 2),
                    corrupt=st.sampled_from([False] * 9 + [True]),
                    replayed=st.sampled_from([False] * 9 + [True]),
                ),
                max_size=30,
            )
        )
        if draw(st.booleans()):
            records.sort(key=lambda record: record.sequence)
        offset, log = low - 1, []
        for record in records:
            offset += record.offset
            log.append(Record(offset, record.sequence, record.corrupt, record.replayed))
        logs.append(log)
    places = []
    for number, log in enumerate(logs):
        ends = (log[-1].offset if log else lows[number]) + draw(st.integers(1, 3))
        places.append(
            Place(
                topic="t",
                partition=number,
                start=starts[number],
                low=lows[number] + draw(st.sampled_from([0, 0, 6])),
                read_to=ends,
                whole=draw(st.sampled_from([True, True, False])),
                compacted=draw(st.sampled_from([False, False, True])),
            )
        )
    where = defaultdict(list)
    for number, log in enumerate(logs):
        for record in log:
            where[record.sequence].append((number, record.offset))
    claims: dict[int, Told] = {}
    for sequence in range(accepted + 1):
        claim = draw(st.sampled_from([Claim.DELIVERED] * 6 + list(Claim)))
        if claim is Claim.NONE:
            continue
        if claim is Claim.DELIVERED:
            true = where[sequence]
            if true and draw(st.sampled_from([True, True, True, False])):
                claims[sequence] = Told(claim, *draw(st.sampled_from(true)))
            else:
                at = draw(st.integers(NOWHERE, 90))
                claims[sequence] = Told(claim, draw(st.integers(0, n_places - 1)), at)
        else:
            claims[sequence] = Told(claim, draw(st.integers(NOWHERE, n_places - 1)))
    steps = [("claims", draw(st.integers(1, 12))) for _ in range(draw(st.integers(0, 6)))]
    steps += [
        (f"read {place}", draw(st.integers(1, 12))) for place in range(n_places) for _ in "ab"
    ]
    steps += [("resume", 0)] * draw(st.integers(0, 2))
    return World(
        accepted,
        draw(st.sampled_from([0, 0, 0, 5])),
        draw(st.sampled_from([None, None, 20])),
        places,
        lows,
        logs,
        claims,
        list(draw(st.permutations(steps))),
    )


def audited(world: World) -> Matcher:
    """A matcher that was told everything, in the order of the world's steps."""
    made = Matcher(world.lows, first=world.first, end=world.end)
    claims = sorted(world.claims.items())
    logs = [list(log) for log in world.logs]

    def claim(n: int) -> None:
        lot, claims[:n] = claims[:n], []
        if lot:
            made.claim(
                np.array([sequence for sequence, _ in lot]),
                np.array([told.claim for _, told in lot], dtype=np.uint8),
                np.array([told.place for _, told in lot]),
                np.array([told.offset for _, told in lot]),
            )

    def sight(place: int, n: int) -> None:
        lot, logs[place][:n] = logs[place][:n], []
        if lot:
            made.sight(
                place,
                np.array([record.offset for record in lot]),
                np.array([record.sequence for record in lot]),
                np.array([record.corrupt for record in lot]),
                np.array([record.replayed for record in lot]),
            )

    for what, n in world.steps:
        if what == "claims":
            claim(n)
        elif what == "resume":
            dumped = made.dump()
            made = Matcher(world.lows, first=world.first, end=world.end)
            made.load(dumped)
        else:
            sight(int(what.split()[1]), n)
    claim(len(claims))
    for place in range(len(logs)):
        sight(place, len(logs[place]))
    return made


def order_of_reading(world: World) -> list[tuple[int, Record]]:
    """The records in the order in which :func:`audited` takes them."""
    logs, found = [list(log) for log in world.logs], []
    reads = [(int(what.split()[1]), n) for what, n in world.steps if what.startswith("read")]
    for place, n in [*reads, *((place, 10_000) for place in range(len(logs)))]:
        lot, logs[place][:n] = logs[place][:n], []
        found += [(place, record) for record in lot]
    return found


@dataclass
class Expected:
    matrix: Matrix
    kinds: dict[Kind, list[int]]
    where: dict[int, list[tuple[int, int]]]


def by_counting(world: World) -> Expected:
    """The model: each event by itself, with nothing but lists."""
    matrix = Matrix()
    where: dict[int, list[tuple[int, int]]] = defaultdict(list)
    flags: dict[int, Flag] = defaultdict(lambda: Flag(0))
    tops = [-1] * len(world.places)
    for place, record in order_of_reading(world):
        matrix.replayed += record.replayed
        if record.sequence < world.first:
            matrix.before += not record.replayed
            continue
        if world.end is not None and record.sequence >= world.end:
            continue
        if record.replayed:
            flags[record.sequence] |= Flag.REPLAYED
            continue
        if not where[record.sequence]:
            if record.sequence < tops[place]:
                flags[record.sequence] |= Flag.REORDERED
            tops[place] = max(tops[place], record.sequence)
        else:
            matrix.excess += 1
        if record.corrupt:
            flags[record.sequence] |= Flag.CORRUPT
        where[record.sequence].append((place, record.offset))
    kinds: dict[Kind, list[int]] = defaultdict(list)
    last = max([world.accepted - 1, *world.claims, *(s for s in where if where[s])])
    for sequence in range(world.first, last + 1):
        if world.end is not None and sequence >= world.end:
            break
        told = world.claims.get(sequence, Told(Claim.NONE))
        places = where[sequence]
        if sequence >= world.accepted and not places and told.claim is Claim.NONE:
            continue
        found = _found(world, told, len(places))
        matrix.add(told.claim, found)
        differs = told.offset != NOWHERE and places and (told.place, told.offset) not in places
        its = flags[sequence] | (Flag.OFFSET_DIFFERS if differs else Flag(0))
        for flag in Flag:
            if flag in its:
                matrix.flagged[flag] = matrix.flagged.get(flag, 0) + 1
        listed = {
            Kind.LOST: told.claim is Claim.DELIVERED and found is Found.ABSENT,
            Kind.DUPLICATE: len(places) > 1,
            Kind.PHANTOM: told.claim in (Claim.FAILED, Claim.REJECTED) and places,
            Kind.REORDERED: Flag.REORDERED in its,
            Kind.OFFSET_DIFFERS: Flag.OFFSET_DIFFERS in its,
            Kind.CORRUPT: Flag.CORRUPT in its,
        }
        for kind, is_so in listed.items():
            if is_so:
                kinds[kind].append(sequence)
    return Expected(matrix, kinds, where)


def _found(world: World, told: Told, times: int) -> Found:
    if times:
        return Found.ONCE if times == 1 else Found.MORE
    if told.claim is Claim.REJECTED:
        return Found.ABSENT
    places = world.places if told.place == NOWHERE else [world.places[told.place]]
    if told.offset != NOWHERE:
        if told.offset < max(places[0].low, world.lows[told.place]):
            return Found.TRIMMED
    elif any(place.low > place.start for place in places):
        return Found.TRIMMED
    if any(place.compacted for place in places):
        return Found.COMPACTED
    for place in places:
        if not place.whole and not (NOWHERE < told.offset < place.read_to):
            return Found.UNSEEN
    return Found.ABSENT


@settings(max_examples=400, deadline=None)
@given(worlds())
def test_every_verdict_is_what_counting_event_by_event_tells(world: World) -> None:
    matrix, findings = audited(world).judge(world.places, world.accepted)
    expected = by_counting(world)
    assert matrix == expected.matrix
    listed: dict[Kind, list[int]] = defaultdict(list)
    for finding in findings:
        listed[finding.kind].append(finding.sequence)
        assert set(finding.found) <= set(expected.where[finding.sequence])
        assert finding.claim is world.claims.get(finding.sequence, Told(Claim.NONE)).claim
    assert listed == expected.kinds


def numbers(*values: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    return np.array(values, dtype=np.int64)


def no(n: int) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    return np.zeros(n, dtype=bool)


PLACE = Place("t", 0, start=0, low=0, read_to=100, whole=True)


def test_an_acknowledged_event_whose_log_was_cut_below_it_is_lost_and_not_unseen() -> None:
    made = Matcher([0])
    made.claim(numbers(0, 1), Claim.DELIVERED, 0, numbers(4, 900))
    made.sight(0, numbers(4), numbers(0), no(1), no(1))
    matrix, (lost,) = made.judge([PLACE], 2)
    assert (matrix.kept, matrix.lost, matrix.unknown) == (1, 1, 0)
    assert (lost.kind, lost.sequence, lost.offset, lost.found) == (Kind.LOST, 1, 900, ())


def test_only_so_many_are_listed_and_all_are_counted() -> None:
    made = Matcher([0])
    made.claim(np.arange(50), Claim.DELIVERED, 0, np.arange(50))
    matrix, findings = made.judge([PLACE], 50, list_at_most=7)
    assert matrix.lost == 50
    assert [finding.sequence for finding in findings] == list(range(7))


def test_more_amiss_than_memory_allows_is_said_and_not_guessed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(matching, "MOST_UNSETTLED", 30)
    made = Matcher([0])
    with pytest.raises(TooMuchAmiss, match="over 30 events"):
        made.claim(np.arange(100), Claim.DELIVERED, 0, np.arange(100))


def test_a_place_trimmed_before_it_was_read_costs_a_byte_an_event(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What an embedded cluster deletes, and a topic of short retention, is no reason to give up."""
    monkeypatch.setattr(matching, "MOST_UNSETTLED", 5)
    made = Matcher([60])
    made.claim(np.arange(60), Claim.DELIVERED, 0, np.arange(60))
    for at in range(60, 100, 4):
        lot = np.arange(at, at + 4)
        made.claim(lot, Claim.DELIVERED, 0, lot)
        made.sight(0, lot, lot, no(4), no(4))
    matrix, findings = made.judge([Place("t", 0, 0, 60, 100, True)], 100)
    assert matrix.cells == {
        (Claim.DELIVERED, Found.TRIMMED): 60,
        (Claim.DELIVERED, Found.ONCE): 40,
    }
    assert findings == []


def test_a_matrix_comes_back_from_json_as_it_was() -> None:
    matrix = Matrix(excess=2, replayed=3, foreign=4, before=5, flagged={Flag.CORRUPT: 1})
    matrix.add(Claim.DELIVERED, Found.ABSENT, 7)
    matrix.add(Claim.IN_DOUBT, Found.ONCE, 8)
    assert Matrix.from_json(matrix.to_json()) == matrix
    assert Counter(matrix.to_json()["cells"]["delivered"]) == {"absent": 7}
