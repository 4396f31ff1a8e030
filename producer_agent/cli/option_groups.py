"""Options that several commands take together, written down once as a dataclass."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import fields
from functools import wraps
from typing import Any, get_type_hints

Command = Callable[..., None]


def taking(name: str, group: type[Any]) -> Callable[[Command], Command]:
    """Give a command the options of ``group``, a dataclass whose fields are annotated as typer's
    parameters are; it takes them whole, as its parameter ``name``.

    Typer reads a command's options from its signature, so each command that takes them would have
    to spell out all of them.
    """

    def decorate(command: Command) -> Command:
        hints = get_type_hints(command, include_extras=True)
        shared = get_type_hints(group, include_extras=True)
        names = [field.name for field in fields(group)]
        parameters: list[inspect.Parameter] = []
        for parameter in inspect.signature(command).parameters.values():
            if parameter.name == name:
                parameters += [
                    inspect.Parameter(
                        field.name,
                        inspect.Parameter.KEYWORD_ONLY,
                        default=field.default,
                        annotation=shared[field.name],
                    )
                    for field in fields(group)
                ]
            else:
                parameters.append(
                    parameter.replace(
                        kind=inspect.Parameter.KEYWORD_ONLY, annotation=hints[parameter.name]
                    )
                )

        @wraps(command)
        def called(**values: Any) -> None:
            taken = group(**{each: values.pop(each) for each in names})
            command(**{name: taken}, **values)

        called.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        called.__annotations__ = {each.name: each.annotation for each in parameters}
        return called

    return decorate
