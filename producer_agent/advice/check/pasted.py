"""A pasted configuration once it is read: names, values, lines, and no secret.

What is read is masked as it is read. Nothing past this module ever holds a password, so nothing
past it can show, store or log one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import lru_cache
from typing import Final, Literal

Format = Literal[
    "python",
    "librdkafka",
    "java",
    "spring",
    "json",
    "toml",
    "csharp",
    "javascript",
    "connect",
    "profile",
]

MASK: Final = "******"
"""Stands for a secret wherever a value is shown."""

MOST_SETTINGS: Final = 10_000
"""Settings that are read from one text; its lines are bounded by the same number."""

_SECRET_NAME: Final = re.compile(
    r"passw(?:or)?d|passphrase|\bpass$|secret|jaas|credentials?$|user[.\-_]?info|api[.\-_]?key"
    r"|private[.\-_]?key(?![.\-_]?(?:file|location|path))|sasl\.oauthbearer\.(?:config|extensions)"
    r"|(?:access|auth|bearer)[.\-_]?token$|\btoken$|\.pem$|\bpem$|certificate[.\-_]?chain"
    r"|key[.\-_]?store[.\-_]?key$|ssl[._]key$",
    re.IGNORECASE,
)
_SECRET_WORDS: Final = ("password", "passphrase", "secret", "credentials")
_LETTERS: Final = {word: tuple(Counter(word).items()) for word in _SECRET_WORDS}
_ALIKE: Final = 0.75
_WORD_BREAK: Final = re.compile(r"[.\-_]")
_LONGEST_NAME: Final = 200
_USER_INFO: Final = re.compile(r"(?<=://)[^\s/@,]+(?=@)")
_SECRET_IN_TEXT: Final = re.compile(
    r"(?i)((?:password|passwd|secret|token)\s*[=:]\s*)(?:\"[^\"]*\"|'[^']*'|[^\s;,&]+)"
)
_PEM_BEGIN: Final = "-----BEGIN "
_PEM_END: Final = re.compile(r"-----END [A-Z0-9 ]+-----")
_PEM_BODY: Final = re.compile(r"-----BEGIN [A-Z0-9 ]*-*[A-Za-z0-9+/=\s\\]*")


class ConfigurationUnreadable(ValueError):
    """The text is no configuration that can be read; says why, where, and what to do.

    `line` counts from 1, and is None where the whole text is meant. The text itself is never
    quoted: it may hold a password.
    """

    def __init__(self, message: str, mend: str, line: int | None = None) -> None:
        self.message = message
        self.mend = mend
        self.line = line
        where = "" if line is None else f"Line {line}: "
        super().__init__(f"{where}{message} {mend}")

    def __reduce__(self) -> tuple[type[ConfigurationUnreadable], tuple[str, str, int | None]]:
        return type(self), (self.message, self.mend, self.line)


@dataclass(frozen=True, slots=True)
class Entry:
    """One setting as it was written.

    `name` is Kafka's name for it; `written` is how the text spelt it, where that differs
    (`ProducerConfig.ACKS_CONFIG`). `value` is the text librdkafka would be given, None where it
    is not known before the program runs (`known` is False then) or is an explicit null.
    `expression` is the code of an unknown value, if it holds no text that may be a secret.
    `quoted` is True for a text in code, where a number or a flag could stand as itself.
    `listed` is True for a list, which librdkafka cannot take as such; `username` is what a JAAS
    line signs in as, `jaas_module` its login module.
    """

    name: str
    value: str | None
    line: int
    known: bool = True
    written: str | None = None
    expression: str | None = None
    listed: bool = False
    secret: bool = False
    quoted: bool = False
    in_topic_config: bool = False
    username: str | None = None
    jaas_module: str | None = None

    @property
    def shown(self) -> str | None:
        """The value as it may be shown; an expression for one not known; None if neither is."""
        return self.value if self.known else self.expression


@dataclass(frozen=True, slots=True)
class PastedConfiguration:
    """What a text sets, in its order, later ones winning; `notes` say what was left aside."""

    format: Format
    entries: tuple[Entry, ...]
    notes: tuple[str, ...] = ()


def is_secret(name: str) -> bool:
    """Whether a setting of this name holds what must not be shown; `sasl.pasword` does, too."""
    if _SECRET_NAME.search(name) is not None:
        return True
    words = _WORD_BREAK.split(name[:_LONGEST_NAME].lower())
    # A number behind it makes it no other word, and a generated file's names alike.
    return any(_is_misspelt_secret(word.rstrip("0123456789")) for word in words)


@lru_cache(maxsize=4096)
def _is_misspelt_secret(word: str) -> bool:
    # difflib takes long to tell that a word is nothing like it, which nearly all are.
    likely = [secret for secret in _SECRET_WORDS if _shares_letters(word, secret)]
    return bool(likely) and bool(get_close_matches(word, likely, n=1, cutoff=_ALIKE))


def _shares_letters(word: str, secret: str) -> bool:
    """Whether difflib's ratio can reach `_ALIKE`: it is at most this, whatever the order."""
    shared = sum(min(word.count(letter), n) for letter, n in _LETTERS[secret])
    return 2 * shared >= _ALIKE * (len(word) + len(secret))


