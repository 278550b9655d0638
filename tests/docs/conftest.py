"""A desk with the files that the pages speak of, all of them made from scikit-image's astronaut."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import s2d
from s2d.images import write_image
from s2d.landmarks.synthetic import SyntheticClip, make_clip, write_clip
from s2d.landmarks.synthetic.clip import astronaut
from s2d.models.animator import Animator, AnimatorConfig
from s2d.models.checkpoint import People, save_animator

POINTS = Path(__file__).parents[1] / "landmarks" / "astronaut.csv"


def clip_of(variant: str, seed: int, frames: int, size: int) -> SyntheticClip:
    points = np.loadtxt(POINTS, delimiter=",", dtype=np.float32)
    return make_clip(astronaut(), points, frames=frames, size=size, seed=seed, variant=variant)


@pytest.fixture(scope="session")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """talking.mp4 (also as clip.mp4), truth.npy, own.npy, face.jpg, videos/PERSON/talk.mp4, and DATA, made of these.

    And model.safetensors, weights with names in them.
    """
    folder = tmp_path_factory.mktemp("desk")
    talking = clip_of("calm", 101, 40, 192)
    write_clip(talking, folder / "talking.mp4")
    shutil.copy(folder / "talking.mp4", folder / "clip.mp4")
    np.save(folder / "truth.npy", talking.truth)
    np.save(folder / "own.npy", talking.truth[:, :68])
    write_image(folder / "face.jpg", astronaut())
    for person, variant, seed in (("ann", "calm", 1), ("ben", "fast", 2)):
        (folder / "videos" / person).mkdir(parents=True)
        write_clip(clip_of(variant, seed, 24, 288), folder / "videos" / person / "talk.mp4")
    people = People(frozenset({"ann"}), frozenset({"ben"}))
    save_animator(folder / "model.safetensors", Animator(AnimatorConfig(size=32)).eval(), {"detector": "mesh"}, people)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        s2d.curate(["videos"], "DATA")
    return folder
