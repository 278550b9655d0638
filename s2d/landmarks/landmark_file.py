"""Landmarks that another program found, from a file: a row per frame of a video, in its pixels.

.npy: an array (T, 68, 2) or (T, 70, 2) of numbers, never unpickled. .csv: 136 or 140 numbers x0, y0, x1, y1, ... in a
row, after an optional column `frame` that counts 0, 1, 2, ...; the first line may be a header. (0, 0) is the centre of
the top-left pixel. Where the face was missed stands NaN, or in .csv nothing
between the commas; an empty line may mean anything, and is refused.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from s2d.errors import S2DError
from s2d.geometry import Array, Float32
from s2d.landmarks import layout
from s2d.landmarks.layout import COUNT, RIGHT_PUPIL, padded

NUMBERS = (2 * RIGHT_PUPIL, 2 * COUNT)
FEW = 0.1  # share of frames whose landmarks a detector may have got wrong altogether
SHAPES = f"(T, {RIGHT_PUPIL}, 2) or (T, {COUNT}, 2)"
UPSIDE_DOWN = 150.0  # degrees from upright: nobody who lies or leans, with room for a head that rolls
LEAST_SPREAD = 2.0  # pixels; landmarks within less than this are shares of the picture, not pixels of it


def read_landmarks(path: str | Path) -> Float32:
    """Landmarks (T, 70, 2) of a .npy or .csv file, NaN where missed; of 68 landmarks the pupils are NaN.

    Raises S2DError when there is no such file, it is something else, or it holds no landmarks in pixels.
    """
    path = Path(path)
    readers = {".npy": _read_npy, ".csv": _read_csv}
    if path.suffix.lower() not in readers:
        raise _error(path, "not the name of such a file", "name it .npy or .csv")
    if not path.is_file():
        raise _error(path, "no such file", "check the path")
    try:
        points = padded(readers[path.suffix.lower()](path))
    except (ValueError, OSError, EOFError, csv.Error) as error:
        remedy = f"give an array {SHAPES}, or rows of {NUMBERS[0]} or {NUMBERS[1]} numbers"
        raise _error(path, str(error).splitlines()[0], remedy) from error
    known = points[np.isfinite(points)]
    if not len(known):
        raise _error(path, "it holds no landmarks", f"give an array {SHAPES}")
    if np.ptp(known) == 0:
        raise _error(path, "all of its landmarks are in one place", "give landmarks in pixels of the picture")
    if np.ptp(known) < LEAST_SPREAD:
        raise _error(path, "its landmarks are no pixels", "multiply shares of the picture by its width and height")
    _check_turn(path, points)
    return points


def _check_turn(path: Path, points: Float32) -> None:
    """Raises S2DError for faces that are mirrored, or stand on their heads, in more than a few frames."""
    mirrored, tilt = _mirrored_and_tilt(points)
    if np.sum(mirrored) > FEW * len(mirrored):
        why = f"in {int(np.sum(mirrored))} of {len(mirrored)} frames eyes and mouth lie as in a mirror"
        raise _error(path, why, "x counts to the right, y downwards, in the order of the 68 of iBUG")
    inverted = tilt > UPSIDE_DOWN
    if len(inverted) and np.mean(inverted) > 1 - FEW:
        why = f"in {int(np.sum(inverted))} of {len(inverted)} frames the face is upside down, its eyes below its mouth"
        raise _error(path, why, "turn it by 180 degrees: x counts to the right, y downwards")


def _mirrored_and_tilt(points: Float32) -> tuple[npt.NDArray[np.bool_], Array]:
    """Of the frames (T, 70, 2) that have eyes and a mouth, which are mirror images, however they are turned.

    And by how many degrees their mouth is not straight below their eyes, 0 to 180.
    """
    right, left, mouth = (
        points[:, list(layout.PARTS[part])].mean(1) for part in ("right_eye", "left_eye", "outer_lips")
    )
    along, down = left - right, mouth - (left + right) / 2
    turn = along[:, 0] * down[:, 1] - along[:, 1] * down[:, 0]
    known = np.isfinite(turn)
    tilt = np.degrees(np.arctan2(abs(down[known, 0]), down[known, 1]))
    return np.asarray(turn[known] <= 0), np.asarray(tilt, np.float64)


def _error(path: Path, why: str, remedy: str) -> S2DError:
    return S2DError(f"cannot read the landmarks {path}", why, remedy)


def _read_npy(path: Path) -> npt.NDArray[Any]:
    try:
        # mapped, so that a header which promises more than the file has costs no memory
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise ValueError("it is damaged, or no plain array of numbers") from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
        raise ValueError("it is no plain array of numbers")
    return np.array(array, np.float64)


def _read_csv(path: Path) -> Array:
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = list(enumerate(csv.reader(file), 1))
    while rows and not rows[-1][1]:
        rows.pop()
    if rows and _is_header(rows[0][1]):
        rows = rows[1:]
    if not rows:
        raise ValueError("it holds no rows")
    width = len(rows[0][1])
    if width not in (*NUMBERS, *(count + 1 for count in NUMBERS)):
        by = ", and semicolons: commas separate them" if ";" in rows[0][1][0] else ""
        raise ValueError(f"line {rows[0][0]} has {width} columns{by}")
    values = np.array([_numbers(row, width, line) for line, row in rows])
    if width % 2:
        if (values[:, 0] != np.arange(len(values))).any():
            raise ValueError("its first column does not count the frames 0, 1, 2, ...")
        values = values[:, 1:]
    return values.reshape(len(values), -1, 2)


def _is_header(row: list[str]) -> bool:
    return any(cell.strip()[:1].isalpha() and cell.strip().lower() not in ("nan", "inf") for cell in row)


def _numbers(row: list[str], width: int, line: int) -> list[float]:
    if not row:
        raise ValueError(f"line {line} is empty: a frame without a face has its commas, with nothing between them")
    if len(row) != width:
        raise ValueError(f"line {line} has {len(row)} columns, the first {width}")
    try:
        return [float(cell) if cell.strip() else np.nan for cell in row]
    except ValueError as error:
        raise ValueError(f"line {line}: {error}") from error
