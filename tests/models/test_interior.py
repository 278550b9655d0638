"""The inside of a mouth is drawn where it opens, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from s2d.landmarks import layout
from s2d.models import interior
from s2d.models.blocks import identity_grid
from s2d.models.interior import FULL, NARROW, SOFTNESS, WIDE, skin_colour
from s2d.models.lips import Lips
from s2d.models.losses import region
from tests.models.conftest import head_turned, jaw_dropped

SIZE = 128
SKIN = (0.80, 0.65, 0.57)
Motions = dict[str, Callable[..., Tensor]]


@pytest.fixture
def skin() -> Tensor:
    """A picture of nothing but skin."""
    return torch.tensor(SKIN)[None, :, None, None].expand(1, 3, SIZE, SIZE).clone()


def draw_interior(image: Tensor, source: Tensor, driving: Tensor, skin: tuple[float, ...] = SKIN) -> Tensor:
    """On the picture's own grid."""
    lips = Lips.at(source, driving, identity_grid(*image.shape[-2:], source))
    return interior.draw_interior(image, lips, torch.tensor([skin]), 2 / (image.shape[-1] - 1))


def opened(face: Tensor, by: float) -> Tensor:
    """The lower lip and the chin dropped."""
    moved = face.clone()
    moved[:, [*range(6, 11), *range(55, 60), 65, 66, 67], 1] += by
    return moved


def spread(face: Tensor, by: float = WIDE) -> Tensor:
    """The lips this many times as wide."""
    moved = face.clone()
    middle = moved[:, 48:68, 0].mean(1, keepdim=True)
    moved[:, 48:68, 0] = middle + by * (moved[:, 48:68, 0] - middle)
    return moved


def between_lips(picture: Tensor, driving: Tensor) -> Tensor:
    """The column (3, n) of the picture (1, 3, S, S) from the middle of the inner upper lip to that of the lower."""
    upper, lower = ((driving[0, lip] + 1) / 2 * (SIZE - 1) for lip in (62, 66))
    return picture[0, :, round(float(upper[1])) : round(float(lower[1])) + 1, round(float(upper[0]))]


def lips_closed(face: Tensor) -> Tensor:
    """The inner lips touch."""
    moved = face.clone()
    moved[:, [67, 66, 65]] = moved[:, [61, 62, 63]]
    return moved


def test_there_are_teeth_above_the_dark_below_and_the_tongue_before_the_lower_lip(skin: Tensor, face: Tensor):
    driving = spread(opened(face, 0.16))
    black = torch.zeros_like(skin)
    column = between_lips(draw_interior(black, lips_closed(face), driving), driving)
    light = column.mean(0)
    assert 0 < light.argmax() < len(light) / 2
    darkest = int(light[light.argmax() : -3].argmin()) + int(light.argmax())
    assert light.max() > 2 * light[darkest]
    tongue = column[:, -4]
    assert tongue.mean() > 1.2 * light[darkest]
    assert tongue[0] > 1.5 * tongue[2]


def test_corners_are_dark(skin: Tensor, face: Tensor):
    """The lightest place of each column, from the middle to a corner: teeth, fewer of them, none."""
    driving = spread(opened(lips_closed(face), 0.16))
    lightest = draw_interior(torch.zeros_like(skin), lips_closed(face), driving)[0].mean(0).amax(0)
    left, right = float(driving[0, 48, 0]), float(driving[0, 54, 0])
    columns = [round((left + u * (right - left) + 1) / 2 * (SIZE - 1)) for u in (0.15, 0.26, 0.45)]
    corner, near, middle = (float(lightest[column]) for column in columns)
    assert 0 < corner < 0.75 * near
    assert near < middle


@pytest.mark.parametrize(("gap", "teeth"), [(0.0, True), (0.05, True), (0.25, False)])
def test_closed_lips_show_no_teeth_where_a_detector_leaves_them_apart(face: Tensor, gap: float, teeth: bool):
    """Upper teeth are drawn beside closed lips, and not where the source shows its own."""
    width = float(face[0, 54, 0] - face[0, 48, 0])
    source, driving = opened(lips_closed(face), gap * width), opened(lips_closed(face), 0.4 * width)
    black, white = (
        between_lips(draw_interior(torch.full((1, 3, SIZE, SIZE), value), source, driving), driving)
        for value in (0.0, 1.0)
    )
    drawn = float((1 - (white - black))[:, 1:3].max())
    assert drawn > 0.95 if teeth else drawn < 0.05


