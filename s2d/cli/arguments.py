"""Types of arguments that several commands share."""

from __future__ import annotations

import argparse
from collections.abc import Callable


def at_least(least: int, most: int | None = None) -> Callable[[str], int]:
    """An argparse type: a whole number that is not below `least`, nor above `most` if that is given.

    >>> at_least(1)("7")
    7
    """
    allowed = f"a whole number, {least} or more" if most is None else f"a whole number, {least} to {most}"

    def whole(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if value < least or (most is not None and value > most):
            raise argparse.ArgumentTypeError(f"{text} is not {allowed}")
        return value

    return whole
