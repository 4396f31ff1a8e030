"""How records are to be sent back: the options that say so, for a plan and for a rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import typer

from producer_agent.cli.option_groups import taking
from producer_agent.replay.options import OptionsInvalid, PlanOptions

NEVER = "never"


@dataclass(frozen=True, slots=True)
class SendingOptions:
    """The options as they were given."""

    to: Annotated[
        str | None,
        typer.Option(
            help="Send all to this topic; else each goes to the one it came from.", metavar="TOPIC"
        ),
    ] = None
    rule: Annotated[
        list[str] | None,
        typer.Option(
            help="Send what came from FROM to TO instead; may be repeated.", metavar="FROM=TO"
        ),
    ] = None
    partition: Annotated[
        str | None,
        typer.Option(
            help="same (default): the partition it had; key: where its key belongs now.",
            metavar="same|key",
        ),
    ] = None
    rate: Annotated[
        float | None, typer.Option(help="Records a second; else no limit.", metavar="N")
    ] = None
    ramp: Annotated[
        str | None,
        typer.Option(
            help="Send so many first and watch each step: 1,10 is one, ten, then the rest.",
            metavar="N,N",
        ),
    ] = None
    ramp_wait: Annotated[
        float | None,
        typer.Option(
            help="Seconds for which a step is watched for records that come back; 10.", metavar="S"
        ),
    ] = None
    stop_share: Annotated[
        str | None,
        typer.Option(
            help="Stop when this share of what was sent came back, 0.2 if not said; or never.",
            metavar="SHARE",
        ),
    ] = None
    most_times_back: Annotated[
        int | None,
        typer.Option(help="Refuse a record that came back so often; 3 if not said.", metavar="N"),
    ] = None
    keep_failure_headers: Annotated[
        bool,
        typer.Option("--keep-failure-headers", help="Send the failure headers along."),
    ] = False
    exactly_once: Annotated[
        str | None,
        typer.Option(
            help="What keeps it exactly once: transactions (default where the cluster keeps them) "
            "or ledger.",
            metavar="transactions|ledger",
        ),
    ] = None

    def read(self, force: str | None = None) -> dict[str, Any]:
        """What differs from the defaults, as a command takes it.

        Raises:
            typer.BadParameter: an option is wrong; the text names each.
        """
        given: dict[str, Any] = {
            "to": self.to,
            "rules": [_rule(text) for text in self.rule or ()] or None,
            "partition": self.partition,
            "keep_failure_headers": self.keep_failure_headers or None,
            "rate_per_s": self.rate,
            "ramp": None if self.ramp is None else _steps(self.ramp),
            "ramp_wait_s": self.ramp_wait,
            "most_times_back": self.most_times_back,
            "exactly_once": self.exactly_once,
            "force": force,
        }
        given = {name: value for name, value in given.items() if value is not None}
        if self.stop_share is not None:
            given["stop_share"] = _share(self.stop_share)
        try:
            options = PlanOptions.read(given)
        except OptionsInvalid as error:
            raise typer.BadParameter(str(error)) from error
        return options.model_dump(mode="json", exclude_defaults=True)


saying_how = taking("sending", SendingOptions)
"""Gives a command these options; it takes them whole, as ``sending``."""


def _rule(text: str) -> dict[str, str]:
    topic, equals, to = text.partition("=")
    if not (topic and equals and to):
        raise typer.BadParameter(f"{text!r} is no rule. Write FROM=TO, two topics.")
    return {"topic": topic, "to": to}


def _steps(text: str) -> list[int]:
    steps = text.split(",")
    if not all(step.strip().isdecimal() for step in steps):
        raise typer.BadParameter(f"{text!r} is no ramp. Write numbers with commas: 1,10.")
    return [int(step) for step in steps]


def _share(text: str) -> float | None:
    if text == NEVER:
        return None
    try:
        return float(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is no share. Write a number from above 0 to 1, or {NEVER}."
        ) from None
