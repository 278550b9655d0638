"""Model files: what there is, from where and under which licence; fetch them ahead of time, or check them.

  s2d assets list             every model file, its licence and its state on this machine
  s2d assets fetch [NAME...]  fetch or mend them (without a NAME: those of the default detector, mesh)
  s2d assets verify [NAME...] check size and SHA-256; exit 1 when one is damaged, or one that was named is missing

A NAME is a file's own or a detector's: mesh, fan, dlib. Files are fetched on first use too, so that fetching ahead
is for machines that will have no network. For such a machine, fill a folder where there is one, bring the folder, and
set S2D_ASSETS there: nothing will be fetched, files are looked up in the folder.

  S2D_ASSETS=FOLDER s2d assets fetch mesh fan
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from s2d import assets
from s2d.assets import Asset
from s2d.cli.output import emit, table
from s2d.errors import S2DError

DEFAULT = "mesh"
OK, DAMAGED, MISSING = "ok", "damaged", "missing"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `s2d assets`."""
    parser.add_argument("action", choices=("list", "fetch", "verify"))
    parser.add_argument("names", nargs="*", metavar="NAME", help="model files or detectors")


def run(args: argparse.Namespace) -> None:
    """List, fetch or verify, and print the state of what was asked for."""
    names = args.names or ([DEFAULT] if args.action == "fetch" else [asset.name for asset in assets.ASSETS])
    chosen = assets.select(names)
    if args.action == "fetch":
        for asset in chosen:
            assets.fetch(asset)
    rows = [_row(asset) for asset in chosen]
    emit({"folder": assets.folder(), "assets": rows}, _tables(rows), args.json)
    if args.action == "verify":
        _complain(chosen, rows, bool(args.names))


def _row(asset: Asset) -> dict[str, Any]:
    found = asset.find()
    return {
        "name": asset.name,
        "detector": asset.detector,
        "licence": asset.licence,
        "bytes": asset.size,
        "sha256": asset.sha256,
        "origin": str(asset.origin),
        "state": MISSING if found is None else DAMAGED if assets.fault(asset, found) else OK,
        "path": found,
    }


def _tables(rows: list[dict[str, Any]]) -> list[Any]:
    columns = ("model file", "detector", "MB", "state", "licence")
    cells = [(row["name"], row["detector"], f"{row['bytes'] / 1e6:.1f}", row["state"], row["licence"]) for row in rows]
    sources: dict[str, set[str]] = {}
    for row in rows:
        places = sources.setdefault(f"{row['detector']}: from {row['origin']}", set())
        if row["path"]:
            places.add(f", in {row['path'].parent}")
    return [table("Model files", columns, cells), *(text + "".join(sorted(sources[text])) for text in sources)]


def _complain(chosen: Sequence[Asset], rows: Sequence[dict[str, Any]], named: bool) -> None:
    """Raise S2DError when a file is damaged, or one that was asked for by name is missing."""
    fatal = (DAMAGED, MISSING) if named else (DAMAGED,)
    bad = [(asset, row) for asset, row in zip(chosen, rows, strict=True) if row["state"] in fatal]
    if bad:
        what = ", ".join(f"{asset.name} is {row['state']}" for asset, row in bad)
        commands = " and ".join(f"`{assets.mend(asset, row['path'])}`" for asset, row in bad)
        raise S2DError("model files do not verify", what, f"run {commands}")
