"""Reads nested documents, YAML and JSON, as paths and values with the lines they stand on."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import yaml

from producer_agent.advice.check.pasted import MOST_SETTINGS, ConfigurationUnreadable

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NAMED: Final = {"name", "value"}
"""The keys of an entry of a list of settings, as container orchestrators have their variables."""

_DEEPEST: Final = 30
_QUOTED: Final = re.compile(r"[\"'].*[\"']", re.DOTALL)
"""What PyYAML quotes of the text in its complaints; it may be part of a password."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """One value of a document, and the keys on the way to it; a list is joined by commas."""

    path: tuple[str, ...]
    value: str | None
    line: int
    listed: bool = False
    quoted: bool = False


def read_json(text: str) -> object:
    """The decoded JSON, in which each object is a `_Pairs`: a key written twice is kept.

    Raises:
        ConfigurationUnreadable: it is no JSON.
    """
    try:
        return json.loads(text, object_pairs_hook=Pairs)
    except json.JSONDecodeError as error:
        raise ConfigurationUnreadable(
            f"This is no JSON ({error.msg}).", "Correct it there.", line=error.lineno
        ) from error
    except (RecursionError, ValueError) as error:
        raise ConfigurationUnreadable(
            "The JSON is nested too deeply, or a number in it is too long.",
            "Paste the configuration alone.",
        ) from error


class Pairs(list[tuple[str, Any]]):
    """The members of a JSON object in their order."""

    def get(self, name: str) -> Any:
        """The last member of this name, as JSON readers have it; None if there is none."""
        return dict(self).get(name)


def json_leaves(document: object, path: tuple[str, ...] = ()) -> Iterator[Leaf]:
    """Every value of a decoded document. Lines are not known in JSON, and given as 1."""
    if len(path) > _DEEPEST:
        raise _too_deep()
    if isinstance(document, Pairs) and {name for name, _ in document} == _NAMED:
        yield from json_leaves(document.get("value"), (*path, str(document.get("name"))))
    elif isinstance(document, Pairs):
        for name, value in document:
            yield from json_leaves(value, (*path, name))
    elif isinstance(document, list):
        if all(isinstance(item, str | int | float) for item in document):
            yield Leaf(path, ",".join(_text(item) or "" for item in document), 1, listed=True)
        else:
            for item in document:
                yield from json_leaves(item, path)
    else:
        yield Leaf(path, _text(document), 1, quoted=isinstance(document, str))


def yaml_leaves(text: str) -> list[Leaf]:
    """Every value of the documents in a YAML text.

    Raises:
        ConfigurationUnreadable: it is no YAML, or its aliases make it too large.
    """
    leaves: list[Leaf] = []
    loader = None
    try:
        loader = _Loader(text)
        while loader.check_node():
            for leaf in _node_leaves(loader, loader.get_node(), (), []):
                leaves.append(leaf)
                if len(leaves) > MOST_SETTINGS:
                    raise ConfigurationUnreadable(
                        f"There are more than {MOST_SETTINGS:,} settings.",
                        "Paste the configuration of one producer.",
                    )
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise ConfigurationUnreadable(
            f"This is no YAML ({_QUOTED.sub('…', error.problem or 'it cannot be read')}).",
            "Correct it there; a value that begins with {, %, @ or a backtick needs quotes.",
            line=mark.line + 1 if mark else None,
        ) from error
    except (yaml.YAMLError, ValueError) as error:
        if isinstance(error, ConfigurationUnreadable):
            raise
        raise ConfigurationUnreadable(
            "This is no YAML (it holds a character that YAML does not allow).",
            "Remove control characters.",
        ) from error
    finally:
        if loader is not None:
            loader.dispose()
    return leaves


def toml_leaves(text: str) -> list[Leaf]:
    """Every value of a TOML text.

    Raises:
        ConfigurationUnreadable: it is no TOML.
    """
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise ConfigurationUnreadable("This is no TOML.", "Correct it.") from error
    lines = _toml_lines(text)
    leaves = [
        Leaf(leaf.path, leaf.value, lines.get(".".join(leaf.path), 1), leaf.listed, leaf.quoted)
        for leaf in json_leaves(_pairs(document))
    ]
    return sorted(leaves, key=lambda leaf: leaf.line)


def _pairs(value: object) -> object:
    if isinstance(value, dict):
        return Pairs((name, _pairs(inner)) for name, inner in value.items())
    return [_pairs(item) for item in value] if isinstance(value, list) else value


_TOML_KEY: Final = re.compile(
    r"\s*((?:[\w-]+|\"[^\"]*\"|'[^']*')(?:\s*\.\s*(?:[\w-]+|\"[^\"]*\"|'[^']*'))*)\s*="
)
_TOML_TABLE: Final = re.compile(r"\s*\[+\s*([^\]]*?)\s*\]+")


def _toml_lines(text: str) -> dict[str, int]:
    """The line of each key, by its whole path; tomllib does not tell."""
    lines: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.split("\n"), 1):
        if heading := _TOML_TABLE.match(line):
            table = re.sub(r"[\"'\s]", "", heading[1]) + "."
        elif key := _TOML_KEY.match(line):
            lines.setdefault(table + re.sub(r"[\"'\s]", "", key[1]), number)
    return lines


def _node_leaves(
    loader: Any, node: Any, path: tuple[str, ...], steps: list[None]
) -> Iterator[Leaf]:
    steps.append(None)
    # Aliases of aliases stand for more nodes than could ever be read.
    if len(path) > _DEEPEST or len(steps) > 10 * MOST_SETTINGS:
        raise _too_deep()
    line = node.start_mark.line + 1
    if (
        isinstance(node, yaml.MappingNode)
        and {key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)} == _NAMED
    ):
        given = {key.value: value for key, value in node.value}
        yield from _node_leaves(loader, given["value"], (*path, str(given["name"].value)), steps)
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            name = str(key.value) if isinstance(key, yaml.ScalarNode) else "?"
            yield from _node_leaves(loader, value, (*path, name), steps)
    elif isinstance(node, yaml.SequenceNode):
        if all(isinstance(item, yaml.ScalarNode) for item in node.value):
            texts = [_scalar(loader, item) or "" for item in node.value]
            yield Leaf(path, ",".join(texts), line, listed=True)
        else:
            for item in node.value:
                yield from _node_leaves(loader, item, path, steps)
    else:
        yield Leaf(path, _scalar(loader, node), line)


def _scalar(loader: Any, node: Any) -> str | None:
    """The text of a scalar as Java and Python read it: `010` is 8, `yes` is true."""
    kind = node.tag.rpartition(":")[2]
    if kind == "null":
        return None
    if kind in ("bool", "int"):
        try:
            return _text(loader.construct_object(node))
        except (yaml.YAMLError, ValueError):
            return str(node.value)
    return str(node.value)


def _text(value: object) -> str | None:
    if value is None:
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)


def _too_deep() -> ConfigurationUnreadable:
    return ConfigurationUnreadable(
        "It is nested too deeply, or repeats itself without end.", "Paste the configuration alone."
    )
