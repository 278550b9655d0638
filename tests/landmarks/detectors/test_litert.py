from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from s2d.errors import S2DError
from s2d.landmarks.detectors.litert import LiteModel, _without_notice


def test_loading_a_model_says_nothing_on_stderr() -> None:
    program = (
        "import numpy as np; from s2d.landmarks.detectors.litert import LiteModel;"
        "model = LiteModel('face_detection_short_range.tflite', 1); model(np.zeros((128, 128, 3), np.float32))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr == ""


def test_only_the_notice_is_held_back(capfd: pytest.CaptureFixture[str]) -> None:
    with _without_notice():
        os.write(2, b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\nERROR: something else\n")
    assert capfd.readouterr().err == "ERROR: something else\n"


def test_outputs_are_flat_and_the_same_every_time() -> None:
    image = np.random.default_rng(0).random((256, 256, 3)).astype(np.float32)
    bundle, member = "face_landmarker.task", "face_landmarks_detector.tflite"
    first, second = (LiteModel(bundle, threads, member)(image) for threads in (1, 1))
    assert [output.shape for output in first] == [(478 * 3,), (1,), (1,)]
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)


def test_unknown_asset_is_an_error() -> None:
    with pytest.raises(S2DError):
        LiteModel("no_such_model.tflite", 1)