def test_a_round_mouth_hides_its_teeth(skin: Tensor, face: Tensor):
    """The wider it opens for its width, the darker the band below the upper lip."""
    black = torch.zeros_like(skin)
    width = float(face[0, 54, 0] - face[0, 48, 0])
    lightest = []
    for opening in (0.25, 0.4, 0.6):
        driving = spread(opened(lips_closed(face), opening * width))
        lightest.append(float(between_lips(draw_interior(black, lips_closed(face), driving), driving).max()))
    assert lightest == sorted(lightest, reverse=True)
    assert lightest[0] > 1.2 * lightest[2]


def test_rounded_lips_hide_teeth(skin: Tensor, face: Tensor):
    """A mouth that opens narrower than the source's is darker below its upper lip, by degrees."""
    closed, black = lips_closed(face), torch.zeros_like(skin)
    drivers = [spread(opened(closed, 0.1), width) for width in (NARROW - 0.1, NARROW, 0.9, WIDE, WIDE + 0.1)]
    columns = [between_lips(draw_interior(black, closed, driving), driving).mean(0) for driving in drivers]
    lightest = [float(column[: len(column) // 2].max()) for column in columns]
    assert lightest[0] == pytest.approx(lightest[1], rel=0.1)
    assert lightest[1] < 0.8 * lightest[2]
    assert lightest[2] < 0.9 * lightest[3]
    assert lightest[3] == pytest.approx(lightest[4], rel=0.1)


def test_it_is_drawn_between_the_lips_alone(skin: Tensor, face: Tensor):
    driving = opened(face, 0.12)
    changed = (draw_interior(skin, face, driving) != skin).any(1, keepdim=True)
    within = region(driving, (layout.PARTS["inner_lips"],), SIZE, SIZE, 0.02) > 0  # edges are curves
    assert changed.any()
    assert not (changed & ~within).any()


@pytest.mark.parametrize("motion", ["a shift", "a tilt", "a step back", "raised brows", "closed eyes", "a gaze"])
def test_a_mouth_that_does_not_open_is_left_alone(skin: Tensor, face: Tensor, motions: Motions, motion: str):
    drawn = draw_interior(skin, face, motions[motion](face))
    torch.testing.assert_close(drawn, skin, atol=1e-3, rtol=0)


@pytest.mark.parametrize("degrees", [-40, 40])
def test_a_head_that_turns_opens_no_mouth(skin: Tensor, face: Tensor, degrees: float):
    """Nor does it close one: mouths are narrower, lips are as far apart."""
    ajar = jaw_dropped(face, 0.12)
    drawn = draw_interior(skin, ajar, head_turned(ajar, degrees))
    assert (drawn - skin).abs().max() < 0.02
    little, much = jaw_dropped(face, 0.03), jaw_dropped(face, 0.12)
    turning = (draw_interior(skin, head_turned(little, degrees), much) - skin).abs().sum()
    assert turning == pytest.approx(float((draw_interior(skin, little, much) - skin).abs().sum()), rel=0.15)


def test_lips_that_pucker_open_no_mouth(skin: Tensor, face: Tensor):
    ajar = jaw_dropped(face, 0.06)
    puckered = ajar.clone()
    middle = ajar[:, 62:63, 0]
    puckered[:, 48:68, 0] = middle + 0.6 * (ajar[:, 48:68, 0] - middle)
    torch.testing.assert_close(draw_interior(skin, ajar, puckered), skin, atol=1e-3, rtol=0)


def test_a_mouth_that_closes_is_left_alone(skin: Tensor, face: Tensor):
    assert torch.equal(draw_interior(skin, opened(face, 0.12), face), skin)


def test_it_comes_steadily(skin: Tensor, face: Tensor):
    """More of it with every step that the mouth opens: nothing pops up."""
    change = [
        float((draw_interior(skin, face, opened(face, by)) - skin).abs().sum())
        for by in (0, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.12)
    ]
    assert change[0] == 0
    assert change == sorted(change)
    steps = [later - earlier for earlier, later in pairwise(change)]
    assert max(steps) < 0.45 * change[-1]


@pytest.mark.parametrize(("opening", "share"), [(0.5, 0.5), (1.0, 1.0), (1.2, 1.0)])
def test_it_is_drawn_in_full_from_a_certain_opening_on(face: Tensor, opening: float, share: float):
    """How much is drawn is what black and white below it do not differ by; it fades towards the lips, too."""
    by = opening * FULL * float(face[0, 54, 0] - face[0, 48, 0])
    driving = opened(lips_closed(face), by)
    pictures = (torch.full((1, 3, 512, 512), value) for value in (0.0, 1.0))
    black, white = (draw_interior(picture, lips_closed(face), driving) for picture in pictures)
    drawn = float((1 - (white - black)).max())
    assert drawn == pytest.approx(share * min(1, opening * FULL / 2 / SOFTNESS), rel=0.1)


def test_what_the_source_shows_of_its_mouth_stays(skin: Tensor, face: Tensor):
    """From half open to open less is drawn than from closed."""
    closed, half = (
        (draw_interior(skin, source, opened(face, 0.12)) - skin).abs().sum() for source in (face, opened(face, 0.08))
    )
    assert half < 0.4 * closed


def test_teeth_of_its_own_stay_as_they_are(skin: Tensor, face: Tensor):
    """As far down as the source shows its mouth; no others are drawn below them."""
    width = float(face[0, 54, 0] - face[0, 48, 0])
    source, driving = (opened(lips_closed(face), by * width) for by in (0.12, 0.4))
    column = between_lips(draw_interior(skin, source, driving), driving)
    inside = torch.arange(column.shape[1]) * 2 / (SIZE - 1) / width  # mouth widths below the upper lip
    own = skin[0, :, :1, 0]
    assert (column - own)[:, inside < 0.07].abs().max() < 0.02
    assert (column - own)[:, (inside > 0.17) & (inside < 0.3)].max() < 0


def test_crossed_lips_draw_nothing(skin: Tensor, face: Tensor):
    assert torch.equal(draw_interior(skin, face, opened(face, -0.1)), skin)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
@pytest.mark.parametrize("landmark", [33, 36, 48, 57, 62, 66])
def test_an_unknown_landmark_of_those_it_needs_draws_nothing(skin: Tensor, face: Tensor, landmark: int, value: float):
    driving, unknown = opened(face, 0.12), face.clone()
    unknown[:, landmark] = value
    assert torch.equal(draw_interior(skin, unknown, driving), skin)
    assert torch.equal(draw_interior(skin, face, opened(unknown, 0.12)), skin)


def test_a_landmark_that_it_does_not_need_may_be_unknown(skin: Tensor, face: Tensor):
    driving = opened(face, 0.12)
    drawn = draw_interior(skin, face, driving)
    driving[:, 8] = torch.nan
    assert torch.equal(draw_interior(skin, face, driving), drawn)


def test_colours_are_those_of_the_face(skin: Tensor, face: Tensor):
    """Teeth and flesh in a grey picture are grey, in a dark one darker, though less than the skin is."""
    torch.testing.assert_close(skin_colour(skin, face), torch.tensor([SKIN]), atol=1e-4, rtol=0)
    driving, black = opened(lips_closed(face), 0.16), torch.zeros_like(skin)
    light, dark, grey = (
        between_lips(draw_interior(black, lips_closed(face), driving, colour), driving)
        for colour in (SKIN, (0.2, 0.1625, 0.1425), (0.6, 0.6, 0.6))
    )
    torch.testing.assert_close(dark, light / 2)
    torch.testing.assert_close(grey, grey.mean(0).expand_as(grey))
    assert (light[0] > light[2] + 0.02)[2:-2].all()


def test_a_face_without_a_nose_has_a_colour(skin: Tensor, face: Tensor):
    face[:, [*layout.PARTS["nose_bridge"], *layout.PARTS["nose_base"]]] = torch.nan
    assert torch.isfinite(skin_colour(skin, face)).all()


def test_a_nose_beyond_the_picture_has_the_colour_of_the_skin_next_to_it(skin: Tensor, face: Tensor):
    away = 0.4 * face + torch.tensor([1.3, 0.0])
    torch.testing.assert_close(skin_colour(skin, away), torch.tensor([SKIN]), atol=1e-3, rtol=0)


def test_a_black_face_gets_no_nan(skin: Tensor, face: Tensor):
    black = torch.zeros_like(skin)
    drawn = draw_interior(black, lips_closed(face), opened(face, 0.12), (0.0, 0.0, 0.0))
    assert torch.isfinite(drawn).all()


def test_teeth_are_told_apart_where_a_pixel_is_fine_enough(skin: Tensor, face: Tensor):
    """A darker line between the two in the middle, the same on either side of it, and none in a small picture."""
    driving = opened(face, 0.1)

    def row(size: int) -> Tensor:
        picture = draw_interior(torch.zeros(1, 3, size, size), lips_closed(face), driving)
        place = float(driving[0, 62, 1]) + 0.02
        return picture[0].mean(0)[round((place + 1) / 2 * (size - 1))]

    large, small = row(513), row(65)
    width = float(driving[0, 54, 0] - driving[0, 48, 0]) * 256  # of the mouth, in pixels
    for end, inside in ((0.0, 0.08), (0.17, 0.12)):  # where a tooth ends, and a place within it
        darker, lighter = (large[256 + round(place * width)] for place in (end, inside))
        assert 0.7 < darker / lighter < 0.9
    torch.testing.assert_close(large, large.flip(0), atol=1e-4, rtol=0)
    assert small[32] / small[31] > 0.95  # drawn as narrow as in the large one, it would be .8
