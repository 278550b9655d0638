"""Pictures of any size show the same motion, and lids and lips as sharp as the picture is."""

from __future__ import annotations

import cv2
import pytest
import skimage.data
import torch
from torch import Tensor
from torch.nn import functional as F

from s2d.landmarks import layout
from s2d.models import edges
from s2d.models.animator import Animator, AnimatorConfig, AnimatorOutput
from s2d.models.axes import Axes
from s2d.models.blocks import identity_grid
from s2d.models.render import Renderer
from tests.models.conftest import gaze_turned, jaw_dropped, lids_closed
from tests.models.test_eyeball import PUPILS, SIZE, drawn_eyes, looking, wide_eyes

SMALL = AnimatorConfig(size=32, channels=8, motion_channels=8)


@pytest.fixture
def animator() -> Animator:
    """Untrained, but that its output layers say something."""
    torch.manual_seed(0)
    model = Animator(SMALL)
    for head in (model.motion.head, model.decoder.head):
        torch.nn.init.normal_(head.weight, std=0.3)
    return model.eval()


def at(points: Tensor, size: int, height: int, width: int) -> Tensor:
    """Points normalised in a square of `size` pixels, normalised in the same square of height x width pixels."""
    length = torch.tensor([width, height])
    return points * (size - 1) / size * length / (length - 1)


