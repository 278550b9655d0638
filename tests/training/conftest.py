"""A small data set of known numbers, a patterned square that moves with a face of points on it, and runs on it."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import yaml

from s2d.geometry import Float32, Image
from s2d.images import encode_jpeg
from s2d.landmarks import layout
from s2d.shards.schema import TRACKS, Provenance
from s2d.shards.writer import frame_table, write_shard

CROP = 128
FPS = 25.0
if TYPE_CHECKING:
    from s2d.models.animator import AnimatorConfig

DatasetMaker = Callable[..., Path]
SMALL = """
seed_everything: 0
checkpoint_every: 2
trainer: {max_steps: 3, val_check_interval: 2, check_val_every_n_epoch: null, log_every_n_steps: 1,
          accelerator: cpu, devices: 1}
model:
  animator: {channels: 8, motion_channels: 8}
  losses: {perceptual: 0.0}
data: {size: 32, batch_size: 4, val_pairs: 4}
"""


def face(centre: tuple[float, float], radius: float) -> Float32:
    """70 plausible landmarks: ellipses and arcs, in pixels."""

    def arc(count: int, start: float, stop: float, at: tuple[float, float], size: tuple[float, float]) -> Float32:
        angle = np.radians(np.linspace(start, stop, count))
        return np.stack([at[0] + size[0] * np.cos(angle), at[1] + size[1] * np.sin(angle)], -1)

    line = np.linspace(0, 1, 4)[:, None]
    parts = [
        arc(17, 180, 0, (0, 0), (0.8, 1.0)),
        arc(5, 200, 340, (-0.4, -0.35), (0.25, 0.1)),
        arc(5, 200, 340, (0.4, -0.35), (0.25, 0.1)),
        np.array([[0, -0.2]]) + line * np.array([[0, 0.4]]),
        arc(5, 160, 20, (0, 0.25), (0.15, 0.08)),
        arc(7, 180, 540, (-0.35, -0.15), (0.16, 0.07))[:6],
        arc(7, 180, 540, (0.35, -0.15), (0.16, 0.07))[:6],
        arc(13, 180, 540, (0, 0.55), (0.32, 0.15))[:12],
        arc(9, 180, 540, (0, 0.55), (0.22, 0.06))[:8],
        np.array([[-0.35, -0.15], [0.35, -0.15]]),
    ]
    return (np.concatenate(parts) * radius + np.array(centre)).astype(np.float32)


def picture(points: Float32, seed: int) -> Image:
    """A smooth coloured ground with a soft disc where the face is; (CROP, CROP, 3)."""
    rng = np.random.default_rng(seed)
    x, y = np.meshgrid(np.arange(CROP), np.arange(CROP))
    centre, radius = points[30], np.ptp(points[:, 0]) / 2
    disc = 1 / (1 + np.exp((np.hypot(x - centre[0], y - centre[1]) - radius) / 2))
    stripes = 0.5 + 0.5 * np.sin((x - centre[0]) / 3) * np.cos((y - centre[1]) / 4)
    ground = 0.5 + 0.4 * np.sin(x / 9 + rng.uniform(0, 6)) * np.sin(y / 11)
    image = np.stack([ground * (1 - disc) + disc * stripes * shade for shade in rng.uniform(0.3, 1, 3)], -1)
    return (image * 255).round().astype(np.uint8)


@pytest.fixture(scope="session")
def make_dataset(tmp_path_factory: pytest.TempPathFactory) -> DatasetMaker:
    """Writes a data set: one track per entry of `people`, faces moving on a circle; raw is aligned moved by 1 px."""

    def make(
        people: tuple[str, ...] = ("ann", "bob", "cleo"),
        frames: int = 12,
        jpeg: bool = True,
        lost: tuple[int, ...] = (),
        detector: str = "made",
        crop: int = CROP,
        split: str | None = None,
    ) -> Path:
        folder = tmp_path_factory.mktemp("data")
        provenance = Provenance(detector, "1", {}, crop, {})
        tables = [_track(f"{name}-{n}", n, frames, jpeg, lost) for n, name in enumerate(people)]
        tracks = [
            _track_row(f"{name}-{n}", name, frames, len(lost)) | {"split": split} for n, name in enumerate(people)
        ]
        video = {"video": "all", "path": "all.mp4", "identity": "all", "sha256": repr(people), "bytes": 1}
        video |= {
            "outcome": "kept",
            "reason": "",
            "detail": "",
            "tracks": len(people),
            "track_frames": frames,
            "filtered_tracks": [],
        }
        write_shard(folder, provenance, [video], tracks, tables, tmp_path_factory.mktemp("scratch"))
        return folder

    return make


def _track(track_id: str, seed: int, frames: int, jpeg: bool, lost: tuple[int, ...]) -> object:
    angle = 2 * np.pi * np.arange(frames) / frames
    centres = CROP / 2 + np.stack([10 * np.cos(angle), 6 * np.sin(angle)], -1)
    aligned = np.stack([face((x, y), CROP * 0.28) for x, y in centres])
    valid = np.ones((frames, layout.COUNT), bool)
    valid[list(lost)] = False
    raw = np.where(valid[..., None], aligned + np.float32(1), np.float32(np.nan))
    pictures = [encode_jpeg(picture(points, seed)) for points in aligned] if jpeg else None
    score = valid.all(1).astype(np.float32)
    return frame_table(track_id, np.arange(frames), np.arange(frames) / FPS, raw, aligned, score, valid, pictures)


def _track_row(track_id: str, name: str, frames: int, lost: int) -> dict[str, object]:
    row: dict[str, object] = {field.name: None if field.nullable else 0 for field in TRACKS}
    row |= {"track_id": track_id, "video": "all", "identity": name, "frames": frames, "detector": "made"}
    return row | {"fps": FPS, "end_frame": frames - 1, "valid_share": 1 - lost / frames}


@pytest.fixture(scope="session")
def data(make_dataset: DatasetMaker) -> Path:
    return make_dataset()


@pytest.fixture(scope="session")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("config") / "small.yaml"
    path.write_text(SMALL)
    return path


@pytest.fixture(scope="session")
def trained(data: Path, config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from s2d.training.run import Run, train  # late: others import this file for the data alone

    out = tmp_path_factory.mktemp("trained") / "run"
    train([f"--data.path={data}", "--trainer.limit_val_batches=0"], config, Run(out))
    return out


def curve(out: Path, name: str) -> list[float]:
    with (out / "metrics.csv").open(newline="") as file:
        return [float(row[name]) for row in csv.DictReader(file) if row[name]]


def animator_of(name: str) -> AnimatorConfig:
    """The architecture of a packaged configuration."""
    from s2d.models.animator import AnimatorConfig
    from s2d.training.run import config_path

    settings = yaml.safe_load(config_path(name).read_text())
    return AnimatorConfig(size=settings["data"]["size"], **settings["model"].get("animator", {}))