def masked(entries: Iterable[Entry]) -> Iterator[Entry]:
    """The entries with every secret replaced by `MASK`; an empty one stays empty."""
    for entry in entries:
        name = encodable(entry.name)
        value = None if entry.value is None else encodable(entry.value)
        secret = is_secret(name) or (entry.written is not None and is_secret(entry.written))
        username = module = None
        if secret and "jaas" in name.lower() and value:
            username, module = _jaas(value)
        if secret:
            value = MASK if value else value
        elif value is not None:
            value = without_secrets(value)
        yield replace(
            entry,
            name=without_secrets(name),
            written=None if entry.written is None else without_secrets(encodable(entry.written)),
            value=value,
            secret=secret,
            username=username,
            jaas_module=module,
        )


def without_secrets(text: str) -> str:
    """A text without the user information of its URLs, `password=…` and PEM blocks in it."""
    if _PEM_BEGIN in text:
        text = without_pem(text)
    if "://" in text:
        text = _USER_INFO.sub(MASK, text)
    return _SECRET_IN_TEXT.sub(rf"\g<1>{MASK}", text)


def without_pem(text: str) -> str:
    """The text with each PEM block put on one line and its content masked.

    The lines it took are made up for behind it, so that line numbers stay what they were.
    """
    if _PEM_BEGIN not in text:
        return text
    parts: list[str] = []
    at = 0
    while (begin := text.find(_PEM_BEGIN, at)) >= 0:
        parts.append(text[at:begin])
        end = _PEM_END.search(text, begin)
        body = None if end is not None else _PEM_BODY.match(text, begin)
        stop = end.end() if end else (body.end() if body else len(text))
        rest = text.find("\n", stop)
        rest = len(text) if rest < 0 else rest
        # What follows on the block's last line is its closing quote, or nothing.
        parts.extend((f"PEM {MASK}", text[stop:rest], "\n" * text.count("\n", begin, stop)))
        at = rest
    parts.append(text[at:])
    return "".join(parts)


def encodable(text: str) -> str:
    """The text without halves of characters, which no library and no file can take."""
    return text.encode("utf-8", "replace").decode("utf-8")


_JAAS_USERNAME: Final = re.compile(r"\busername\s*=\s*\\?[\"']?([^\"'\s;\\]+)")
_JAAS_MODULE: Final = re.compile(r"([A-Za-z]\w*LoginModule)\b")


def _jaas(value: str) -> tuple[str | None, str | None]:
    username, module = _JAAS_USERNAME.search(value), _JAAS_MODULE.search(value)
    return username and username[1], module and module[1]
