"""FAN needs weights that no test can fetch, so these tests make some: a random network whose last layer is fitted to
one crop, so that its heatmaps have clear peaks at known places. Its first of four stacks will do."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from s2d.errors import S2DError
from s2d.geometry import apply, invert
from s2d.landmarks import layout
from s2d.landmarks.detectors import fan
from s2d.landmarks.detectors.base import Face
from s2d.landmarks.detectors.fan import FanDetector, crop_region, decode
from s2d.landmarks.detectors.regions import cut

BOX = np.array([170.0, 80.0, 280.0, 210.0], np.float32)
CELL = float(crop_region(BOX).side) / 64  # frame pixels
CONTOUR = layout.MIRROR[:68]
SHIFTS = [(0.0, 0.0), (1.5, -1.5), (-1.5, 1.5)]  # frame pixels


class GivenBoxes:
    """A finder that finds one face, in this box, in every frame."""

    name, version = "given", "0"

    def __init__(self, box: np.ndarray = BOX) -> None:
        self.face = Face(box, np.zeros((70, 2), np.float32), 1.0, np.ones(70, bool))

    def detect(self, frames: list[np.ndarray]) -> list[list[Face]]:
        return [[self.face] for _ in frames]


def gaussians(places: np.ndarray, sigma: float) -> np.ndarray:
    """Heatmaps (68, 64, 64) with peaks at these (x, y) cells."""
    rows, columns = np.mgrid[:64, :64]
    squares = (columns - places[:, :1, None]) ** 2 + (rows - places[:, 1:, None]) ** 2
    return np.exp(-squares / (2 * sigma**2)).astype(np.float32)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Two threads that wait for each other on a busy machine cost more than they save."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def places() -> np.ndarray:
    return np.random.default_rng(0).uniform(10, 53, (68, 2))


@pytest.fixture(scope="module")
def weights(
    places: np.ndarray, astronaut: np.ndarray, tmp_path_factory: pytest.TempPathFactory, one_stack: None
) -> Path:
    """Weights whose heatmaps peak at `places` in the astronaut's crop, and at the mirrored places in its mirror."""
    from face_alignment.models import FAN

    torch.manual_seed(0)
    network = FAN(4).eval()
    features: list[np.ndarray] = []
    network.bn_end0.register_forward_hook(lambda module, given, output: features.append(output[0].relu().numpy()))
    targets = []
    for shift in SHIFTS:
        region = crop_region(BOX)
        crop = cut(astronaut, dataclasses.replace(region, x=region.x + shift[0], y=region.y + shift[1]), 256)
        image = torch.from_numpy(crop.transpose(2, 0, 1)[None] / np.float32(255))
        with torch.inference_mode():
            network(image), network(image.flip(-1))
        wanted = gaussians(places - np.array(shift) / CELL, 2.0)
        targets += [wanted, wanted[CONTOUR, :, ::-1]]
    inputs = np.concatenate([feature.reshape(256, -1) for feature in features], axis=1)
    inputs = np.concatenate([inputs, np.ones_like(inputs[:1])]).astype(np.float64)
    outputs = np.concatenate([target.reshape(68, -1) for target in targets], axis=1).astype(np.float64)
    square = inputs @ inputs.T
    fitted = np.linalg.solve(square + 1e-6 * np.trace(square) / len(square) * np.eye(len(square)), inputs @ outputs.T).T
    state = network.state_dict()
    state["l0.weight"] = torch.from_numpy(fitted[:, :256, None, None]).float()
    state["l0.bias"] = torch.from_numpy(fitted[:, 256]).float()
    path = tmp_path_factory.mktemp("fan") / "weights.pth.tar"
    torch.save(state, path)
    return path


@pytest.fixture(scope="module")
def one_stack() -> Iterator[None]:
    """Both sides build FAN(4) with one of its four stacks, and the library's decoder runs without being compiled.

    A sixth of the time, the same code.
    """
    import face_alignment.api
    import face_alignment.models
    from face_alignment import utils

    full = face_alignment.models.FAN
    with pytest.MonkeyPatch.context() as patch:
        for name in ("_get_preds_fromhm", "transform_np"):
            patch.setattr(utils, name, getattr(utils, name).py_func)
        patch.setattr(face_alignment.models, "FAN", lambda stacks: full(1))
        patch.setattr(face_alignment.api, "FAN", lambda stacks: full(1))
        yield


def library_points(image: np.ndarray, weights: Path, flip: bool) -> np.ndarray:
    """What face-alignment's own call returns for BOX: (68, 2) whole pixels."""
    import face_alignment
    import face_alignment.api

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(face_alignment.api, "load_file_from_url", lambda url, **options: str(weights))
        library = face_alignment.FaceAlignment(
            face_alignment.LandmarksType.TWO_D, device="cpu", flip_input=flip, face_detector="folder", compile=False
        )
        (points,) = library.get_landmarks_from_image(image, detected_faces=[BOX.astype(float)])
    return np.asarray(points)


