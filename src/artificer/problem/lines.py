"""Which line of a TOML text each key stands on. The standard parser does not say, and errors must."""

from __future__ import annotations

import bisect
import re
import tomllib
from typing import TypeAlias

KeyPath: TypeAlias = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^,\]}#\r\n]*")
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}' r"|'''.*?'{3,5}" r'|"(?:\\.|[^"\\\n])*"' r"|'[^'\n]*'",
    re.DOTALL,
)


def key_lines(text: str) -> dict[KeyPath, int]:
    """Map every table, key and array element of a valid TOML text to its line, counted from 1.

    Parameters
    ----------
    text : TOML that the standard parser has accepted; on another text the answer means nothing.

    Examples
    --------
    >>> key_lines('[data]\\ntarget = "y"\\ndrop = [\\n  "a",\\n  "b",\\n]')[("data", "drop", 1)]
    5
    """
    return _Scanner(text.replace("\r\n", "\n")).scan()


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.breaks = [found.start() for found in re.finditer("\n", text)]
        self.found: dict[KeyPath, int] = {}
        self.counts: dict[KeyPath, int] = {}  # how often an array of tables was continued

    def scan(self) -> dict[KeyPath, int]:
        table: KeyPath = ()
        self._skip(_BLANK)
        while self.at < len(self.text):
            if self.text[self.at] == "[":
                table = self._header()
            else:
                self._pair(table)
            self._skip(_BLANK)
        return self.found

    def _skip(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self.text, self.at)
        if match is None:
            raise ValueError(f"not TOML at character {self.at}")
        self.at = match.end()
        return match[0]

    def _note(self, path: KeyPath) -> None:
        self.found.setdefault(path, bisect.bisect_left(self.breaks, self.at) + 1)

    def _header(self) -> KeyPath:
        many = self.text.startswith("[[", self.at)
        self.at += 2 if many else 1
        path = self._key(())
        self.at += 2 if many else 1
        if many:
            path = path[:-1] if isinstance(path[-1], int) else path  # continued: `_key` led into the last one
            self.counts[path] = self.counts.get(path, -1) + 1
            path = (*path, self.counts[path])
            self._note(path)
        return path

    def _key(self, table: KeyPath) -> KeyPath:
        """Read a dotted key and note each of its parts."""
        path = table
        while True:
            self._skip(_SPACE)
            start = self.at
            raw = self._skip(_STRING if self.text[self.at] in "\"'" else _BARE)
            path = (*path, _unquote(raw))
            after, self.at = self.at, start
            self._note(path)
            self.at = after
            if path in self.counts:
                path = (*path, self.counts[path])
            self._skip(_SPACE)
            if self.text[self.at] != ".":
                return path
            self.at += 1

    def _pair(self, table: KeyPath) -> None:
        path = self._key(table)
        self.at += 1  # the equals sign
        self._skip(_SPACE)
        self._value(path)

    def _value(self, path: KeyPath) -> None:
        opening = self.text[self.at]
        if opening == "[":
            self._members(path, "]")
        elif opening == "{":
            self._members(path, "}")
        elif opening in "\"'":
            self._skip(_STRING)
        else:
            self._skip(_SCALAR)

    def _members(self, path: KeyPath, closing: str) -> None:
        self.at += 1
        index = 0
        self._skip(_BLANK)
        while self.text[self.at] != closing:
            if closing == "]":
                self._note((*path, index))
                self._value((*path, index))
            else:
                self._pair(path)
            index += 1
            self._skip(_BLANK)
            if self.text[self.at] == ",":
                self.at += 1
                self._skip(_BLANK)
        self.at += 1


def _unquote(raw: str) -> str:
    if raw[0] == "'":
        return raw[1:-1]
    if raw[0] == '"':
        return str(tomllib.loads(f"key = {raw}")["key"])
    return raw
