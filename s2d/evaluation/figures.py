"""The figures of all protocols: what each one means, and which way is better."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from s2d.evaluation.regions import REGIONS


@dataclass(frozen=True)
class Figure:
    """How to read one figure."""

    meaning: str
    aim: float
    """The best value there is: 0, 1, or infinity where more is better."""


def _by_region(name: str, meaning: str, aim: float) -> dict[str, Figure]:
    return {
        name if part == "all" else f"{name}_{part}": Figure(meaning if part == "all" else f"same, {part}", aim)
        for part in REGIONS
    }


MOST = float("inf")
FIGURES: dict[str, Figure] = {
    **_by_region("l1", "mean absolute difference, pictures in [0, 1]", 0),
    **_by_region("psnr", "peak signal-to-noise ratio of the mean squared difference, dB", MOST),
    **_by_region("ssim", "structural similarity", 1),
    "pd": Figure("perceptual distance, EfficientNet-lite0", 0),
    "lpips": Figure("perceptual distance, AlexNet", 0),
    "kid": Figure("kernel inception distance, EfficientNet-lite0; over all frames", 0),
    "fid": Figure("Frechet inception distance, EfficientNet-lite0; over all frames", 0),
    "akd": Figure("average keypoint distance by a detector that did not drive, px at 256", 0),
    "pupil_error": Figure("pupils in eyelid coordinates, % of the inter-ocular distance", 0),
    "lid_error": Figure("opening of the lids, % of the inter-ocular distance", 0),
    "aed": Figure("average Euclidean distance of face embeddings to the truth's", 0),
    "id_source": Figure("distance of face embeddings to the source's; below .6 one person", 0),
    "corr_yaw": Figure("correlation over time with the driver: turning", 1),
    "corr_lids": Figure("same: lids' opening", 1),
    "corr_mouth": Figure("same: mouth's opening", 1),
    "corr_gaze": Figure("same: pupils' offset across", 1),
    "leakage": Figure("face shape: 0 the source's, 1 the driver's", 0),
    "cycle_l1": Figure("there and back to the source, L1; 0 also for what never moves", 0),
    "cycle_pd": Figure("same, perceptual distance", 0),
    "missed": Figure("share of frames in which no face is found", 0),
    "warping_error": Figure("squared change that the true flow does not explain, x 1000", 0),
    "acceleration_ratio": Figure("landmark acceleration over that of the true video", 1),
    "background_drift": Figure("background off its true place, px at 256", 0),
    "flicker": Figure("error of the change from frame to frame, % of white", 0),
}


TRIVIAL = ("truth", "copy")  # methods that are no achievement: the truth itself, and what never moves


def best(name: str, values: Mapping[str, float]) -> list[str]:
    """Of values by method, those nearest to the figure's aim, as far as three digits tell; none where all are alike.

    Never a TRIVIAL one. Nothing is nearer than the truth, whose distance from the aim is the detector's own error.

    >>> best("psnr", {"copy": 30.0, "mls": 20.0, "tps": 25.0}), best("acceleration_ratio", {"a": 0.5, "b": 1.2})
    (['tps'], ['b'])
    >>> best("akd", {"truth": 1.5, "a": 1.2, "b": 1.4, "c": 1.7}), best("missed", {"a": 0.0, "b": 0.0})
    (['a', 'b'], [])
    """
    aim = FIGURES[name].aim
    off = {method: -value if aim == MOST else abs(value - aim) for method, value in values.items()}
    noise = off.get("truth", -MOST)
    rivals = {method: float(f"{max(value, noise):.3g}") for method, value in off.items() if method not in TRIVIAL}
    nearest = [method for method, value in rivals.items() if value == min(rivals.values())]
    return nearest if len(nearest) < len(rivals) or len(rivals) == 1 else []
