"""Slip against the picture: patches shifted by known amounts, landmarks that slide over a known clip."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import skimage.data
from scipy.ndimage import gaussian_filter, shift

from s2d.geometry import Array, Float32
from s2d.landmarks import jitter, layout
from s2d.landmarks.residuals import LEAST_RESPONSE, SIZE, patch_spectra, phase_shift
from s2d.landmarks.synthetic import VARIANTS, SyntheticClip, make_clip


def textures(count: int) -> Array:
    rng = np.random.default_rng(0)
    return np.stack([gaussian_filter(rng.normal(0, 40, (SIZE + 20, SIZE + 20)), 1.5) for _ in range(count)])


@pytest.mark.parametrize("moved", [(0.0, 0.0), (0.3, -0.7), (-2.4, 1.1), (5.0, 4.5)])
def test_phase_shift_of_shifted_textures(moved: tuple[float, float]) -> None:
    whole = textures(12)
    dx, dy = moved
    later = np.stack([shift(picture, (dy, dx), order=5, mode="nearest") for picture in whole])
    cut = slice(10, 10 + SIZE)
    first, second = (patch_spectra(stack[:, cut, cut].astype(np.float32)) for stack in (whole, later))
    found, response = phase_shift(first, second)
    assert (response > LEAST_RESPONSE).all()
    np.testing.assert_allclose(np.median(found, axis=0), [dx, dy], atol=0.05 + 0.06 * max(abs(dx), abs(dy)))


def test_different_textures_have_a_poor_response() -> None:
    first, second = patch_spectra(textures(20)[:10, :SIZE, :SIZE]), patch_spectra(textures(20)[10:, :SIZE, :SIZE])
    _, response = phase_shift(first.astype(np.complex64), second.astype(np.complex64))
    assert (response < LEAST_RESPONSE).mean() > 0.8


@pytest.fixture(scope="module")
def clip(astronaut_points: Float32) -> SyntheticClip:
    quiet = replace(VARIANTS["calm"], noise=0.5, shutter=0.0)
    return make_clip(skimage.data.astronaut(), astronaut_points, frames=16, size=320, variant=quiet)


@pytest.fixture(scope="module")
def slips(clip: SyntheticClip) -> dict[str, jitter.Figures]:
    rng = np.random.default_rng(0)
    drift = np.cumsum(np.repeat(rng.normal(0, 0.15, (1, 70, 2)), len(clip), axis=0), axis=0)
    tracks = {
        "truth": clip.truth,
        "offset": clip.truth + rng.normal(0, 1.5, (1, 70, 2)),
        "white": clip.truth + rng.normal(0, 0.5, clip.truth.shape),
        "drift": clip.truth + drift,
    }
    return jitter.compare(tracks, clip.times, frames=clip.frames())


def test_truth_hardly_slips(clip: SyntheticClip, slips: dict[str, jitter.Figures]) -> None:
    """The truth sticks to the rendered skin: neither measure knows the renderer."""
    pixel = 100 / layout.interocular(clip.truth).mean()
    for name in ("phase_residual_1", "flow_residual"):
        assert (slips["truth"][name] or 9) < 0.1 * pixel
    assert (slips["truth"]["phase_residual_6"] or 9) < 0.35 * pixel  # skin turns and stretches over six frames


def test_constant_offset_is_no_slip(slips: dict[str, jitter.Figures]) -> None:
    for name in ("phase_residual_1", "flow_residual"):
        assert slips["offset"][name] == pytest.approx(slips["truth"][name], abs=0.03)


def test_white_jitter_slips_by_its_size(clip: SyntheticClip, slips: dict[str, jitter.Figures]) -> None:
    """Deviation s at both ends: the difference has mean length s sqrt(pi)."""
    expected = 100 * 0.5 * np.sqrt(np.pi) / layout.interocular(clip.truth).mean()
    for name in ("phase_residual_1", "phase_residual_6", "flow_residual"):
        assert slips["white"][name] == pytest.approx(expected, rel=0.12), name


def test_drift_shows_over_six_frames(clip: SyntheticClip, slips: dict[str, jitter.Figures]) -> None:
    expected = 100 * 0.15 * np.sqrt(np.pi / 2) / layout.interocular(clip.truth).mean()
    assert slips["drift"]["phase_residual_1"] == pytest.approx(expected, rel=0.35)
    assert slips["drift"]["phase_residual_6"] == pytest.approx(6 * expected, rel=0.25)


def test_missing_frames_and_points_are_passed_over(clip: SyntheticClip) -> None:
    holes = clip.truth.copy()
    holes[4:6] = np.nan
    holes[:, 20] = np.nan
    figures = jitter.measure(holes, clip.times, frames=clip.frames())
    assert (figures["phase_residual_1"] or 9) < 0.15
    nothing = jitter.measure(np.full_like(holes, np.nan), clip.times, frames=clip.frames())
    assert nothing["phase_residual_1"] is None
    assert nothing["flow_residual"] is None


def test_figures_do_not_depend_on_the_size_of_the_video(astronaut_points: Float32) -> None:
    """The same motion filmed at twice the resolution gives the same percentages."""
    quiet = replace(VARIANTS["calm"], noise=0.0, shutter=0.0)
    slips = []
    for size in (200, 400):
        made = make_clip(skimage.data.astronaut(), astronaut_points, frames=5, size=size, variant=quiet)
        jittered = made.truth + np.random.default_rng(0).normal(0, 0.006, made.truth.shape) * size * 0.22
        slips.append(jitter.measure(jittered, made.times, frames=made.frames()))
    for name in ("phase_residual_1", "flow_residual", "acceleration"):
        assert slips[0][name] == pytest.approx(slips[1][name], rel=0.1), name