def rendered(source: Tensor, output: AnimatorOutput, points: Tensor, driving: Tensor, plainly: bool = False) -> Tensor:
    """The source (1, 3, H, W) as `output` says; points normalised in the animator's picture.

    `plainly` with one sample for each pixel, also where motion jumps.
    """
    size, (height, width) = output.image.shape[-1], source.shape[-2:]
    with torch.inference_mode(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(edges, "JUMP", (1e6, 2e6) if plainly else edges.JUMP)
        return Renderer(source, at(points, size, height, width))(output, at(driving, size, height, width))


def steps_across(source: Tensor, points: Tensor, driving: Tensor, landmark: int) -> Tensor:
    """Of a source (1, 3, 512, 512) moved by 32 pixels: changes (3, 39) from row to row around a driving landmark."""
    with torch.inference_mode():
        output = Animator(SMALL)(F.avg_pool2d(source, 16), points, driving)
    x, y = (round(float((place + 1) / 2 * 511)) for place in at(driving, 32, 512, 512)[0, landmark])
    return rendered(source, output, points, driving)[0, :, y - 20 : y + 20, x].diff(dim=1).abs()


def test_at_its_own_size_it_is_the_image(animator: Animator, face: Tensor, astronaut: Tensor):
    source = F.avg_pool2d(astronaut, 2)
    driving = torch.cat([lids_closed(face), jaw_dropped(face)])
    with torch.inference_mode():
        output = animator(source.expand(2, -1, -1, -1), face.expand(2, -1, -1), driving)
        made = Renderer(source, face)(output, driving)
    assert (output.image - output.warped).abs().max() > 0.05
    # pupils count a ten thousandth or less away from eyes, which pictures of other sizes leave out
    torch.testing.assert_close(made, output.image.clamp(0, 1), atol=1e-4, rtol=0)


@pytest.mark.parametrize(("story", "most"), [("a blink", 0.95), ("a closing mouth", 0.6), ("a gaze", 0.5)])
def test_edges_lie_between_pixels(face: Tensor, story: str, most: float):
    """Nearer to the mean of sixteen times as many pixels than pictures with one sample for each."""
    opened = jaw_dropped(face)
    source, driving = {
        "a blink": (face, lids_closed(face, 0.4)),
        "a closing mouth": (opened, face),
        "a gaze": (face, gaze_turned(face, 0.04)),
    }[story]
    crop = cv2.resize(skimage.data.astronaut()[30:216, 132:318], (512, 512), interpolation=cv2.INTER_CUBIC)
    fine = torch.from_numpy(crop).permute(2, 0, 1)[None].float() / 255
    with torch.inference_mode():
        output = Animator(AnimatorConfig(size=128))(F.avg_pool2d(fine, 4), source, driving)
        truth = F.avg_pool2d(rendered(fine, output, source, driving, plainly=True), 4)
        coarse = F.avg_pool2d(fine, 4)
        smooth, stairs = (rendered(coarse, output, source, driving, plainly=plainly) for plainly in (False, True))
    edges = (smooth - stairs).abs().amax(1, keepdim=True).expand(-1, 3, -1, -1) > 0
    assert edges.any()
    errors = [float((made - truth)[edges].square().mean()) for made in (smooth, stairs)]
    assert errors[0] < most * errors[1]


def test_standing_still_gives_the_picture_in_full_resolution(face: Tensor):
    seeded = torch.Generator().manual_seed(0)
    fine = torch.rand(1, 3, 48, 200, generator=seeded)
    output = Animator(SMALL)(torch.rand(1, 3, 32, 32, generator=seeded), face, face)
    torch.testing.assert_close(rendered(fine, output, face, face), fine, atol=1e-4, rtol=0)


@pytest.mark.parametrize(("height", "width"), [(128, 128), (96, 160)])
def test_the_motion_is_that_of_the_same_square(face: Tensor, height: int, width: int):
    """A picture that is its own coordinates, moved by a tenth of the square, whatever its resolution."""
    shift = torch.tensor([0.1 * 2 * 32 / 31, 0.0])  # a tenth of the square, in units of 32 pixel centres
    output = Animator(SMALL)(torch.zeros(1, 3, 32, 32), face, face)
    output = output._replace(smooth=output.smooth + shift, head=output.head + shift)
    across = (torch.arange(width) + 0.5) / width
    picture = across.expand(1, 3, height, width)
    made = rendered(picture, output, face, face - shift)
    middle = slice(width // 4, 3 * width // 4)
    torch.testing.assert_close(made[..., middle], picture[..., middle] + 0.1, atol=1e-4, rtol=0)


def test_one_source_serves_a_batch_and_colours_stay_in_range(animator: Animator, face: Tensor, astronaut: Tensor):
    driving = torch.cat([lids_closed(face), jaw_dropped(face)])
    with torch.inference_mode():
        output = animator.drive(animator.encode_source(F.avg_pool2d(astronaut, 2), face), driving)
    made = rendered(astronaut, output, face, driving)
    assert made.shape == (2, 3, 64, 64)
    assert 0 <= made.min() <= made.max() <= 1


def test_what_is_painted_reaches_full_resolution(face: Tensor):
    output = Animator(SMALL)(torch.full((1, 3, 32, 32), 0.1), face, face)
    painted = output._replace(painted=output.painted + 0.2)
    dark = torch.full((1, 3, 64, 64), 0.1)
    torch.testing.assert_close(rendered(dark, painted, face, face), torch.full((1, 3, 64, 64), 0.3), atol=1e-5, rtol=0)


def test_a_closed_eye_is_closed_at_any_size(face: Tensor):
    """Eyeballs are white in a black picture: whatever a small animator left of them, a large picture does not show."""
    white = torch.zeros(1, 3, 512, 512)
    large, polygon = at(face, 32, 512, 512), [36, 37, 38, 39, 40, 41]
    x, y = ((large[0, polygon, axis] + 1) / 2 * 511 for axis in (0, 1))
    white[
        ...,
        round(float(y.min())) + 4 : round(float(y.max())) - 4,
        round(float(x.min())) + 9 : round(float(x.max())) - 9,
    ] = 1
    driving = lids_closed(face, 0.0)
    with torch.inference_mode():
        output = Animator(SMALL)(F.avg_pool2d(white, 16), face, driving)
    assert float(rendered(white, output, face, face).sum() / white.sum()) == pytest.approx(1, abs=0.03)
    assert float(rendered(white, output, face, driving).sum() / white.sum()) < 0.02


def test_lips_that_close_meet_as_sharply_as_the_picture(face: Tensor):
    """The upper half of a picture red, the lower one blue: open lips meet in a line of the large picture."""
    opened = jaw_dropped(face, 0.12)
    middle = float(opened[0, [62, 66], 1].mean())
    halves = torch.zeros(1, 3, 512, 512)
    row = round((middle * 31 / 32 * 512 / 511 + 1) / 2 * 511)
    halves[:, 0, :row], halves[:, 2, row:] = 1, 1
    shut = face.clone()
    shut[:, [67, 66, 65]] = shut[:, [61, 62, 63]]
    steps = steps_across(halves, opened, shut, 62)[0]
    assert steps.sum() > 0.8
    assert steps.topk(3).values.sum() > 0.9 * steps.sum()


def test_the_inside_of_a_mouth_is_as_sharp_as_the_picture(face: Tensor):
    """From skin to the inside of an open mouth it is a few pixels of the large picture, not of the small animator's."""
    driving, skin = jaw_dropped(face), torch.full((1, 3, 512, 512), 0.2)
    steps = steps_across(skin, face, driving, 66)[1]
    assert steps.topk(3).values.sum() > 0.09  # over sixteen pixels it would be half, with the tongue that gets lighter


def test_an_unknown_face_is_only_moved(animator: Animator, face: Tensor, astronaut: Tensor):
    nobody = torch.full_like(face, torch.nan)
    with torch.inference_mode():
        output = animator(F.avg_pool2d(astronaut, 2), face, nobody)
    assert rendered(astronaut, output, face, nobody).isfinite().all()


def test_a_face_beyond_the_picture_is_no_obstacle(animator: Animator, face: Tensor, astronaut: Tensor):
    away = face + 5
    with torch.inference_mode():
        output = animator(F.avg_pool2d(astronaut, 2), face, away)
    assert rendered(astronaut, output, face, away).isfinite().all()


@pytest.mark.parametrize("along", [0.58, 0.66])
def test_an_iris_keeps_its_outline_at_any_size(face: Tensor, along: float):
    """Two pixels wide for the animator and 80 in the picture: round, and cut off by the lids alone."""
    source = looking(wide_eyes(face), 0.5)
    driving = looking(source, along)
    there, here = (at(points, 32, SIZE, SIZE) for points in (source, driving))
    picture, truth = drawn_eyes(there), drawn_eyes(here)
    with torch.inference_mode():
        output = Animator(SMALL)(F.interpolate(picture, (32, 32), mode="area"), source, driving)
    missed = (rendered(picture, output, source, driving) - truth).abs()[0, 0]
    places = identity_grid(SIZE, SIZE, face).reshape(1, -1, 2)
    for eye, pupil in zip(layout.EYES, PUPILS, strict=True):
        axes = Axes.between(here[:, eye[0]], here[:, eye[3]])
        u, v = (way.reshape(SIZE, SIZE) for way in axes.local(places))
        along_eye, across = (float(place) for place in axes.local(here[:, [pupil]]))
        iris = (u - along_eye) ** 2 + (v - across) ** 2 < 0.25**2
        assert missed[iris].mean() < 0.06
