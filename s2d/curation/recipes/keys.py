"""Reading a YAML mapping whose every mistake is one line that names the file and the key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from s2d.errors import S2DError

Choice = TypeVar("Choice", bound=str)


@dataclass(frozen=True)
class Keys:
    """A mapping from a recipe, and where it stands there."""

    values: Mapping[str, Any]
    file: str
    trail: str = ""

    def wrong(self, key: str, why: str, remedy: str) -> S2DError:
        """The error for the value of `key`."""
        return S2DError(f"cannot use the recipe {self.file}", f"{self.trail}{key}: {why}", remedy)

    def only(self, *allowed: str) -> None:
        """Raises S2DError for a key that is none of these: a misspelt one would be ignored in silence."""
        for key in self.values:
            if key not in allowed:
                raise self.wrong(str(key), "no such key", f"the keys here are {', '.join(allowed)}")

    def has(self, key: str) -> bool:
        """Whether the key is given."""
        return self.values.get(key) is not None

    def text(self, key: str, default: str | None = None) -> str:
        """A text; without `default` it must be given."""
        value = self._given(key, default, "a text")
        if not isinstance(value, str):
            raise self.wrong(key, f"{value!r} is no text", "write it in quotes")
        return value.strip()

    def texts(self, key: str, default: Sequence[str] | None = None) -> list[str]:
        """A list of texts; a single one stands for itself."""
        value = self._given(key, default, "a list of texts")
        listed = [value] if isinstance(value, str) else list(value) if isinstance(value, Sequence) else [value]
        for item in listed:
            if not isinstance(item, str):
                raise self.wrong(key, f"{item!r} is no text", "write it in quotes")
        return listed

    def choice(self, key: str, choices: Sequence[Choice]) -> Choice:
        """One of `choices`, of which the first is the default."""
        value = self.text(key, choices[0])
        for choice in choices:
            if value == choice:
                return choice
        raise self.wrong(key, f"{value!r} is not possible", f"choose among {', '.join(choices)}")

    def number(self, key: str) -> float | None:
        """A number of 0 or more, or None where there is none."""
        value = self.values.get(key)
        if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0):
            raise self.wrong(key, f"{value!r} is no number of 0 or more", "write a plain number, or leave the key out")
        return value

    def flag(self, key: str) -> bool:
        """True or false; false where it is not given."""
        value = self.values.get(key, False)
        if not isinstance(value, bool):
            raise self.wrong(key, f"{value!r} is neither true nor false", "write true, or leave the key out")
        return value

    def below(self, key: str) -> Keys | None:
        """The mapping under `key`, or None where there is none."""
        value = self.values.get(key)
        if value is None:
            return None
        if not isinstance(value, Mapping):
            raise self.wrong(key, f"{value!r} is no mapping", "write its keys below it, indented")
        return Keys(value, self.file, f"{self.trail}{key}.")

    def _given(self, key: str, default: object, kind: str) -> Any:  # noqa: ANN401 - YAML
        value = self.values.get(key)
        value = default if value is None else value
        if value is None:
            raise self.wrong(key, "missing", f"give {kind}")
        return value
