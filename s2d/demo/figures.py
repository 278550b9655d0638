"""Pictures of the demo's page: landmark trajectories, training curve, sheets of frames."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from s2d.geometry import Array, Floats, Image
from s2d.images import write_image
from s2d.landmarks import expression
from s2d.landmarks.draw import contact_sheet, draw_landmarks
from s2d.landmarks.layout import LEFT_EYE_OUTER
from s2d.video import VideoReader

CHIN = 8
COLOURS = {"truth": "#8a8f98", "raw": "#e07b39", "aligned": "#2f6fde"}


def trajectories(path: Path, methods: Mapping[str, Floats], times: Array) -> None:
    """A jaw point, an eye corner and the lids over time, for tracks (T, 70, 2) by name."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 6.2), layout="constrained")
    axes = figure.subplots(3, 1, sharex=True)
    rows = ("left eye corner, y [px]", "chin, y [px]", "right lids' opening\n[inter-ocular]")
    series = {
        name: (track[:, LEFT_EYE_OUTER, 1], track[:, CHIN, 1], expression.lid_apertures(track)[:, 0])
        for name, track in methods.items()
    }
    for row, (axis, label) in enumerate(zip(axes, rows, strict=True)):
        for name in methods:
            axis.plot(times, series[name][row], color=COLOURS[name], lw=2.2 if name == "truth" else 1.1, label=name)
        axis.set_ylabel(label)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].legend(ncols=3, frameon=False, loc="upper right")
    axes[-1].set_xlabel("time [s]")
    figure.savefig(path, dpi=110)


def curve(path: Path, metrics: Path, prior: float) -> None:
    """Validation L1 over steps from a run's CSV, beside that of the untrained model."""
    from matplotlib.figure import Figure

    with metrics.open(newline="") as file:
        rows = [(int(row["step"]), float(row["val_l1"])) for row in csv.DictReader(file) if row.get("val_l1")]
    figure = Figure(figsize=(7, 2.8), layout="constrained")
    axis = figure.subplots()
    axis.plot(*zip(*rows, strict=True), marker="o", color=COLOURS["aligned"], label="animator")
    axis.axhline(prior, color=COLOURS["truth"], ls="--", label="analytic prior, untrained")
    axis.set_xlabel("step")
    axis.set_ylabel("validation L1")
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False)
    figure.savefig(path, dpi=110)


def overlays(path: Path, pictures: Sequence[Image], points: Floats, columns: int = 6) -> None:
    """A sheet of pictures with their landmarks (N, 70, 2) drawn on."""
    write_image(path, contact_sheet([draw_landmarks(*pair) for pair in zip(pictures, points, strict=True)], columns))


def filmstrip(path: Path, video: Path, count: int = 6) -> None:
    """Evenly spaced frames of a video, one below another in two columns."""
    with VideoReader(video) as reader:
        chosen = set(np.linspace(0, len(reader) - 1, count).round().astype(int).tolist())
        frames = [frame for index, frame in enumerate(reader.frames()) if index in chosen]
    write_image(path, contact_sheet(frames, 2, height=200))
