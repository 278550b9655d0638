"""A still taken apart: the person with soft edges, what lies under lids and lips, and the background behind.

All pictures are textures over the same rectangle of face units, `DENSITY` times finer than the frame that will be
made of them, so that plain bilinear sampling neither blurs nor shifts them.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from s2d import geometry
from s2d.geometry import Array, Float32, Floats, Image
from s2d.landmarks.synthetic.head import Eye, Head, Mask
from s2d.landmarks.synthetic.motion import smoothstep

LEFT, TOP, WIDTH, HEIGHT = -3.0, -2.6, 6.0, 6.2  # the rectangle, in face units
DENSITY = 2
MATTE_DETAIL = 40  # texture pixels per unit at which the person is segmented
CAVITY = np.array([66.0, 32.0, 31.0])  # the dark of a mouth, RGB
TONGUE = np.array([150.0, 84.0, 80.0])  # lower down
TEETH = np.array([222.0, 212.0, 196.0])
TINT = 0.25  # of what skin's colour differs from SKIN's is the light's, which teeth share; the rest is the skin's own
SKIN = np.array([205.0, 165.0, 145.0])  # beside which these colours look right
TEETH_HEIGHT = 0.055  # shown under the upper lip when the still shows none


@dataclass(frozen=True)
class Layers:
    """Textures (h, w, channels) float32 in 0..255, `scale` pixels per face unit, first pixel at (LEFT, TOP)."""

    scale: float
    person: Float32
    """RGB premultiplied by the alpha channel behind it (0..1)."""
    inside: Float32
    """RGB of eyeballs and mouth, continued under the skin around them."""
    background: Float32
    """RGB, filled in where the person was."""

    def sample(self, texture: Float32, points: Floats) -> Float32:
        """Bilinear samples at points (H, W, 2) in face units, also none at all; the border is repeated."""
        if not points.size:
            return np.zeros((*points.shape[:2], texture.shape[2]), np.float32)
        pixels = (points - np.array([LEFT, TOP], np.float32)) * np.float32(self.scale)
        pixels = np.ascontiguousarray(pixels, np.float32)
        border = cv2.BORDER_REFLECT if texture is self.background else cv2.BORDER_REPLICATE
        return np.asarray(cv2.remap(texture, pixels, None, cv2.INTER_LINEAR, borderMode=border))


def take_apart(still: Image, head: Head, frame_scale: float) -> Layers:
    """Layers of a still (H, W, 3) for frames of `frame_scale` pixels per face unit."""
    scale = DENSITY * frame_scale
    texture = _resample(still, head, frame_scale, scale)
    alpha = _matte(texture, head, scale)
    solid = fill(texture, alpha > 0.9)
    near = cv2.dilate(alpha, np.ones((3, 3)), iterations=round(0.08 * scale)) > 0.02
    x, y = _positions(texture, scale)
    background = fill(texture, ~(near | _shoulders(x, y, head, 1.3, 2.2)))
    person = np.concatenate([solid * alpha[..., None], alpha[..., None]], axis=-1)
    return Layers(scale, person, _inside(texture, head, scale), background)


def _resample(still: Image, head: Head, frame_scale: float, scale: float) -> Float32:
    """The still over the rectangle; a large still is shrunk by areas first, so that nothing aliases."""
    still_scale = 1 / float(np.hypot(*head.to_units[:, 0]))
    shrink = min(1.0, frame_scale / still_scale)
    if shrink < 1:
        still = cv2.resize(still, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    shrunk = np.array([[shrink, 0, shrink / 2 - 0.5], [0, shrink, shrink / 2 - 0.5]])
    matrix = _compose(_units_to_texture(scale), _compose(head.to_units, geometry.invert(shrunk)))
    size = round(WIDTH * scale), round(HEIGHT * scale)
    texture = cv2.warpAffine(still, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(texture, np.float32)


def _units_to_texture(scale: float) -> Array:
    return np.array([[scale, 0, -LEFT * scale], [0, scale, -TOP * scale]])


def _compose(outer: Floats, inner: Floats) -> Array:
    """The affine map `outer` after `inner`."""
    linear = outer[:, :2] @ inner[:, :2]
    return np.concatenate([linear, outer[:, :2] @ inner[:, 2:] + outer[:, 2:]], axis=1)


def fill(image: Float32, known: Mask) -> Float32:
    """Continue `image` smoothly into the pixels that are not known (push-pull over an image pyramid).

    >>> row = np.float32([[[8.0], [0.0], [0.0], [0.0]]])
    >>> bool((fill(row, np.array([[True, False, False, False]])) == 8).all())
    True
    """
    weight = known.astype(np.float32)[..., None]
    return np.where(known[..., None], image, _push_pull(image * weight, weight)).astype(np.float32)


def _push_pull(total: Float32, weight: Float32) -> Float32:
    height, width = total.shape[:2]
    if min(height, width) == 1 or float(weight.min()) > 0:
        return np.asarray(total.sum((0, 1)) / np.maximum(weight.sum((0, 1)), 1e-6) + np.zeros_like(total))
    half = (width + 1) // 2, (height + 1) // 2
    smaller = [_keep_axis(cv2.resize(layer, half, interpolation=cv2.INTER_AREA)) for layer in (total, weight)]
    coarse = _keep_axis(cv2.resize(_push_pull(*smaller), (width, height), interpolation=cv2.INTER_LINEAR))
    near = np.clip(_keep_axis(cv2.GaussianBlur(weight, (0, 0), 1.0)), 0, 1)
    local = _keep_axis(cv2.GaussianBlur(total, (0, 0), 1.0)) / np.maximum(near, 1e-6)
    return np.asarray(local * near + coarse * (1 - near), np.float32)


def _keep_axis(image: npt.NDArray[np.float32]) -> Float32:
    return image if image.ndim == 3 else image[..., None]


def _matte(texture: Float32, head: Head, scale: float) -> Float32:
    """Soft mask (h, w) of the person: GrabCut (Rother et al. 2004) started from where heads and shoulders are."""
    small = cv2.resize(texture, None, fx=MATTE_DETAIL / scale, fy=MATTE_DETAIL / scale, interpolation=cv2.INTER_AREA)
    labels = _person_guess(small, head)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(0)
    cv2.grabCut(np.clip(small, 0, 255).astype(np.uint8), labels, None, *models, 4, cv2.GC_INIT_WITH_MASK)
    person = ((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)).astype(np.uint8)
    person = cv2.morphologyEx(person, cv2.MORPH_OPEN, np.ones((3, 3)))
    person = cv2.morphologyEx(person, cv2.MORPH_CLOSE, np.ones((5, 5)), borderType=cv2.BORDER_REPLICATE)
    matte = cv2.GaussianBlur(_only_the_largest(person).astype(np.float32), (0, 0), 1.2)
    matte = cv2.resize(matte, (texture.shape[1], texture.shape[0]), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(1.6 * matte - 0.5, 0, 1), np.float32)  # a little inside the outline


def _person_guess(picture: Float32, head: Head) -> npt.NDArray[np.uint8]:
    """GrabCut's labels: surely background far away, surely person on the face and chest, probably in between."""
    x, y = _positions(picture, MATTE_DETAIL)
    middle = float(head.landmarks[8, 0]) / 2

    def ellipse(radius_x: float, radius_y: float, centre_y: float) -> Mask:
        return ((x - middle) / radius_x) ** 2 + ((y - centre_y) / radius_y) ** 2 < 1

    labels = np.full(picture.shape[:2], cv2.GC_BGD, np.uint8)
    labels[ellipse(1.7, 1.9, 0.0) | _shoulders(x, y, head, 1.3, 2.2)] = cv2.GC_PR_BGD
    labels[ellipse(1.05, 1.45, -0.05) | _shoulders(x, y, head, 0.6, 1.6)] = cv2.GC_PR_FGD
    labels[ellipse(0.68, 1.0, 0.2) | _shoulders(x, y, head, 0.3, 0.7)] = cv2.GC_FGD
    return labels


