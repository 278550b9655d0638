"""Arguments, and types of them, that several commands share."""

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


def add_source(parser: argparse.ArgumentParser) -> None:
    """`--source`: the picture that is moved."""
    parser.add_argument("--source", required=True, metavar="IMAGE", help="photo or painting; its largest face moves")


def add_detector(parser: argparse.ArgumentParser, default: str | None = "mesh") -> None:
    """`--detector`; a `default` of None leaves it to settings from elsewhere, which end in mesh as well."""
    parser.add_argument("--detector", default=default, metavar="NAME", help="landmark detector (default: mesh)")


def add_checkpoint(parser: argparse.ArgumentParser) -> None:
    """`--checkpoint`: the animator that moves it."""
    trained = "trained weights (.safetensors or .ckpt) or a model of s2d export (.onnx); without: the prior"
    parser.add_argument("--checkpoint", metavar="FILE", help=trained)


def add_size(parser: argparse.ArgumentParser, default: str) -> None:
    """`--size`: how large it is shown; `default` says what it is otherwise."""
    what = f"side of the moving square, an even number of pixels, 64 to 2048 (default: {default})"
    parser.add_argument("--size", type=int, metavar="PX", help=what)
