"""The time-out picture: a record's attempts inside its time, and who led its partition then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import plotly.graph_objects as go

from dashboard.chart_parts import MUTED_COLOR, base_layout, faint_color
from dashboard.formats import latency
from producer_agent.advice.diagnosis.timeouts import AttemptsTold, OneAttempt

HEIGHT_PX: Final = 230

_STORED: Final = {False: "#C0392B", True: "#FF7B6B"}
"""Of an attempt that may have stored the record, by dark ground or not."""

_REFUSED: Final = {False: "#56708a", True: "#8fb0cf"}
_TEXT: Final = {False: "#24313c", True: "#e3eaf0"}
_LED: Final = {False: "#d3dae1", True: "#33424f"}
_LANES: Final = ("led by", "attempts", "waited")
_THICK: Final = 0.5


@dataclass(frozen=True, slots=True)
class Led:
    """Who led the partition in a piece of the record's life; microseconds after produce()."""

    from_us: int
    until_us: int
    leader: str
    """``2``, ``nobody`` or ``not known``."""
    in_sync: str


@dataclass(frozen=True, slots=True)
class Life:
    """What is drawn. All times are microseconds after produce()."""

    ended_us: int
    limit_us: int | None
    """``delivery.timeout.ms``; None: not known."""
    backoff_us: int | None
    """``retry.backoff.ms``; None: not known."""
    sent_us: int
    """When produce() was called, in UTC."""
    told: AttemptsTold
    led: tuple[Led, ...]
    events: tuple[tuple[int, str], ...]
    """What happened to brokers meanwhile, in words."""


def timeout(life: Life, *, dark: bool) -> go.Figure:
    """Three lanes over the seconds after ``produce()``: it waited, its attempts, the leader."""
    figure = go.Figure()
    figure.update_layout(**base_layout(dark=dark, right_px=16, legend=True))
    figure.update_layout(height=HEIGHT_PX, barmode="overlay", hovermode="closest")
    _waited(figure, life, dark=dark)
    if life.told.each:
        _attempts(figure, life, dark=dark)
    else:
        _spans(figure, life, dark=dark)
    _led(figure, life, dark=dark)
    end_s = max(life.ended_us, life.limit_us or 0) / 1e6
    figure.update_xaxes(range=[-end_s * 0.01, end_s * 1.03], ticksuffix=" s", showgrid=True)
    figure.update_yaxes(
        tickvals=list(range(len(_LANES))), ticktext=list(_LANES), range=[-0.6, 2.7], showgrid=False
    )
    return figure


def _bar(
    figure: go.Figure,
    lane: int,
    pieces: Sequence[tuple[int, int, str]],
    color: str,
    *,
    name: str | None = None,
    hatched: bool = False,
    outline: str | None = None,
    texts: Sequence[str] | None = None,
    text_color: str | None = None,
) -> None:
    """Pieces ``(from, until, hover)`` of one lane in one colour."""
    figure.add_bar(
        orientation="h",
        base=[begin / 1e6 for begin, _, _ in pieces],
        x=[(end - begin) / 1e6 for begin, end, _ in pieces],
        y=[lane] * len(pieces),
        width=_THICK,
        name=name,
        showlegend=name is not None,
        text=texts,
        textposition="inside",
        insidetextanchor="middle",
        constraintext="inside",
        textangle=0,
        insidetextfont={"color": text_color, "size": 11} if text_color else None,
        customdata=[hover for *_, hover in pieces],
        hovertemplate="%{customdata}<extra></extra>",
        marker={
            "color": "rgba(0,0,0,0)" if hatched else color,
            "line": {"width": 1 if outline else 0, "color": outline},
            "pattern": {"shape": "/", "fgcolor": color, "size": 5} if hatched else {},
        },
    )


def _waited(figure: go.Figure, life: Life, *, dark: bool) -> None:
    waited = f"from produce() to its outcome: {latency(life.ended_us)}"
    _bar(figure, 2, [(0, life.ended_us, waited)], faint_color(MUTED_COLOR[dark]))
    if life.limit_us is not None:
        figure.add_vline(
            x=life.limit_us / 1e6,
            line={"color": MUTED_COLOR[dark], "width": 1.2, "dash": "dash"},
        )
        figure.add_annotation(
            x=life.limit_us / 1e6,
            y=2.65,
            text=f"delivery.timeout.ms {latency(life.limit_us)}",
            showarrow=False,
            xanchor="right",
            xshift=-4,
            yanchor="top",
            font={"size": 11, "color": MUTED_COLOR[dark]},
        )


