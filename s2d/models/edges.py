"""A source as it is moved, its edges between pixels.

Lids, lips and irises have edges over which motion jumps. One sample a pixel shows them as stairs and dots, and lets a
lid of a small picture move by whole pixels only. So pixels whose neighbours come from places far apart are the mean of
four samples, each with its own side of the edge.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from s2d.geometry_torch import displacement
from s2d.models.blocks import blend, smoothstep, warp
from s2d.models.box import Box
from s2d.models.eyes import apart
from s2d.models.faces import head_similarity
from s2d.models.pupils import pupil_odds
from s2d.models.sheets import Sheets

TAPS = 4  # samples of such a pixel
JUMP = (0.05, 0.3)  # pixels that displacements of neighbours differ by, from which on they are taken, and alone


class Motion(NamedTuple):
    """What is smooth of the motion of B faces, on the nodes of a grid (h, w)."""

    smooth: Tensor
    """(B, h, w, 2) displacement, normalised, without that of lids, lips and pupils."""
    head: Tensor
    """(B, h, w, 2) the displacement of the head, likewise, that these are worked out beside."""
    together: Tensor
    """(B, 1, h, w) how much they count together."""
    gaze: Tensor
    """(B, 2, h, w) by how much pupils count more than by `pupil_odds`, in natural logarithms."""

    def around(self, nodes: Tensor) -> Motion:
        """What K nodes, by number, have, for TAPS places around each of them: on a grid (TAPS, K)."""
        flows = (field.flatten(1, 2)[:, None, nodes].expand(-1, TAPS, -1, -1) for field in self[:2])
        shares = (field.flatten(2)[:, :, None, nodes].expand(-1, -1, TAPS, -1) for field in self[2:])
        return Motion(*flows, *shares)


class Scene(NamedTuple):
    """A source and what drives it."""

    picture: Tensor
    """(B, 3, H, W)."""
    skin: Tensor
    """(B, 3) its colour."""
    source: Tensor
    """(B, 70, 2) normalised."""
    driving: Tensor
    """(B, 70, 2) normalised."""


def show(scene: Scene, motion: Motion, sheets: Sheets, grid: Tensor) -> tuple[Tensor, Tensor]:
    """The source moved, (B, 3, h, w), and the places it comes from, (B, h, w, 2).

    Nodes of `grid` (h, w, 2) move as `sheets` have it on theirs, which is the same grid or one near it.
    """
    lids, turned = _with_pupils(scene, motion, sheets)
    flow = motion.smooth + lids[:, 0, ..., None] * sheets.motion(motion.head) + turned
    places, share = grid + flow, torch.cat([lids, motion.together], dim=1)
    return sheets.draw(warp(scene.picture, places), scene.picture, scene.skin, share), places


def between_pixels(shown: Tensor, places: Tensor, scene: Scene, motion: Motion, sheets: Sheets) -> Tensor:
    """What `show` gives, shown (B, 3, h, w) and places (B, h, w, 2), with edges between pixels."""
    jumping = (places - sheets.grid - motion.smooth).detach()  # lids, lips and pupils alone
    jumps = _jumps(jumping, (sheets.eyes, sheets.mouth)).flatten(1)
    groups = sheets.parted((jumps > 0).any(0))
    nodes = torch.cat(groups)
    fine = sheets.at(_taps(sheets.grid, nodes), groups, scene.source, scene.driving)
    middle = sheets.grid.flatten(0, 1)[nodes]  # what is seen from there, on either side: elsewhere it would be a blur
    mean = show(scene, motion.around(nodes), fine, middle)[0].mean(2)
    flat = shown.flatten(2)
    mixed = torch.lerp(flat[..., nodes], mean, jumps[:, None, nodes].to(mean))
    return flat.scatter(2, nodes.expand_as(mixed), mixed).reshape(shown.shape)


def _with_pupils(scene: Scene, motion: Motion, sheets: Sheets) -> tuple[Tensor, Tensor]:
    """How much lids and lips count beside pupils, (B, 1, h, w), and what these add to the displacement (B, h, w, 2)."""
    box, pupils = sheets.gaze, sheets.pupils
    bias, together = (field[..., box.rows, box.columns] for field in (motion.gaze, motion.together))
    odds = pupil_odds(apart(pupils.holds)).transpose(0, 1) * bias.exp()
    lids = together / (1 + odds.sum(1, keepdim=True))
    similarity = head_similarity(scene.source, scene.driving)
    turned = pupils.turned(similarity, displacement(similarity, pupils.grid))
    turned = apart(turned + pupils.hidden(turned)).transpose(0, 1) - box.cut(motion.head)[:, None]
    height, width = sheets.grid.shape[:2]
    fewer = box.put_back((lids - together)[..., None], height, width)[..., 0]
    return motion.together + fewer, box.put_back(blend(turned, lids * odds), height, width)


def _jumps(added: Tensor, boxes: Sequence[Box]) -> Tensor:
    """Where a displacement (B, h, w, 2) is another one at a neighbouring node: (B, h, w), 0 to 1; in `boxes` alone."""
    height, width = added.shape[1:3]
    per_unit = (added.new_tensor([width, height]) - 1) / 2
    found = torch.zeros_like(added[..., 0])
    for box in boxes:
        pixels = box.cut(added) * per_unit
        across, down = (
            smoothstep((pixels.diff(dim=axis).norm(dim=-1) - JUMP[0]) / (JUMP[1] - JUMP[0])) for axis in (2, 1)
        )
        either = torch.maximum(F.pad(across, (1, 0)), F.pad(across, (0, 1)))
        either = torch.maximum(either, torch.maximum(F.pad(down, (0, 0, 1, 0)), F.pad(down, (0, 0, 0, 1))))
        found = torch.maximum(found, box.put_back(either[..., None], height, width)[..., 0])
    return found


def _taps(grid: Tensor, nodes: Tensor) -> Tensor:
    """Places (TAPS, K, 2) around K nodes, by number, of a grid (h, w, 2): middles of the quarters of their pixels."""
    quarter = (grid[-1, -1] - grid[0, 0]) / (grid.new_tensor([grid.shape[1], grid.shape[0]]) - 1) / 4
    return grid.flatten(0, 1)[nodes] + quarter * grid.new_tensor([[-1, -1], [1, -1], [-1, 1], [1, 1]])[:, None]
