"""Whether this machine computes in bfloat16 with units of its own; elsewhere it is emulated, many times slower."""

from __future__ import annotations

from pathlib import Path

import torch

BF16_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}  # Intel and AMD, Intel, ARM
PROCESSOR = Path("/proc/cpuinfo")


def usable_precision(asked: str | int | None, accelerator: object) -> tuple[str | int | None, str]:
    """The trainer's precision that is asked for, or 32-true in place of a bf16 that would be emulated; and a note.

    The note is one line that says so, or empty.
    """
    if not str(asked).startswith("bf16"):
        return asked, ""
    on_gpu = torch.cuda.is_available() and accelerator in ("auto", "gpu", "cuda")
    if torch.cuda.is_bf16_supported(including_emulation=False) if on_gpu else processor_has_bf16():
        return asked, ""
    what = "GPU" if on_gpu else "processor"
    return "32-true", f"training in 32 bits, not in {asked}: this {what} has no bf16 units"


def processor_has_bf16(description: Path = PROCESSOR) -> bool:
    """Whether the processor has bf16 units, as Linux describes it; False where there is no such description."""
    if not description.is_file():
        return False
    lines = description.read_text(errors="replace").splitlines()
    words = {word for line in lines if line.lower().startswith(("flags", "features")) for word in line.split()}
    return not words.isdisjoint(BF16_FLAGS)
