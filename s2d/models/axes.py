"""The own coordinates of an eye or a mouth, and the edges of lids and lips in them."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

NARROW = 0.02  # least distance along between neighbouring landmarks of an edge, in widths
SAMPLES = 64  # straight pieces of an edge: they miss it by less than a thousandth of its width


class Axes(NamedTuple):
    """Along from corner to corner (0 to 1), and across, downwards where the corners are level; both in widths."""

    corner: Tensor
    """(B, 2) the first corner, normalised."""
    along: Tensor
    """(B, 2) unit vector to the second corner."""
    width: Tensor
    """(B,) distance of the corners, normalised."""

    @staticmethod
    def between(first: Tensor, second: Tensor) -> Axes:
        """The axes of two corners (B, 2) each; any axes where they are the same place."""
        width = ((second - first) ** 2).sum(-1).clamp(min=1e-8).sqrt()
        return Axes(first, (second - first) / width[:, None], width)

    @property
    def across(self) -> Tensor:
        """(B, 2) unit vector."""
        return torch.stack([-self.along[:, 1], self.along[:, 0]], dim=-1)

    def local(self, places: Tensor) -> tuple[Tensor, Tensor]:
        """(B, N, 2) normalised -> along and across, (B, N) each."""
        offset = (places - self.corner[:, None]) / self.width[:, None, None]
        return (offset * self.along[:, None]).sum(-1), (offset * self.across[:, None]).sum(-1)

    def way(self, along: Tensor, across: Tensor) -> Tensor:
        """Ways this far along and across, (B, N) in widths: (B, N, 2) normalised."""
        offset = along[..., None] * self.along[:, None] + across[..., None] * self.across[:, None]
        return offset * self.width[:, None, None]

    def edges(self, points: Tensor, u: Tensor, beyond: Tensor | None = None, *, rounded: bool = False) -> Tensor:
        """Across at u (B, N) along: smooth curves through points (B, E, M, 2), level outside the first and the last.

        Returns (B, E, N). The first and the last point are taken `beyond` (B, 1) widths further out. A point that lies
        behind the one before it is passed at once, not back and forth. `rounded` edges end as ellipses do, others in a
        point.
        """
        along, across = (way.reshape(points.shape[:-1]) for way in self.local(points.flatten(1, 2)))
        if beyond is not None:
            out = beyond[:, None]
            along = torch.cat([along[..., :1] - out, along[..., 1:-1], along[..., -1:] + out], dim=-1)
        along = _onwards(along)
        first, span = along[..., :1], along[..., -1:] - along[..., :1]
        place = (u[:, None] - first) / span
        if rounded:
            along, place = _angle((along - first) / span), _angle(place)
        length = along.diff(dim=-1)
        place, span = place * SAMPLES, length.sum(-1, keepdim=True)
        table = _curve(length, across, span * torch.linspace(0, 1, SAMPLES + 1, dtype=u.dtype, device=u.device))
        return looked_up(table, place.clamp(0, SAMPLES))


class Gap(NamedTuple):
    """What an upper and a lower sheet of skin leave open, at places across, all (B, N) and in widths."""

    v: Tensor
    upper: Tensor
    lower: Tensor
    """The two edges; they touch where they have crossed in the landmarks."""

    @staticmethod
    def between(v: Tensor, upper: Tensor, lower: Tensor) -> Gap:
        """Edges as the landmarks have them."""
        middle = (upper + lower) / 2
        return Gap(v, torch.minimum(upper, middle), torch.maximum(lower, middle))

    def choose(self, above: Tensor, inside: Tensor, below: Tensor) -> Tensor:
        """`above` the upper edge, `below` the lower one, and `inside` between, (B, N) each.

        With nothing from one to the next: the mean of two motions shows what lies between their ends, in no place here.
        """
        return torch.where(self.v < self.upper, above, torch.where(self.v > self.lower, below, inside))


def _angle(place: Tensor) -> Tensor:
    """0 to 1 along an edge as an angle around its middle, 0 to 1 again; less is 0 and more is 1."""
    inside = (place > 0) & (place < 1)
    angle = torch.acos(1 - 2 * place.clamp(1e-4, 1 - 1e-4)) / math.pi  # the slope is infinite at either end
    return torch.where(inside, angle, (place >= 1).to(place))


def _curve(length: Tensor, across: Tensor, x: Tensor) -> Tensor:
    """A curve through points `length` (..., M - 1) apart and this far `across` (..., M), at x (..., N) from the first.

    Piecewise cubic with the slopes of Fritsch and Butland (1984): no bump between points that the points do not have.
    """
    rise = across.diff(dim=-1)
    slopes = _slopes(length, rise / length)
    start = length.cumsum(-1) - length
    t = ((x[..., None, :] - start[..., None]) / length[..., None]).clamp(0, 1)
    first, second = ((slope * length)[..., None] for slope in (slopes[..., :-1], slopes[..., 1:]))
    bend = first * t * (1 - t) ** 2 - second * t**2 * (1 - t)
    return across[..., :1] + (rise[..., None] * t**2 * (3 - 2 * t) + bend).sum(-2)


def _onwards(along: Tensor) -> Tensor:
    """Places (..., M) along an edge, each at least NARROW beyond the one before it."""
    places = [along[..., 0]]
    for place in along.unbind(-1)[1:]:
        places.append(torch.maximum(place, places[-1] + NARROW))
    return torch.stack(places, dim=-1)


def looked_up(table: Tensor, place: Tensor) -> Tensor:
    """Values of a table (..., K) at places (..., N) between 0 and K - 1, straight between its entries."""
    index = place.detach().floor().long().clamp(0, table.shape[-1] - 2)  # of NaN, too
    before, after = table.gather(-1, index), table.gather(-1, index + 1)
    return before + (place - index) * (after - before)


def _slopes(length: Tensor, secant: Tensor) -> Tensor:
    """Slopes (..., M) of a curve at the ends of its pieces (..., M - 1), by their lengths and secants.

    Inside, weighted harmonic means of the secants, 0 where they differ in sign. At either end the second derivative is
    zero.
    """
    before, after = secant[..., :-1], secant[..., 1:]
    one, other = 2 * length[..., 1:] + length[..., :-1], length[..., 1:] + 2 * length[..., :-1]
    product = before * after
    rising = product > 1e-12
    mean = (one + other) * product / torch.where(rising, one * after + other * before, 1.0)
    inner = torch.where(rising, mean, 0.0)
    first, last = (1.5 * secant[..., [k]] - 0.5 * inner[..., [k]] for k in (0, -1))
    return torch.cat([first, inner, last], dim=-1)
