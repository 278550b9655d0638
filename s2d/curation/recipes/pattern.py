"""Path patterns with named fields, read both ways: from a path to its fields, and from fields to the path."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

_TOKEN = re.compile(r"\{(\w+)\}|\*\*/|\*\*|\*")


@dataclass(frozen=True)
class Pattern:
    """`{name}` is a field within one folder or file name, `*` any such text, `**` any number of folders.

    >>> Pattern("{split}/mp4/{identity}/*.mp4").match("dev/mp4/id1/7.mp4")
    {'split': 'dev', 'identity': 'id1'}
    >>> Pattern("raw/{video}.mp4").fill({"video": "abc"})
    'raw/abc.mp4'
    """

    text: str

    @property
    def fields(self) -> list[str]:
        """Names of the fields, in order."""
        return [match[1] for match in _TOKEN.finditer(self.text) if match[1]]

    def match(self, path: str) -> dict[str, str] | None:
        """Values of the fields in a path with forward slashes, or None where it is another path."""
        found = self._expression.fullmatch(path)
        return found.groupdict() if found else None

    def fill(self, fields: Mapping[str, str]) -> str:
        """The path with these values; raises KeyError for a field without one, ValueError where `*` leaves it open."""
        if "*" in self.text:
            raise ValueError(f"{self.text} names no single file")
        return _TOKEN.sub(lambda match: fields[match[1]], self.text)

    @cached_property
    def _expression(self) -> re.Pattern[str]:
        parts, end, seen = list[str](), 0, set[str]()
        for token in _TOKEN.finditer(self.text):
            parts += [re.escape(self.text[end : token.start()]), _expression(token, seen)]
            end = token.end()
        return re.compile("".join([*parts, re.escape(self.text[end:])]))


def _expression(token: re.Match[str], seen: set[str]) -> str:
    name = token[1]
    if name is None:
        return {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*"}[token[0]]
    if name in seen:
        return f"(?P={name})"
    seen.add(name)
    return f"(?P<{name}>[^/]+)"
