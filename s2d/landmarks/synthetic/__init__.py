"""Clips of a real face with exactly known landmark motion.

`clip = make_clip(variant="fast", seed=3)` animates scikit-image's astronaut (any still with one face will do),
`write_clip(clip, "fast.mp4")` writes it as real H.264, `clip.truth` is (T, 70, 2) in frame pixels. `write_clips`
fills a folder with clips and their truth as Parquet, `read_truth` reads such a truth back.
"""

from s2d.landmarks.synthetic.clip import SyntheticClip, make_clip, write_clip
from s2d.landmarks.synthetic.files import Truth, is_truth, read_truth, truth_path, write_truth
from s2d.landmarks.synthetic.folder import WrittenClip, write_clips
from s2d.landmarks.synthetic.motion import VARIANTS, State, Variant

__all__ = [
    "VARIANTS",
    "State",
    "SyntheticClip",
    "Truth",
    "Variant",
    "WrittenClip",
    "is_truth",
    "make_clip",
    "read_truth",
    "truth_path",
    "write_clip",
    "write_clips",
    "write_truth",
]
