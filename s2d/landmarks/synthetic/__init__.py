"""Clips of a real face with exactly known landmark motion.

`clip = make_clip(variant="fast", seed=3)` animates scikit-image's astronaut (any still with one face will do),
`write_clip(clip, "fast.mp4")` writes it as real H.264, `clip.truth` is (T, 70, 2) in frame pixels.
"""

from s2d.landmarks.synthetic.clip import SyntheticClip, make_clip, write_clip
from s2d.landmarks.synthetic.motion import VARIANTS, State, Variant

__all__ = ["VARIANTS", "State", "SyntheticClip", "Variant", "make_clip", "write_clip"]
