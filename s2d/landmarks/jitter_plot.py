"""Pictures of a comparison: what the landmarks do over time, at which frequencies they move, error against stability.

Each is a function that draws on matplotlib's axes; `plot` puts them on one sheet, `panels` makes one picture of each.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from s2d.errors import S2DError
from s2d.files import whole_file
from s2d.geometry import Array, Floats
from s2d.landmarks import expression, jitter, palette, trembling
from s2d.landmarks.comparison import ComparedTrack, Comparison

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = ("png", "svg", "pdf")
SECONDS_SHOWN = 4.0
BROW = 19
SERIES: MappingProxyType[str, Callable[[Floats], Array]] = MappingProxyType(
    {
        "opening of the right eye": lambda points: expression.lid_apertures(points)[:, 0],
        "opening of the mouth": expression.lip_aperture,
        "height of the right brow within the face": lambda points: -trembling.stabilise(points)[0][:, BROW, 1],
    }
)
AGAINST_TRUTH = ("nmf", "nme_unbiased")  # figures across and up: stability, error
WITHOUT_TRUTH = ("anchor_drift", "phase_residual_6")
LOWER_LEFT = ("lower sticks to the skin, left to the detector", "lower left is better")  # without truth, with it
WORDS: MappingProxyType[str, str] = MappingProxyType(
    {
        "nmf": "flicker",
        "nme_unbiased": "error without offsets",
        "anchor_drift": "distance from the detector",
        "phase_residual_6": "slip over the skin",
    }
)


def longest(comparison: Comparison) -> ComparedTrack:
    """The track with the most frames, which pictures show."""
    return max(comparison.tracks, key=lambda track: len(track.times))


def check_format(path: str | Path) -> None:
    """Raise S2DError when plots are not written in the format that the ending of `path` means."""
    if _format(path) not in FORMATS:
        raise S2DError(f"cannot write the plot {path}", "unknown ending", "name it .png, .svg or .pdf")


def plot(comparison: Comparison, path: str | Path) -> None:
    """Write the plot of a comparison's longest track, and its pooled figures, as an image (PNG, SVG or PDF by name).

    Raises S2DError when `path` cannot be written, or is named as another kind of file.
    """
    check_format(path)
    track = longest(comparison)
    figure = _figure(13, 7.2)
    axes = figure.subplots(2, 3)
    figure.suptitle(f"{track.name}: landmarks in % of the inter-ocular distance", x=0.01, ha="left")
    trajectories(list(axes[0]), track)
    spectra(axes[1, 0], track)
    errors(axes[1, 1], track)
    error_against_stability(axes[1, 2], comparison)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    with whole_file(Path(path)) as temporary:
        figure.savefig(temporary, dpi=110, format=_format(path), metadata={})


def panels(comparison: Comparison) -> dict[str, bytes]:
    """PNG pictures by name, trajectories, spectra and stability, each large enough to be read on a small screen."""
    track = longest(comparison)
    figures = {"trajectories": _figure(5.8, 7), "spectra": _figure(5.8, 3.8), "stability": _figure(5.8, 4)}
    trajectories(list(figures["trajectories"].subplots(3, 1, sharex=True)), track)
    spectra(figures["spectra"].subplots(), track)
    error_against_stability(figures["stability"].subplots(), comparison)
    for axis in figures["trajectories"].axes[:-1]:
        axis.set_xlabel("")
    for name in ("trajectories", "spectra"):
        handles, labels = figures[name].axes[0].get_legend_handles_labels()
        figures[name].legend(handles, labels, loc="outside lower center", ncols=min(4, len(labels)), frameon=False)
    return {name: _png(figure) for name, figure in figures.items()}


def trajectories(axes: Sequence[Axes], track: ComparedTrack) -> None:
    """Lids, lips and a brow over the first seconds, on three axes."""
    seconds = track.times - track.times[0]
    shown = seconds <= SECONDS_SHOWN
    for axis, (title, read) in zip(axes, SERIES.items(), strict=True):
        for name, points in _all_points(track).items():
            axis.plot(seconds[shown], 100 * read(points)[shown], label=name, **_style(name, track))
        _dress(axis, title, "seconds", "%")


def spectra(axis: Axes, track: ComparedTrack) -> None:
    """Power of the motion within the face; what is right of the dotted line counts as high frequency."""
    for name, points in _all_points(track).items():
        if len(points) > 2 and np.isfinite(points).any():
            frequencies, power = trembling.spectrum(points, track.times)
            axis.semilogy(frequencies[1:], np.maximum(power[1:], 1e-9), label=name, **_style(name, track))
    axis.axvline(trembling.HIGH_FREQUENCY, color="0.6", linewidth=0.8, linestyle=":")
    _dress(axis, "power of the motion within the face", "Hz", "%²")


def errors(axis: Axes, track: ComparedTrack) -> None:
    """Error per frame with the truth; acceleration per frame without."""
    seconds = track.times - track.times[0]
    for name, points in track.points.items():
        values = _acceleration(points) if track.truth is None else jitter.nme_per_frame(points, track.truth)
        axis.plot(seconds, values, label=name, **_style(name, track))
    title = "acceleration within the face" if track.truth is None else "distance to the truth"
    _dress(axis, title, "seconds", "% per frame²" if track.truth is None else "%")
    axis.set_ylim(bottom=0)


def error_against_stability(axis: Axes, comparison: Comparison) -> None:
    """A point per method, pooled over all tracks."""
    known_truth = longest(comparison).truth is not None
    across, up = AGAINST_TRUTH if known_truth else WITHOUT_TRUTH
    methods = comparison.methods
    tints = palette.colours(list(methods))
    known: dict[str, tuple[float, float]] = {}
    for name, figures in methods.items():
        x, y = figures[across], figures[up]
        if x is not None and y is not None:
            known[name] = x, y
    for name, (x, y) in known.items():
        axis.plot(x, y, "o", color=tints[name], markersize=9, alpha=0.8, label=name)
    axis.margins(0.2)
    axis.set_xlim(left=min(0, axis.get_xlim()[0]) if across == "anchor_drift" else 0)
    axis.set_ylim(bottom=0)
    if known:
        axis.legend(frameon=False, fontsize=9)
    else:
        axis.text(0.5, 0.5, "not known", transform=axis.transAxes, ha="center", color="0.5")
    tracks = len(comparison.tracks)
    title = f"{tracks} track{'s' * (tracks > 1)}: {LOWER_LEFT[known_truth]}"
    _dress(axis, title, *(f"{WORDS[name]} ({name}), %" for name in (across, up)))


def _acceleration(points: Floats) -> Array:
    """Mean over landmarks of each frame's acceleration within the face, percent; NaN at both ends."""
    if len(points) < 3:
        return np.full(len(points), np.nan)
    inside, _ = trembling.stabilise(points)
    length = np.linalg.norm(np.diff(inside, n=2, axis=0), axis=-1)
    known = np.isfinite(length)
    mean = np.where(known, length, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    return np.pad(np.where(known.any(axis=1), 100 * mean, np.nan), 1, constant_values=np.nan)


def _all_points(track: ComparedTrack) -> dict[str, Floats]:
    return {**track.points, **({} if track.truth is None else {"truth": track.truth})}


def _style(name: str, track: ComparedTrack) -> dict[str, Any]:
    """The method's line: thin and pale for raw, beneath the others; thinner where there are many."""
    if name == "truth":
        return {"color": palette.TRUTH, "linewidth": 1.0, "linestyle": "--", "zorder": 3}
    width = 1.4 if len(track.points) <= 3 else 1.0
    colour = palette.colours(list(track.points))[name]
    return {"color": colour, "linewidth": width, "alpha": 0.7 if name == "raw" else 1.0}


def _dress(axis: Axes, title: str, across: str, up: str) -> None:
    axis.set_title(title, fontsize=10)
    axis.set_xlabel(across)
    axis.set_ylabel(up)
    axis.grid(alpha=0.25)
    axis.spines[["top", "right"]].set_visible(False)


def _figure(width: float, height: float) -> Figure:
    """A figure in inches that needs no window system and no global state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _png(figure: Figure) -> bytes:
    data = io.BytesIO()
    figure.savefig(data, dpi=160, format="png", metadata={})
    return data.getvalue()


def _format(path: str | Path) -> str:
    return Path(path).suffix.lstrip(".").lower() or "png"