def _shoulders(x: Array, y: Array, head: Head, neck: float, slope: float) -> Mask:
    """Below the chin, a trapezoid `neck` units to each side that widens by `slope` per unit down."""
    return np.asarray((y > head.mouth.chin) & (abs(x - head.landmarks[8, 0]) < neck + slope * (y - head.mouth.chin)))


def _positions(picture: Float32, scale: float) -> tuple[Array, Array]:
    """x and y in face units of a texture's pixels."""
    y, x = np.mgrid[: picture.shape[0], : picture.shape[1]].astype(np.float64)
    return x / scale + LEFT, y / scale + TOP


def _only_the_largest(mask: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The largest connected region, holes filled."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask)
    largest = np.uint8(labels == 1 + np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    outlines, _ = cv2.findContours(largest, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return np.asarray(cv2.drawContours(largest, outlines, -1, 1, cv2.FILLED))


def _inside(texture: Float32, head: Head, scale: float) -> Float32:
    """Eyeballs continued under the lids; teeth as in the still or a hint of them, the dark of the mouth below."""
    x, y = _positions(texture, scale)
    inside = texture
    for eye in head.eyes:
        inside = _eyeball(inside, eye, x, y)
    return _mouth(inside, head, x, y, _light(_skin_colour(texture, head, scale)))


def _light(skin: Array) -> Array:
    """(3,) 1 where skin has the colour SKIN; of how much lighter or darker it is, half (as a power) is the light's."""
    ratio = np.maximum(skin, 1.0) / SKIN
    return np.asarray(np.sqrt(ratio.mean()) * (1 + TINT * (ratio / ratio.mean() - 1)))


def _mouth(inside: Float32, head: Head, x: Array, y: Array, light: Array) -> Float32:
    """Paint the mouth into a texture at pixels x, y, in `light` (3,) of 1 as the constants are."""
    upper, lower = head.mouth.upper(x), head.mouth.lower(x)
    left, right = head.mouth.corners
    open_in_still = (lower - upper).max() > TEETH_HEIGHT / 2
    edge = lower - 0.02 if open_in_still else upper + TEETH_HEIGHT
    shade = light * np.clip(1.1 - 1.6 * abs(x - (left + right) / 2) / (right - left), 0.2, 1)[..., None]
    teeth = inside if open_in_still else TEETH * shade
    dark = np.clip((y - edge) / 0.03 + 0.5, 0, 1)[..., None]
    tongue = smoothstep((y - edge - 0.02) / 0.16)[..., None]
    mouth = teeth * (1 - dark) + (CAVITY * (1 - tongue) + TONGUE * tongue) * shade * dark
    here = (x > left - 0.1) & (x < right + 0.1) & (y > upper - 0.15) & (y < head.mouth.chin)
    return np.where(here[..., None], mouth, inside).astype(np.float32)


def _skin_colour(texture: Float32, head: Head, scale: float) -> Array:
    """Mean colour (3,) between eyes and mouth."""
    x, y = np.round((head.landmarks[[28, 31, 35, 48, 54]].T - [[LEFT], [TOP]]) * scale).astype(int)
    return np.asarray(texture[y.min() : y.max(), x.min() : x.max()].mean(axis=(0, 1)), np.float64)


def _eyeball(texture: Float32, eye: Eye, x: Array, y: Array) -> Float32:
    left, right = eye.corners
    margin = 0.08 * (right - left)
    seen = (y > eye.upper(x) + margin) & (y < eye.lower(x) - margin / 2) & (x > left + margin) & (x < right - margin)
    near = (x > left - 0.1) & (x < right + 0.1) & (abs(y - eye.pupil[1]) < 0.3)
    shown = seen | ((y >= eye.upper(x)) & (y <= eye.lower(x)))
    return np.where((near & ~shown)[..., None], fill(texture, seen), texture).astype(np.float32)
