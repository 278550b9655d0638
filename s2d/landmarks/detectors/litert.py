"""TensorFlow Lite models through LiteRT, one input at a time.

Batches do not pay: with resize_tensor_input the time per input stays within 10 % at 4 and grows at 16, on one thread
and on two. So every model runs with the batch of one that it was exported with.
"""

from __future__ import annotations

import os
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from s2d import assets
from s2d.geometry import Float32

NOTICE = b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\n"


class LiteModel:
    """A model of one image input (1, S, S, 3) float32; not safe to share between threads."""

    def __init__(self, asset: str, threads: int, member: str = "") -> None:
        """Load the asset of this name, or a `member` of one that is a bundle, as MediaPipe's .task files are.

        Raises S2DError when it is not at hand and cannot be fetched.
        """
        from ai_edge_litert.interpreter import Interpreter

        path = assets.path(asset)
        content = _member(path, member) if member else path.read_bytes()
        with _without_notice():
            self._interpreter = Interpreter(model_content=content, num_threads=threads)
            self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._outputs = [output["index"] for output in self._interpreter.get_output_details()]
        self.size = int(self._interpreter.get_input_details()[0]["shape"][1])

    def __call__(self, image: Float32) -> list[Float32]:
        """Run on (S, S, 3); returns every output without its batch axis, flattened."""
        self._interpreter.set_tensor(self._input, image[None])
        self._interpreter.invoke()
        return [np.asarray(self._interpreter.get_tensor(index), np.float32).ravel() for index in self._outputs]


def _member(bundle: Path, name: str) -> bytes:
    with zipfile.ZipFile(bundle) as archive:
        return archive.read(name)


@contextmanager
def _without_notice() -> Iterator[None]:
    """Hold back the line that LiteRT writes to file descriptor 2 at its first model; all other output passes."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as buffer:
        os.dup2(buffer.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            buffer.seek(0)
            os.write(2, buffer.read().replace(NOTICE, b""))
