"""The whole path on a built-in sample: a clip with known motion, curation, jitter, training, animation, one HTML page.

example:
  s2d demo --out demo
"""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `s2d demo`."""
    parser.add_argument("--out", required=True, metavar="DIR", help="folder to make; an earlier demo there is replaced")
    parser.add_argument("--steps", type=int, default=300, help="training steps (default: 300, a minute or two)")


def run(args: argparse.Namespace) -> None:
    """Make the demo and say where its page is."""
    from s2d.cli.output import emit
    from s2d.demo.run import announce, run_demo

    result = run_demo(args.out, steps=args.steps, say=announce)
    emit(result, [f"open {result['page']} in a browser ({result['seconds']:.0f} seconds)"], args.json)
