"""Where the defaults of the temporal filters come from: tunes each on synthetic clips. Prints JSON.

    python benchmarks/tune_filters.py

Seeds 1 to 7, one for each variant of clip, 90 frames each, through H.264 and the mesh detector. "objective" is what
`s2d/landmarks/tuning.py` minimises; "raw" is that of the detections as they are. Seeds from 101 on are kept for
benchmarks and must never be used here.
"""

from __future__ import annotations

import json

import cv2

from s2d import progress
from s2d.landmarks.comparison import find_clip
from s2d.landmarks.detectors.factory import make_detector
from s2d.landmarks.filters import MovingAverage
from s2d.landmarks.synthetic import VARIANTS, make_clip
from s2d.landmarks.tuning import GRIDS, KnownTrack, objective, tune

FIRST_SEED, FRAMES = 1, 90


def known_tracks() -> list[KnownTrack]:
    """The tracks of all clips, with their truth."""
    detector = make_detector("mesh")
    tracks = []
    for seed, variant in enumerate(progress.track(VARIANTS, "clips", len(VARIANTS)), FIRST_SEED):
        clip = make_clip(seed=seed, variant=variant, frames=FRAMES)
        for track in find_clip(clip, detector):
            truth, visible = clip.truth[track.frames], clip.visible[track.frames]
            tracks.append(KnownTrack(track.raw, track.times, truth, visible))
    return tracks


def main() -> None:
    cv2.setNumThreads(1)
    tracks = known_tracks()
    result: dict[str, object] = {
        "clips": [f"{variant} {seed}" for seed, variant in enumerate(VARIANTS, FIRST_SEED)],
        "tracks": len(tracks),
        "raw": {"objective": round(objective(MovingAverage(1), tracks), 4)},
    }
    for family, grid in GRIDS.items():
        best = tune(family, grid, tracks)
        found = {"parameters": dict(best.parameters), "objective": round(best.objective, 4), "at_edge": best.at_edge}
        result[type(best.filter).__name__] = found
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
