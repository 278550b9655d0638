"""Landmarks of another program: every form they may have reads the same, and what is wrong is one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from s2d.errors import S2DError
from s2d.geometry import Float32
from s2d.landmarks.landmark_file import read_landmarks

COUNT = 5


@pytest.fixture
def points(astronaut_points: Float32) -> Float32:
    """68 landmarks in five frames, the third missed, and in the last a single one."""
    moving = (astronaut_points[None, :68] + np.arange(COUNT)[:, None, None]).astype(np.float32)
    moving[2] = np.nan
    moving[4, 7] = np.nan
    return moving


def rows(points: Float32, header: bool = False, frame: bool = False, missed: str = "") -> str:
    names = [f"{axis}{index}" for index in range(points.shape[1]) for axis in "xy"]
    lines = [",".join((["frame"] if frame else []) + names)] if header else []
    for number, values in enumerate(points.reshape(len(points), -1).tolist()):
        cells = [missed if value != value else repr(value) for value in values]
        lines.append(",".join(([str(number)] if frame else []) + cells))
    return "\n".join(lines) + "\n"


def test_array_gets_pupils(points: Float32, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", points.astype(np.float64))
    found = read_landmarks(tmp_path / "a.npy")
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found[:, :68], points)
    assert np.isnan(found[:, 68:]).all()


def test_seventy_landmarks_stay(astronaut_points: Float32, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", astronaut_points[None])
    np.testing.assert_array_equal(read_landmarks(tmp_path / "a.npy")[0], astronaut_points)
    (tmp_path / "a.csv").write_text(rows(astronaut_points[None]))
    np.testing.assert_array_equal(read_landmarks(tmp_path / "a.csv")[0], astronaut_points)


@pytest.mark.parametrize("header", [False, True])
@pytest.mark.parametrize("frame", [False, True])
@pytest.mark.parametrize("missed", ["", "NaN", " "])
def test_rows_in_all_forms(points: Float32, tmp_path: Path, header: bool, frame: bool, missed: str) -> None:
    (tmp_path / "a.csv").write_text("\ufeff" + rows(points, header, frame, missed), encoding="utf-8")
    np.testing.assert_array_equal(read_landmarks(tmp_path / "a.csv")[:, :68], points)


def test_half_a_point_is_none(points: Float32, tmp_path: Path) -> None:
    points[0, 3, 1] = np.nan
    np.save(tmp_path / "a.npy", points)
    assert np.isnan(read_landmarks(tmp_path / "a.npy")[0, 3]).all()


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([{"a": 1}], object), allow_pickle=True)
    with pytest.raises(S2DError, match="no plain array of numbers"):
        read_landmarks(tmp_path / "a.npy")


def test_a_header_that_promises_too_much(points: Float32, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", points)
    data = (tmp_path / "a.npy").read_bytes()
    (tmp_path / "a.npy").write_bytes(data.replace(b"(5, 68, 2), }      ", b"(5000000, 68, 2), }"))
    with pytest.raises(S2DError, match="damaged"):
        read_landmarks(tmp_path / "a.npy")


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.txt", "", r"name it \.npy or \.csv"),
        ("none.npy", None, "no such file"),
        ("a.npy", "text", "damaged"),
        ("a.csv", "", "holds no rows"),
        ("a.csv", "1,2,3\n", "line 1 has 3 columns"),
        ("a.csv", ",".join("1" * 136) + "\n1,2\n", "line 2 has 2 columns, the first 136"),
        ("a.csv", ",".join("1" * 136) + "\n" + ",".join(["1"] * 135 + ["one"]), "line 2: could not convert"),
        ("a.csv", ",".join("1" * 137), "does not count the frames"),
        (
            "a.csv",
            ",".join("1" * 136) + "\n\n" + ",".join("1" * 136),
            "line 2 is empty: a frame without a face has its",
        ),
        ("a.csv", "," * 135, "holds no landmarks"),
        ("a.csv", ",".join(["0.5", "0.75"] * 68), "no pixels"),
        ("a.csv", ",".join(["0"] * 136), "in one place"),
        ("a.csv", ";".join(["5", "7"] * 68), "line 1 has 1 columns, and semicolons: commas separate them"),
    ],
)
def test_mistakes_are_one_line(tmp_path: Path, name: str, content: str | None, says: str) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(S2DError, match=says) as error:
        read_landmarks(tmp_path / name)
    assert "\n" not in str(error.value)


def test_empty_lines_at_the_end_are_no_frames(points: Float32, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(rows(points[:1]) + "\n\n")
    assert len(read_landmarks(tmp_path / "a.csv")) == 1


def test_faces_that_are_mirrored_either_way_or_none(points: Float32, tmp_path: Path) -> None:
    """One that is turned by any angle is as good as an upright one, and a few wrong frames are a detector's."""
    seeded = np.random.default_rng(0)
    for wrong in (points * [1, -1], points * [-1, 1], seeded.random((20, 68, 2)) * 500):
        np.save(tmp_path / "a.npy", wrong)
        with pytest.raises(S2DError, match=r"in \d+ of \d+ frames eyes and mouth lie as in a mirror; .*y downwards"):
            read_landmarks(tmp_path / "a.npy")
    few = np.repeat(points[:1] @ np.array([[0, 1], [-1, 0]]), 20, axis=0)
    few[3] *= [1, -1]
    np.save(tmp_path / "a.npy", few)
    assert len(read_landmarks(tmp_path / "a.npy")) == 20


def test_faces_on_their_heads_are_refused_and_those_that_lie_or_lean_are_not(points: Float32, tmp_path: Path) -> None:
    for degrees, frames, refused in ((180, 20, True), (120, 20, False), (-120, 20, False), (180, 17, False)):
        angle = np.radians(degrees)
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        faces = np.repeat(points[:1], 20, axis=0)
        faces[:frames] = faces[:frames] @ turn
        np.save(tmp_path / "a.npy", faces)
        if refused:
            with pytest.raises(S2DError, match="in 20 of 20 frames the face is upside down, its eyes below its mouth"):
                read_landmarks(tmp_path / "a.npy")
        else:
            assert len(read_landmarks(tmp_path / "a.npy")) == 20


def test_array_of_another_shape(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((5, 478, 3)))
    with pytest.raises(S2DError, match=r"not \(5, 478, 3\)"):
        read_landmarks(tmp_path / "a.npy")