def _attempts(figure: go.Figure, life: Life, *, dark: bool) -> None:
    """Each attempt at the moment it was over; before it the back-off, then the time it can have
    taken at most. A partition's attempts overlap, so of those only the ends are drawn."""
    ends = [max(attempt.ended_us - life.sent_us, 0) for attempt in life.told.each]
    if life.told.exact:
        skipped = len(ends) // 2 if life.told.left_out else -1
        pauses, tries = [], []
        for number, end in enumerate(ends):
            if number == skipped:
                continue
            begin = ends[number - 1] if number else 0
            if number and life.backoff_us:
                pause_end = min(begin + life.backoff_us, end)
                pauses.append((begin, pause_end, f"back-off of {latency(life.backoff_us)}"))
                begin = pause_end
            tries.append((begin, end, f"attempt {_number(life, number)}: sent after, or waited"))
        _bar(figure, 1, tries, faint_color(_REFUSED[dark]), outline=_LED[dark])
        if pauses:
            _bar(figure, 1, pauses, faint_color(MUTED_COLOR[dark]), name="back-off", hatched=True)
    for maybe in (False, True):
        chosen = [at for at, attempt in enumerate(life.told.each) if attempt.may_be_stored is maybe]
        if chosen:
            figure.add_scatter(
                x=[ends[at] / 1e6 for at in chosen],
                y=[1] * len(chosen),
                mode="markers",
                name="may be stored" if maybe else "not stored",
                marker={
                    "symbol": "diamond" if maybe else "line-ns",
                    "size": 11 if maybe else 16,
                    "color": (_STORED if maybe else _REFUSED)[dark],
                    "line": {"width": 2, "color": (_STORED if maybe else _REFUSED)[dark]},
                },
                customdata=[
                    _attempt_words(_number(life, at), life.told.each[at], ends[at]) for at in chosen
                ],
                hovertemplate="%{customdata}<extra></extra>",
            )
    if life.told.left_out:
        middle = len(ends) // 2
        figure.add_annotation(
            x=(ends[middle - 1] + ends[middle]) / 2e6,
            y=1,
            text=f"{life.told.left_out:,} more",
            showarrow=False,
            font={"size": 11, "color": MUTED_COLOR[dark]},
        )


def _spans(figure: go.Figure, life: Life, *, dark: bool) -> None:
    """Where attempts were not told one by one: from the first to the last of each cause."""
    for cause in life.told.causes:
        if cause.first_us is None or cause.last_us is None:
            continue
        begin, end = (max(at - life.sent_us, 0) for at in (cause.first_us, cause.last_us))
        words = f"{cause.attempts:,} attempts ended in {cause.cause} from here to there"
        color = (_STORED if cause.may_be_stored else _REFUSED)[dark]
        name = "may be stored" if cause.may_be_stored else "not stored"
        _bar(figure, 1, [(begin, max(end, begin + 1), words)], faint_color(color), name=name)


def _led(figure: go.Figure, life: Life, *, dark: bool) -> None:
    groups = {
        _LED[dark]: [piece for piece in life.led if piece.leader.isdigit()],
        faint_color(_STORED[dark]): [piece for piece in life.led if piece.leader == "nobody"],
    }
    for color, pieces in groups.items():
        if pieces:
            _bar(
                figure,
                0,
                [
                    (
                        piece.from_us,
                        piece.until_us,
                        f"led by {piece.leader}, in sync: {piece.in_sync}",
                    )
                    for piece in pieces
                ],
                color,
                texts=[
                    f"broker {piece.leader}" if piece.leader.isdigit() else piece.leader
                    for piece in pieces
                ],
                text_color=_TEXT[dark],
            )
    unknown = [piece for piece in life.led if piece.leader == "not known"]
    if unknown:
        _bar(
            figure,
            0,
            [(piece.from_us, piece.until_us, "not watched then") for piece in unknown],
            faint_color(MUTED_COLOR[dark]),
            hatched=True,
        )
    if life.events:
        figure.add_scatter(
            x=[at / 1e6 for at, _ in life.events],
            y=[0.42] * len(life.events),
            mode="markers",
            name="seen on the cluster",
            marker={"symbol": "triangle-down", "size": 10, "color": MUTED_COLOR[dark]},
            customdata=[words for _, words in life.events],
            hovertemplate="%{customdata}<extra></extra>",
        )


def _number(life: Life, at: int) -> int:
    """Of an attempt among all of them, from 1."""
    beyond = life.told.left_out if at >= len(life.told.each) // 2 else 0
    return at + 1 + beyond


def _attempt_words(number: int, attempt: OneAttempt, end_us: int) -> str:
    stored = "may be stored" if attempt.may_be_stored else "not stored"
    return f"attempt {number}, over after {latency(end_us)}:<br>{attempt.cause}, {stored}"
