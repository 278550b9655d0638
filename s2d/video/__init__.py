"""Video in and out: exact frames and presentation times, deterministic H.264, shot cuts.

`VideoReader` (reader.py) walks an index made by demultiplexing alone (index.py) and decodes with decord where decord is
exact and bounded, with PyAV everywhere else (decoding.py). `VideoWriter` is in writer.py, cuts are in cuts.py.
"""

from __future__ import annotations

from s2d.video.cuts import ShotDetector, shots, with_starts
from s2d.video.reader import VideoReader
from s2d.video.writer import VideoWriter

__all__ = ["ShotDetector", "VideoReader", "VideoWriter", "shots", "with_starts"]
