"""What a Python expression is worth, as far as that can be told without running it."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final


class Unknown:
    """A value that only the running program has; `UNKNOWN` is the one there is."""


UNKNOWN: Final = Unknown()

_WORDS: Final = MappingProxyType({"true": True, "false": False, "null": None, "none": None})
_OPERATORS: Final[Mapping[type[ast.operator], Callable[[int, int], int]]] = MappingProxyType(
    {
        ast.Add: operator.add,
        ast.Sub: operator.sub,
        ast.Mult: operator.mul,
        ast.FloorDiv: operator.floordiv,
        ast.LShift: operator.lshift,
        ast.Pow: operator.pow,
    }
)
_LARGEST: Final = 2**63
_LARGEST_EXPONENT: Final = 63
_LONGEST_TEXT: Final = 100_000


def evaluated(node: ast.expr, constants: Mapping[str, object]) -> object:
    """The value of an expression: a text, number, flag, None, list, mapping, or Unknown.

    Arithmetic of plain integers is done (`64 * 1024`), names are looked up in `constants`, which
    hold what was assigned before; bytes are read as text.
    """
    match node:
        case ast.Constant(value=bytes() as raw):
            return raw.decode("utf-8", "replace")
        case ast.Constant(value=str() | int() | float() | None as value):
            return value
        case ast.Name(id=name) if name in constants:
            return constants[name]
        case ast.Name(id=name) if name in _WORDS:
            return _WORDS[name]
        case ast.Attribute() if ast.unparse(node) in constants:
            return constants[ast.unparse(node)]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            number = evaluated(operand, constants)
            return -number if isinstance(number, int | float) else UNKNOWN
        case ast.BinOp(left=left, op=op, right=right):
            return _calculated(evaluated(left, constants), op, evaluated(right, constants))
        case ast.JoinedStr(values=parts):
            return _joined(parts, constants)
        case ast.List(elts=elements) | ast.Tuple(elts=elements) | ast.Set(elts=elements):
            return [evaluated(element, constants) for element in elements]
        case ast.Dict():
            return {}
        case ast.Call(func=ast.Name(id="str" | "int" | "float"), args=[argument], keywords=[]):
            inner = evaluated(argument, constants)
            return inner if isinstance(inner, str | int | float) else UNKNOWN
        case ast.Call(
            func=ast.Attribute(value=ast.Constant(value=str() as glue), attr="join"), args=[listed]
        ):
            texts = evaluated(listed, constants)
            if isinstance(texts, list) and all(isinstance(text, str) for text in texts):
                return _bounded(glue.join(texts))
    return UNKNOWN


def _bounded(text: str) -> object:
    # A text that is doubled line by line must not fill the memory.
    return text if len(text) <= _LONGEST_TEXT else UNKNOWN


def _calculated(left: object, op: ast.operator, right: object) -> object:
    if isinstance(left, str) and isinstance(right, str) and isinstance(op, ast.Add):
        return _bounded(left + right)
    do = _OPERATORS.get(type(op))
    if do is None or type(left) is not int or type(right) is not int:
        return UNKNOWN
    if isinstance(op, ast.Pow | ast.LShift) and not 0 <= right <= _LARGEST_EXPONENT:
        return UNKNOWN
    if (
        abs(left) > _LARGEST
        or abs(right) > _LARGEST
        or (isinstance(op, ast.FloorDiv) and not right)
    ):
        return UNKNOWN
    return do(left, right)


def _joined(parts: list[ast.expr], constants: Mapping[str, object]) -> object:
    done: list[str] = []
    for part in parts:
        inner = part.value if isinstance(part, ast.FormattedValue) else part
        value = evaluated(inner, constants)
        plain = not isinstance(part, ast.FormattedValue) or (
            part.format_spec is None and part.conversion == -1
        )
        if not plain or not isinstance(value, str | int | float):
            return UNKNOWN
        done.append(str(value))
    return _bounded("".join(done))


def code_of(node: ast.expr) -> str | None:
    """The expression as code, if it holds no text but the names of environment variables.

    Any other text in it may be a password; None then.
    """
    return ast.unparse(node) if _is_safe_to_show(node) else None


def _is_safe_to_show(node: ast.expr) -> bool:
    names = {id(key) for part in ast.walk(node) if (key := _environment_key(part)) is not None}
    return not any(
        isinstance(part, ast.Constant)
        and isinstance(part.value, str | bytes)
        and id(part) not in names
        for part in ast.walk(node)
    )


def _environment_key(node: ast.AST) -> ast.expr | None:
    """The name of the variable in `os.environ["X"]`, `os.environ.get("X")`, `os.getenv("X")`."""
    match node:
        case ast.Subscript(value=owner, slice=key) if ast.unparse(owner).endswith("environ"):
            return key
        case ast.Call(func=called, args=[key, *_]) if ast.unparse(called).endswith(
            ("getenv", "environ.get")
        ):
            return key
    return None
