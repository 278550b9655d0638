"""The own coordinates of an eye or a mouth, and the edges of lids and lips in them."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

NARROW = 0.02  # least distance along between neighbouring landmarks of an edge, in widths


class Frame(NamedTuple):
    """Along from corner to corner (0 to 1), and across, downwards where the corners are level; both in widths."""

    corner: Tensor
    """(B, 2) the first corner, normalised."""
    along: Tensor
    """(B, 2) unit vector to the second corner."""
    width: Tensor
    """(B,) distance of the corners, normalised."""

    @staticmethod
    def between(first: Tensor, second: Tensor) -> Frame:
        """The frame of two corners (B, 2) each; any frame where they are the same place."""
        width = ((second - first) ** 2).sum(-1).clamp(min=1e-8).sqrt()
        return Frame(first, (second - first) / width[:, None], width)

    @property
    def across(self) -> Tensor:
        """(B, 2) unit vector."""
        return torch.stack([-self.along[:, 1], self.along[:, 0]], dim=-1)

    def local(self, places: Tensor) -> tuple[Tensor, Tensor]:
        """(B, N, 2) normalised -> along and across, (B, N) each."""
        offset = (places - self.corner[:, None]) / self.width[:, None, None]
        return (offset * self.along[:, None]).sum(-1), (offset * self.across[:, None]).sum(-1)

    def place(self, along: Tensor, across: Tensor) -> Tensor:
        """The way back, for one place each: (B,), (B,) -> (B, 2) normalised."""
        offset = along[:, None] * self.along + across[:, None] * self.across
        return self.corner + offset * self.width[:, None]

    def edge(self, points: Tensor, u: Tensor) -> Tensor:
        """Across at u (B, N) along: straight between the points (B, M, 2), level beyond the first and the last.

        A point that lies behind the one before it is passed at once, not back and forth.
        """
        along, across = self.local(points)
        height = across[:, :1].expand_as(u)
        for k in range(points.shape[1] - 1):
            length = (along[:, k + 1] - along[:, k]).clamp(min=NARROW)
            share = ((u - along[:, k, None]) / length[:, None]).clamp(0, 1)
            height = height + share * (across[:, k + 1] - across[:, k])[:, None]
        return height
