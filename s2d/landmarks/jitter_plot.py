"""One picture of a comparison: what the landmarks do over time, at which frequencies they move, and the figures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from s2d.files import whole_file
from s2d.geometry import Array, Floats
from s2d.landmarks import expression, jitter
from s2d.landmarks.comparison import ComparedTrack, Comparison

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS: MappingProxyType[str, str] = MappingProxyType(
    {
        "raw": "#d1495b",
        "aligned": "#00798c",
        "one_euro": "#edae49",
        "savgol": "#8d6a9f",
        "moving_average": "#7cb518",
        "rts": "#6c757d",
    }
)
TRUTH_COLOUR = "#222222"
SECONDS_SHOWN = 4.0
BROW, CHIN = 19, 8
BARS_WITH_TRUTH = ("nme_unbiased", "nmf", "nmf_static", "phase_residual_1", "phase_residual_6")
BARS = ("acceleration", "phase_residual_1", "phase_residual_6", "flow_residual")


def plot(comparison: Comparison, path: str | Path) -> None:
    """Write the plot of a comparison's longest track, and its pooled figures, as an image (PNG, SVG or PDF by name).

    Raises S2DError when `path` cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    track = max(comparison.tracks, key=lambda candidate: len(candidate.times))
    figure = Figure(figsize=(13, 7), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, 3)
    figure.suptitle(f"{track.name}: landmarks in % of the inter-ocular distance")
    _trajectories(axes[0], track)
    _spectra(axes[1, 0], track)
    _errors(axes[1, 1], track)
    _bars(axes[1, 2], comparison)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    with whole_file(Path(path)) as temporary:
        figure.savefig(temporary, dpi=110, format=Path(path).suffix.lstrip(".") or "png", metadata={})


def _trajectories(axes: list[Axes], track: ComparedTrack) -> None:
    """Lids, lips and a brow over the first seconds."""
    series: dict[str, Callable[[Floats], Array]] = {
        "opening of the right eye": lambda points: expression.lid_apertures(points)[:, 0],
        "opening of the mouth": expression.lip_aperture,
        "height of the right brow within the face": lambda points: -jitter.stabilise(points)[0][:, BROW, 1],
    }
    seconds = track.times - track.times[0]
    shown = seconds <= SECONDS_SHOWN
    for axis, (title, read) in zip(axes, series.items(), strict=True):
        for name, points in _all_points(track).items():
            axis.plot(seconds[shown], 100 * read(points)[shown], label=name, **_style(name))
        axis.set_title(title, fontsize=10)
        axis.set_xlabel("seconds")
        axis.set_ylabel("%")
        axis.grid(alpha=0.25)


def _spectra(axis: Axes, track: ComparedTrack) -> None:
    for name, points in _all_points(track).items():
        frequencies, power = jitter.spectrum(points, track.times)
        axis.semilogy(frequencies[1:], np.maximum(power[1:], 1e-9), **_style(name))
    axis.axvline(jitter.HIGH_FREQUENCY, color="0.6", linewidth=0.8, linestyle=":")
    axis.set_title("power of the motion within the face", fontsize=10)
    axis.set_xlabel("Hz")
    axis.set_ylabel("%²")
    axis.grid(alpha=0.25)


def _errors(axis: Axes, track: ComparedTrack) -> None:
    """Error per frame with the truth; acceleration per frame without."""
    seconds = track.times - track.times[0]
    for name, points in track.points.items():
        values = _acceleration(points) if track.truth is None else jitter.nme_per_frame(points, track.truth)
        axis.plot(seconds, values, **_style(name))
    axis.set_title("acceleration within the face" if track.truth is None else "distance to the truth", fontsize=10)
    axis.set_xlabel("seconds")
    axis.set_ylabel("% per frame²" if track.truth is None else "%")
    axis.set_ylim(bottom=0)
    axis.grid(alpha=0.25)


def _acceleration(points: Floats) -> Array:
    """Mean over landmarks of each frame's acceleration within the face, percent; NaN at both ends."""
    inside, _ = jitter.stabilise(points)
    length = np.linalg.norm(np.diff(inside, n=2, axis=0), axis=-1)
    known = np.isfinite(length)
    mean = np.where(known, length, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    return np.pad(np.where(known.any(axis=1), 100 * mean, np.nan), 1, constant_values=np.nan)


def _bars(axis: Axes, comparison: Comparison) -> None:
    methods = comparison.methods
    names = BARS_WITH_TRUTH if comparison.tracks[0].truth is not None else BARS
    width = 0.8 / len(methods)
    for position, (method, figures) in enumerate(methods.items()):
        places = np.arange(len(names)) + width * (position - (len(methods) - 1) / 2)
        values = [figures[name] or 0.0 for name in names]
        bars = axis.bar(places, values, width, **_colour(method))
        axis.bar_label(bars, fmt="%.2f", fontsize=7, rotation=90, padding=2)  # upright they stand over the next bar
    axis.margins(y=0.2)
    axis.set_xticks(range(len(names)), [name.replace("_", "\n", 1) for name in names], fontsize=8)
    axis.set_title(f"tracks in all: {len(comparison.tracks)}; less is better", fontsize=10)
    axis.set_ylabel("%")


def _all_points(track: ComparedTrack) -> dict[str, Floats]:
    return {**track.points, **({} if track.truth is None else {"truth": track.truth})}


def _style(name: str) -> dict[str, Any]:
    if name == "truth":
        return {"color": TRUTH_COLOUR, "linewidth": 1.0, "linestyle": "--"}
    return {"linewidth": 1.2, **_colour(name)}


def _colour(name: str) -> dict[str, Any]:
    """Its own colour for a known method, matplotlib's next one for any other."""
    return {"color": COLOURS[name]} if name in COLOURS else {}
