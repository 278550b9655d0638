"""What a comparison says, in words, and where two of its methods do not agree.

Without truth nobody knows which of two methods is right. Where aligned landmarks stay far from the detected ones for
half a second or more, one of both is wrong, and a look at those frames tells which.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from s2d.geometry import Array
from s2d.landmarks import layout
from s2d.landmarks.comparison import ComparedTrack, Comparison
from s2d.landmarks.jitter import Figures

FAR = 8.0  # percent of the inter-ocular distance, mean over a part
LASTING = 0.5  # seconds
FILTERS = ("one_euro", "savgol", "moving_average", "rts")
AREAS: MappingProxyType[str, tuple[str, ...]] = MappingProxyType(
    {
        "jaw": ("jaw",),
        "brows": ("right_brow", "left_brow"),
        "nose": ("nose_bridge", "nose_base"),
        "eyes": ("right_eye", "left_eye"),
        "mouth": ("outer_lips", "inner_lips"),
    }
)


@dataclass(frozen=True)
class Apart:
    """A part of a face whose aligned landmarks are far from the raw ones for long."""

    track: str
    part: str
    first: int
    """Frame of the video, or of the data set's track, where it begins."""
    last: int
    worst: int
    """Frame with the largest distance."""
    distance: float
    """Mean over part and frames, percent of the inter-ocular distance."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def verdict(comparison: Comparison) -> list[str]:
    """Flicker of the aligned landmarks and of the best filter against the raw ones, in a sentence; none without both.

    By `nmf` where the truth is known, else by `phase_residual_1`.
    """
    methods = comparison.methods
    known = any(track.truth is not None for track in comparison.tracks)
    key = "nmf" if known else "phase_residual_1"
    raw, aligned = _value(methods, "raw", key), _value(methods, "aligned", key)
    if not raw or aligned is None:
        return []
    less = f"{_change(aligned, raw)} than raw ones"
    sentence = f"nmf is flicker: aligned landmarks have {less}"
    if not known:
        sentence = (
            f"phase_residual_1 is flicker without truth: aligned landmarks slip over the skin {less} in one frame"
        )
    filters = {name: value for name in FILTERS if (value := _value(methods, name, key)) is not None}
    if not filters:
        return [sentence]
    best = min(filters, key=lambda name: filters[name])
    return [f"{sentence}; those of the best filter ({best}) {_change(filters[best], raw)}"]


def _value(methods: dict[str, Figures], name: str, key: str) -> float | None:
    return methods.get(name, {}).get(key)


def _change(value: float, reference: float) -> str:
    share = 100 * (1 - value / reference)
    return f"{abs(share):.0f} % {'less' if share >= 0 else 'more'}"


def find_apart(comparison: Comparison) -> list[Apart]:
    """Where aligned landmarks are far from raw ones for LASTING seconds or more, by track, part and time."""
    return [span for track in comparison.tracks for span in _of_track(track)]


def _of_track(track: ComparedTrack) -> Iterator[Apart]:
    if not {"raw", "aligned"} <= set(track.points):
        return
    raw = np.asarray(track.points["raw"], np.float64)
    scale = layout.interocular(raw)
    if not np.isfinite(scale).any():
        return
    # the track's own scale: in the frames looked for, one of the two may have lost the eyes
    distance = np.linalg.norm(track.points["aligned"] - raw, axis=-1) / np.nanmedian(scale) * 100
    for area, parts in AREAS.items():
        series = _mean(distance[:, [index for part in parts for index in layout.PARTS[part]]])
        for start, stop in _runs(series, track.times):
            worst = start + int(np.argmax(series[start:stop]))
            first, last, most = (track.first + index for index in (start, stop - 1, worst))
            yield Apart(track.name, area, first, last, most, round(float(series[start:stop].mean()), 2))


def _mean(distance: Array) -> Array:
    """Mean (T,) over the landmarks that both have; 0 in frames where they share none, which say nothing."""
    known = np.isfinite(distance)
    return np.asarray(np.where(known, distance, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1))


def _runs(series: Array, times: Array) -> Iterator[tuple[int, int]]:
    """Half-open runs of frames above FAR that last long enough; each frame lasts until the next."""
    edges = np.flatnonzero(np.diff([0, *(series > FAR).astype(int), 0]))
    usual = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    for start, stop in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        if times[stop - 1] - times[start] + usual >= LASTING - 1e-6:
            yield start, stop


def warnings(spans: Sequence[Apart]) -> list[str]:
    """A line for each stretch of frames; parts that overlap in time share it.

    >>> warnings([Apart("a", "nose", 98, 136, 110, 9.0), Apart("a", "mouth", 100, 120, 110, 9.0)])[0][:58]
    'a: look at frames 98 to 136: nose and mouth of aligned and'
    """
    groups: list[list[Apart]] = []
    for span in sorted(spans, key=lambda span: (span.track, span.first)):
        last = groups[-1] if groups else []
        if last and last[0].track == span.track and span.first <= max(other.last for other in last):
            last.append(span)
        else:
            groups.append([span])
    return [_warning(group) for group in groups]


def _warning(group: Sequence[Apart]) -> str:
    parts = " and ".join(dict.fromkeys(span.part for span in group))
    frames = f"frames {group[0].first} to {max(span.last for span in group)}"
    return (
        f"{group[0].track}: look at {frames}: {parts} of aligned and raw are far apart; one of both is wrong there "
        "(something in front of the face?)"
    )
