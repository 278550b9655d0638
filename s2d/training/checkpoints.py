"""Training checkpoints: written whole or not at all, read without unpickling, checked before anything is built."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.plugins.io.torch_io import TorchCheckpointIO

from s2d.errors import S2DError
from s2d.files import whole_file
from s2d.models.checkpoint import read_torch_file

FOLDER, LAST = "checkpoints", "last.ckpt"
CONFIG = "config.yaml"  # of a run, written before its first step
_NEEDED = ("state_dict", "optimizer_states", "loops", "hyper_parameters")


class WholeCheckpointIO(TorchCheckpointIO):
    """Lightning moves a finished file from the system's temporary folder, which may be another disk: not atomic."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:  # noqa: ANN401
        """Write beside `path`, flush, rename. Raises S2DError when the operating system refuses."""
        content = io.BytesIO()  # writing to a path itself, torch turns a full disk into a RuntimeError
        torch.save(checkpoint, content)
        with whole_file(Path(path)) as temporary:
            temporary.write_bytes(content.getbuffer())

    def load_checkpoint(self, path: Any, *args: Any, **options: Any) -> dict[str, Any]:  # noqa: ANN401
        """Read tensors and plain values only, whatever the trainer asks for; S2DError for anything else."""
        return read_checkpoint(Path(path))


def read_checkpoint(path: Path) -> dict[str, Any]:
    """All that a training checkpoint holds, on the CPU. Raises S2DError when it is missing, damaged or no such file."""
    asked = f"cannot resume from {path}"
    if not path.is_file():
        if path.name == LAST and (path.parent.parent / CONFIG).is_file():
            raise S2DError(asked, "the run ended before its first checkpoint", "start it again, without --resume")
        raise S2DError(asked, "no such file", "give --out the folder of a run, or a .ckpt to --resume")
    foreign = S2DError(asked, "it is no training checkpoint, or a damaged one", "give a .ckpt of s2d train")
    content = read_torch_file(path, foreign)
    if not isinstance(content, Mapping) or any(key not in content for key in _NEEDED):
        raise S2DError(asked, "it holds no training state", "give a .ckpt of s2d train")
    return dict(content)


def find_checkpoint(out: Path, resume: str) -> Path:
    """The file meant by `--resume`: empty for the last of the run in `out`, else a file or the folder of a run."""
    given = Path(resume) if resume else out
    return given / FOLDER / LAST if given.is_dir() or not resume else given
