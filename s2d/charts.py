"""Charts as inline SVG: small, sharp at any size, text that can be selected, colours for light and dark.

Colours are CSS classes named after what is drawn, such as `raw` and `kept`; `STYLE` holds them. All text is escaped.
"""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


STYLE = """
:root { --raw: #d1495b; --aligned: #00798c; --kept: #00798c; --filtered: #d98e04; --failed: #d1495b; }
@media (prefers-color-scheme: dark) {
  :root { --raw: #ff7d8d; --aligned: #45bdd0; --kept: #45bdd0; --filtered: #f0b441; --failed: #ff7d8d; }
}
svg { display: block; width: 100%; height: auto; font: 12px system-ui, sans-serif; }
svg text { fill: var(--soft); }
svg .axis { stroke: var(--line); fill: none; }
svg .limit, svg .equal { stroke: var(--ink); stroke-dasharray: 4 3; fill: none; }
svg .equal { stroke: var(--soft); }
.raw { fill: var(--raw); background: var(--raw); } .aligned { fill: var(--aligned); background: var(--aligned); }
.kept { fill: var(--kept); background: var(--kept); } .failed { fill: var(--failed); background: var(--failed); }
.filtered { fill: var(--filtered); background: var(--filtered); }
svg .over { fill-opacity: .55; }
svg path.raw, svg path.aligned { fill: none; stroke-width: 1.3; stroke-linejoin: round; }
svg path.raw { stroke: var(--raw); } svg path.aligned { stroke: var(--aligned); }
"""
SMALL, LARGE = (300, 150), (420, 290)  # histograms, in the unit of their text: one CSS pixel where there is room
SIDE, TOP, BOTTOM = 10, 18, 24  # margins
SQUARE = 420  # side of a chart of pairs
AXIS = 52  # its margin for numbers
TRACE = 560, 84


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers within [low, high], at most `most` + 1 of them, in steps of 1, 2 or 5 times a power of ten.

    >>> ticks(0.0, 1.0)
    [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    >>> ticks(3.0, 3.0)
    [3.0]
    """
    if not high > low:
        return [low]
    power = 10.0 ** math.floor(math.log10((high - low) / most))
    step = next(power * factor for factor in (1, 2, 5, 10) if (high - low) <= most * power * factor * (1 + 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{number * step:.10g}") for number in range(first, last + 1)]


def short(value: float) -> str:
    """A number for people: three significant digits, more only before the point.

    >>> short(1234567), short(0.123456), short(-2.0)
    ('1,234,567', '0.123', '-2')
    """
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def histogram(
    series: Mapping[str, Sequence[int]],
    edges: Sequence[float],
    label: str,
    *,
    stacked: bool = True,
    limits: Sequence[float] = (),
    unit: str = "tracks",
    size: tuple[int, int] = SMALL,
) -> str:
    """Bars of one or more series (B counts each, by CSS class) over B bins, B + 1 `edges`; stacked, or laid over.

    `label` says in words what is shown, `limits` are marked by dashed lines where they lie inside.
    """
    width, height = size
    counts = np.array(list(series.values()))
    peak = max(1, int((counts.sum(axis=0) if stacked else counts.max(axis=0)).max()))
    low, high = edges[0], edges[-1]
    scale = (width - 2 * SIDE) / (high - low)
    floor, room = height - BOTTOM, height - BOTTOM - TOP
    parts = [_line("axis", SIDE, floor, width - SIDE, floor)]
    base = np.zeros(counts.shape[1])
    for name, row in series.items():
        for column, count in enumerate(row):
            if count:
                left, right = (SIDE + scale * (edge - low) for edge in edges[column : column + 2])
                tall = max(1.0, room * count / peak)  # one of a hundred thousand is still seen
                says = f"{short(edges[column])} to {short(edges[column + 1])}: {count} {unit}, {name}"
                place = left + 0.5, floor - base[column] - tall, max(0.7, right - left - 1), tall
                parts.append(_bar(name if stacked else f"{name} over", place, says))
                base[column] += tall if stacked else 0
    for limit in limits:
        if low <= limit <= high:
            across = SIDE + scale * (limit - low)
            parts.append(_line("limit", across, TOP - 6, across, floor))
    parts += [
        _text(SIDE + scale * (tick - low), height - 7, short(tick), _anchor(tick, low, high))
        for tick in ticks(low, high)
    ]
    parts.append(_text(SIDE, 11, f"{peak:,}"))
    return _svg(width, height, label, parts)


def pairs(cells: Sequence[tuple[float, float, int]], most: float, label: str, names: tuple[str, str]) -> str:
    """How often pairs (x, y, count) occur, on equal axes from 0 to `most`, with the line where both are equal.

    Dots grow with the root of the count; `names` are those of the axes.
    """
    inner = SQUARE - AXIS - SIDE
    scale = inner / most
    largest = max((count for *_, count in cells), default=1)
    floor = SIDE + inner
    parts = [_line("axis", AXIS, floor, AXIS + inner, floor), _line("axis", AXIS, SIDE, AXIS, floor)]
    for tick in ticks(0.0, most):
        parts.append(_text(AXIS + scale * tick, floor + 16, short(tick), "middle"))
        parts.append(_text(AXIS - 6, floor - scale * tick + 4, short(tick), "end"))
    parts.append(_line("equal", AXIS, floor, AXIS + inner, SIDE))
    for x, y, count in cells:
        radius = 1.2 + 3.3 * math.sqrt(count / largest)
        place = f'cx="{AXIS + scale * x:.1f}" cy="{floor - scale * y:.1f}" r="{radius:.1f}"'
        parts.append(f'<circle class="aligned over" {place}/>')
    parts.append(_text(AXIS + inner / 2, SQUARE - 6, names[0], "middle"))
    parts.append(f'<g transform="translate(12 {SIDE + inner / 2}) rotate(-90)">{_text(0, 0, names[1], "middle")}</g>')
    return _svg(SQUARE, SQUARE, label, parts)


def traces(series: Mapping[str, Array], label: str, *, least: float) -> str:
    """Lines over the same N frames, by CSS class, on one scale; gaps where a value is NaN.

    The scale spans at least `least`, so that what hardly moves is seen to be still. Nothing without any value.
    """
    width, height = TRACE
    values = np.stack(list(series.values()))
    known = values[np.isfinite(values)]
    if not len(known):
        return ""
    low, high = float(known.min()), float(known.max())
    middle, reach = (low + high) / 2, max(high - low, least)
    x = SIDE + np.arange(values.shape[1]) * (width - 2 * SIDE) / max(1, values.shape[1] - 1)
    y = height / 2 - (values - middle) / reach * (height - 2 * SIDE)
    parts = [f'<path class="{name}" d="{_path(x, row)}"/>' for name, row in zip(series, y, strict=True)]
    return _svg(width, height, label, parts)


def _path(x: Array, y: Array) -> str:
    steps, pen = [], "M"
    for across, up in zip(x.tolist(), y.tolist(), strict=True):
        if math.isfinite(up):
            steps.append(f"{pen}{across:.1f} {up:.1f}")
        pen = "L" if math.isfinite(up) else "M"
    return "".join(steps)


def _anchor(tick: float, low: float, high: float) -> str:
    """Numbers near the ends stay inside the picture."""
    share = (tick - low) / (high - low)
    return "start" if share < 0.05 else "end" if share > 0.95 else "middle"


def _bar(kind: str, place: tuple[float, float, float, float], says: str) -> str:
    x, y, width, height = place
    where = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
    return f'<rect class="{kind}" {where}><title>{html.escape(says)}</title></rect>'


def _line(kind: str, x: float, y: float, to_x: float, to_y: float) -> str:
    return f'<path class="{kind}" d="M{x:.1f} {y:.1f}L{to_x:.1f} {to_y:.1f}"/>'


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{html.escape(text)}</text>'


def _svg(width: float, height: float, label: str, parts: Sequence[str]) -> str:
    opening = f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{html.escape(label)}">'
    return f"{opening}{''.join(parts)}</svg>"
