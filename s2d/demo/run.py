"""From a photo to a moving face in minutes: sample clips, data set, jitter, training, animation, page."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from s2d import progress
from s2d.animation.animate import animate
from s2d.curation.config import CurationConfig
from s2d.curation.pipeline import curate
from s2d.demo import figures
from s2d.errors import S2DError
from s2d.geometry import Crop, Floats
from s2d.images import decode_jpeg, write_image
from s2d.landmarks.jitter import METRICS, compare
from s2d.landmarks.synthetic import SyntheticClip, make_clip, write_clip
from s2d.landmarks.synthetic.clip import astronaut
from s2d.page import Page
from s2d.shards.reader import Dataset, open_dataset
from s2d.training.loggers import METRICS as METRICS_FILE
from s2d.training.run import Run, train

VARIANTS = ("calm", "fast")
FRAMES = 150  # five seconds a clip
STEPS = 300  # about a minute and a half on two cores
SHOWN = ("nme_unbiased", "nmf", "nmf_static", "accel_error", "lag_frames", "gain_lid", "gain_lip", "gain_pupil")
MARKER = "made-by-s2d-demo"

Say = Callable[[str], None]


@dataclass(frozen=True)
class Places:
    """Files of the demo, all below one folder."""

    out: Path

    @property
    def photo(self) -> Path:
        """The source photo."""
        return self.out / "astronaut.png"

    @property
    def clips(self) -> Path:
        """Synthetic clips."""
        return self.out / "clips"

    @property
    def dataset(self) -> Path:
        """The curated data set."""
        return self.out / "dataset"

    @property
    def run(self) -> Path:
        """The training run."""
        return self.out / "run"

    @property
    def page(self) -> Path:
        """The page."""
        return self.out / "index.html"


def run_demo(
    out: str | Path, *, steps: int = STEPS, frames: int = FRAMES, say: Say = lambda line: None
) -> dict[str, Any]:
    """Make the whole demo in folder `out`, which is emptied first if an earlier demo made it.

    `steps` of training on clips of `frames` frames each; `say` is told each step. Returns the figures that the page
    shows. Raises S2DError when `out` cannot be written or holds something else, or `steps` is below 1.
    """
    if steps < 1:  # a trainer takes -1 for no limit
        raise S2DError(f"cannot make the demo with {steps} training steps", "the least is 1", "ask for more")
    started = time.monotonic()
    places = Places(Path(out))
    _claim(places.out)
    page = Page("s2d: from a photo to a moving face", "Everything below was computed just now, on this machine.")
    say("1/5 making clips with known landmark motion")
    clips = {variant: _make_clip(places, variant, frames) for variant in VARIANTS}
    say("2/5 curating them into a data set")
    dataset = _curate(places, page)
    say("3/5 measuring jitter against the truth")
    jitter = _jitter(places, page, dataset, clips)
    say(f"4/5 training the tiny animator for {steps} steps")
    training = _train(places, page, steps)
    say("5/5 animating the photo")
    _animate(places, page)
    seconds = round(time.monotonic() - started, 1)
    page.write(places.page, f"Made by s2d demo in {seconds:.0f} seconds. The videos are synthetic.")
    return {"page": str(places.page), "seconds": seconds, "jitter": jitter, "training": training}


def _claim(out: Path) -> None:
    asked = f"cannot make the demo in {out}"
    try:
        if out.exists() and any(out.iterdir()):
            if not (out / MARKER).exists():
                raise S2DError(asked, "the folder holds something else", "choose an empty or new folder")
            shutil.rmtree(out)
        out.mkdir(parents=True, exist_ok=True)
        (out / MARKER).touch()
        (out / "clips").mkdir()
    except OSError as error:
        raise S2DError(asked, error.strerror or str(error), "choose a folder that can be written") from error


def _make_clip(places: Places, variant: str, frames: int) -> SyntheticClip:
    if not places.photo.exists():
        write_image(places.photo, astronaut())
    clip = make_clip(frames=frames, variant=variant)
    write_clip(clip, places.clips / f"{variant}.mp4")
    return clip


def _curate(places: Places, page: Page) -> Dataset:
    curate([places.clips], places.dataset, CurationConfig())
    dataset = open_dataset(places.dataset)
    page.section(
        "1. Curated clips",
        f"scikit-image's astronaut, made to turn, blink, speak and look around: {len(VARIANTS)} clips. "
        "Faces were found, tracked, given one fixed crop each, aligned in time and stored as Parquet.",
    )
    page.command(f"s2d curate {places.clips} --out {places.dataset}", f"s2d inspect {places.dataset}")
    rows = dataset.frames(str(dataset.tracks()["track_id"].iloc[-1]))
    chosen = np.linspace(0, len(rows.frame) - 1, 12).round().astype(int)
    sheet = places.out / "landmarks.png"
    figures.overlays(sheet, [decode_jpeg((rows.jpeg or [])[index]) for index in chosen], rows.aligned[chosen])
    page.picture(sheet, "Aligned landmarks on the stored crops of the fast clip.")
    return dataset


def _jitter(places: Places, page: Page, dataset: Dataset, clips: dict[str, SyntheticClip]) -> dict[str, Any]:
    page.section(
        "2. Landmark jitter",
        "The clips' landmark motion is known exactly, so flicker (NMF), error without constant bias and lost motion "
        "(gain below 1) can be measured rather than believed. Percent of the inter-ocular distance.",
    )
    page.command(f"s2d jitter {places.clips / 'calm.mp4'} --plot jitter.png")
    results: dict[str, Any] = {}
    rows = []
    tracks = dataset.tracks()
    for variant, clip in clips.items():
        track = tracks[tracks["video"].str.contains(variant)].iloc[0]
        methods, times, inside = _tracks_and_truth(dataset, track, clip)
        found = compare(methods, times, truth=inside, visible=clip.visible[int(track["start_frame"]) :][: len(times)])
        results[variant] = found
        rows += [[f"{variant}, {name}", *(_figure(figures_[key]) for key in SHOWN)] for name, figures_ in found.items()]
        if variant == "calm":
            figures.trajectories(places.out / "trajectories.png", {"truth": inside, **methods}, times)
    page.table(["", *SHOWN], rows)
    page.picture(places.out / "trajectories.png", "Calm clip: truth, detections (raw) and aligned landmarks.")
    page.table(["figure", "meaning", "unit"], [[key, METRICS[key].says, METRICS[key].unit] for key in SHOWN])
    return results


def _tracks_and_truth(
    dataset: Dataset,
    track: Any,  # noqa: ANN401 - a row of a pandas table
    clip: SyntheticClip,
) -> tuple[dict[str, Floats], Any, Floats]:
    """Raw and aligned landmarks of a stored track, its times, and the truth in pixels of its crop."""
    rows = dataset.frames(str(track["track_id"]), jpeg=False)
    crop = Crop(int(track["crop_left"]), int(track["crop_top"]), int(track["crop_side"]))
    truth = crop.points(clip.truth[rows.frame], int(dataset.metadata["crop_size"]))
    return {"raw": rows.raw, "aligned": rows.aligned}, rows.time, truth


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _train(places: Places, page: Page, steps: int) -> dict[str, Any]:
    options = ["--data.path", str(places.dataset), "--trainer.max_steps", str(steps)]
    result = train(options, "tiny", Run(places.run))
    page.section(
        "3. Training",
        f"{steps} steps of the 64-pixel animator took {result['seconds']:.0f} seconds. Validation L1 on the held-out "
        f"end of each clip (the same person): {result['val_l1_copy']:.4f} when the source is merely copied, "
        f"{result['val_l1_prior']:.4f} for the analytic prior before training, {result['val_l1']:.4f} after.",
    )
    page.command(f"s2d train --data {places.dataset} --config tiny --trainer.max_steps {steps}")
    figures.curve(places.out / "curve.png", places.run / METRICS_FILE, result["val_l1_prior"])
    page.picture(places.out / "curve.png", "Validation L1 while training.")
    sheets = sorted((places.run / "sheets").glob("*.png"))
    if sheets:
        page.picture(sheets[-1], "Validation sheet of the last step.")
    return result


def _animate(places: Places, page: Page) -> None:
    page.section(
        "4. The photo moves",
        "Source photo, driving clip and result. Above the analytic prior alone, which needs no training at all; below "
        "the model trained a moment ago. It has seen one person, briefly: take it as proof that the path works.",
    )
    driving = places.clips / "fast.mp4"
    page.command(f"s2d animate --source {places.photo} --driving {driving} --out moving.mp4 --side-by-side")
    for name, checkpoint in (("prior", None), ("trained", places.run / "model.safetensors")):
        video = places.out / f"animated-{name}.mp4"
        animate(places.photo, driving, video, checkpoint=checkpoint, side_by_side=True, size=256)
        figures.filmstrip(places.out / f"animated-{name}.png", video)
        page.video(video, f"{name}: source | driving | result")
    page.picture(places.out / "animated-trained.png", "Frames of the trained model's video.")


def announce(line: str) -> None:
    """Tell a step on stderr, unless quiet."""
    import sys

    if not progress.quiet:
        sys.stderr.write(line + "\n")
