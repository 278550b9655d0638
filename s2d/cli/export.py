"""Write an animator as an ONNX graph, checked against torch on a real face.

examples:
  s2d export --checkpoint runs/small/best.safetensors --format onnx --out model.onnx
  s2d export --out prior.onnx
"""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `s2d export`."""
    parser.add_argument("--checkpoint", metavar="FILE", help="trained weights; without: the analytic prior")
    parser.add_argument("--format", default="onnx", choices=("onnx",), help="default: onnx")
    parser.add_argument("--out", required=True, metavar="ONNX", help="the file to write")
    parser.add_argument("--check", metavar="IMAGE", help="face photo to compare on (default: a built-in one)")


def run(args: argparse.Namespace) -> None:
    """Export, compare and say how far the two differ."""
    from s2d.animation.export import export
    from s2d.cli.output import emit

    made = export(args.checkpoint, args.out, args.check)
    line = f"wrote {made['out']}: {made['size']} px, differs from torch by {made['difference']:.2g} at most"
    emit(made, [line], args.json)