@pytest.mark.parametrize("flip", [False, True])
def test_agrees_with_the_library_within_its_rounding(
    astronaut: np.ndarray, weights: Path, places: np.ndarray, flip: bool
) -> None:
    """The library cuts and returns whole frame pixels (1 + 1), and reads a peak as its cell plus a quarter (0.5).

    Peaks of a random network are ragged: a quarter cell more is allowed, and a hop to a neighbour in one of ten.
    Their mean must lie much closer: half a cell, the likeliest mistake of geometry, is 1.9 pixels here.
    """
    detector = FanDetector(weights, flip_input=flip, finder=GivenBoxes())
    (ours,) = detector.detect([astronaut])[0]
    (maps,) = detector._heatmaps([cut(astronaut, crop_region(BOX), 256)])
    clear = has_a_clear_peak(maps)
    assert clear.sum() > 45
    theirs = library_points(astronaut, weights, flip)[clear]
    apart = ours.points[:68][clear] - theirs
    farthest = abs(apart).max(axis=1)
    assert np.quantile(farthest, 0.9) < 1 + 1 + 0.75 * CELL
    assert farthest.max() < 1 + 1 + 1.5 * CELL
    assert abs(apart.mean(axis=0)).max() < 0.75
    truth = apply(invert(crop_region(BOX).matrix(64)), places[clear])
    ours_off, theirs_off = (np.linalg.norm(given - truth, axis=1) for given in (ours.points[:68][clear], theirs))
    assert np.median(ours_off) < 0.8 * np.median(theirs_off)


def has_a_clear_peak(maps: np.ndarray) -> np.ndarray:
    """(68,) True where nothing further than four cells from the largest cell comes near its height."""
    cells, heights = decode(maps)
    rows, columns = np.mgrid[:64, :64]
    squares = (columns - cells[:, :1, None]) ** 2 + (rows - cells[:, 1:, None]) ** 2
    return np.asarray(np.where(squares > 16, maps, 0).max(axis=(1, 2)) < 0.8 * heights)


def test_decoding_finds_the_centre_of_a_peak_between_cells() -> None:
    centres = np.random.default_rng(1).uniform(8, 55, (68, 2))
    for sigma in (1.0, 1.75, 2.2):
        cells, heights = decode(gaussians(centres, sigma))
        assert abs(cells - centres).max() < 0.04
        assert heights.min() > 0.75


def test_decoding_agrees_with_the_library_on_the_same_heatmaps(one_stack: None) -> None:
    from face_alignment.utils import get_preds_fromhm

    centres = np.random.default_rng(2).uniform(8, 55, (68, 2))
    maps = gaussians(centres, 1.75)
    middle, scale = np.array([225.0, 129.4]), float((BOX[2] - BOX[0] + BOX[3] - BOX[1]) / 195)
    _, theirs, heights = get_preds_fromhm(maps[None].copy(), middle, scale)
    cells, ours_heights = decode(maps)
    ours = apply(invert(crop_region(BOX).matrix(64)), cells)
    assert abs(ours - theirs[0]).max() < 1 + 0.3 * CELL  # int32, and a quarter cell where up to a half is right
    np.testing.assert_allclose(ours_heights, heights[0], rtol=1e-6)


def test_peaks_at_the_border_and_flat_heatmaps() -> None:
    maps = np.zeros((2, 64, 64), np.float32)
    maps[0, 0, 63] = 0.5
    cells, heights = decode(maps)
    np.testing.assert_array_equal(cells, [[63, 0], [0, 0]])
    np.testing.assert_array_equal(heights, [0.5, 0.0])
    assert np.isfinite(decode(maps - 1)[0]).all()


def test_follows_a_whole_pixel_shift_exactly(astronaut: np.ndarray, weights: Path) -> None:
    shifted = np.roll(astronaut, (3, -5), axis=(0, 1))
    (still,) = FanDetector(weights, flip_input=False, finder=GivenBoxes()).detect([astronaut])[0]
    box = BOX + np.array([-5, 3, -5, 3], np.float32)
    (moved,) = FanDetector(weights, flip_input=False, finder=GivenBoxes(box)).detect([shifted])[0]
    np.testing.assert_allclose(moved.points[:68], still.points[:68] + np.array([-5, 3]), atol=0.01)


def test_batches_give_what_single_frames_give(
    astronaut: np.ndarray, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fan, "BATCH", 2)
    frames = [astronaut, np.ascontiguousarray(astronaut[::-1]), astronaut]
    detector = FanDetector(weights, flip_input=False, finder=GivenBoxes())
    together = detector.detect(frames)
    assert [len(faces) for faces in together] == [1, 1, 1]
    (alone,) = detector.detect(frames[1:2])[0]
    np.testing.assert_allclose(together[1][0].points, alone.points, atol=1e-2)
    assert np.isnan(alone.points[68:]).all()
    assert not alone.valid[68:].any()
    assert alone.valid[:68].all()
    assert 0 <= alone.score <= 1
    assert detector.detect([]) == []


def test_a_file_of_something_else_is_an_error(tmp_path: Path) -> None:
    text = tmp_path / "weights.txt"
    text.write_text("no weights")
    with pytest.raises(S2DError, match="not a file of PyTorch weights"):
        FanDetector(text, finder=GivenBoxes())
    with pytest.raises(S2DError, match="cannot load the FAN weights"):
        FanDetector(tmp_path / "absent.pth", finder=GivenBoxes())


def test_code_in_a_pickle_is_not_run(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[Path]]:
            return Path.touch, (tmp_path / "exploded",)

    file = tmp_path / "bomb.pth"
    torch.save({"conv1.weight": Bomb()}, file)
    with pytest.raises(S2DError, match="not a file of PyTorch weights"):
        FanDetector(file, finder=GivenBoxes())
    assert not (tmp_path / "exploded").exists()


def test_weights_of_another_network_are_an_error(tmp_path: Path, one_stack: None) -> None:
    file = tmp_path / "other.pth"
    torch.save({"weight": torch.zeros(3)}, file)
    with pytest.raises(S2DError, match="another network"):
        FanDetector(file, finder=GivenBoxes())


def test_an_unknown_device_is_an_error(weights: Path) -> None:
    with pytest.raises(S2DError, match="abacus"):
        FanDetector(weights, device="abacus", finder=GivenBoxes())
