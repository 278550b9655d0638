"""bf16 where the processor has units for it, as Linux describes processors; 32 bits elsewhere, and it is said."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from s2d.training import precision
from s2d.training.precision import processor_has_bf16, usable_precision


@pytest.mark.parametrize(
    ("text", "has"),
    [
        ("model name : x\nflags\t\t: fpu sse avx512f avx512_bf16 avx512vl\n", True),
        ("flags : fpu amx_bf16\n", True),
        ("Features\t: fp asimd bf16 i8mm\n", True),
        ("flags : fpu avx512f avx512_fp16\nmodel name : bf16 in name only\n", False),
        ("", False),
    ],
)
def test_what_the_processor_says(tmp_path: Path, text: str, has: bool):
    path = tmp_path / "cpuinfo"
    path.write_text(text)
    assert processor_has_bf16(path) is has


def test_no_description_is_no_bf16(tmp_path: Path):
    assert not processor_has_bf16(tmp_path / "none")


@pytest.mark.parametrize("has", [True, False])
def test_bf16_is_replaced_where_it_would_be_emulated(monkeypatch: pytest.MonkeyPatch, has: bool):
    monkeypatch.setattr(precision, "processor_has_bf16", lambda: has)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    usable, note = usable_precision("bf16-mixed", "auto")
    assert (usable, bool(note)) == (("bf16-mixed", False) if has else ("32-true", True))
    assert usable_precision("16-mixed", "auto") == ("16-mixed", "")
    assert usable_precision(None, "auto") == (None, "")


@pytest.mark.parametrize("has", [True, False])
@pytest.mark.parametrize("accelerator", ["auto", "gpu", "cuda", "cpu"])
def test_a_gpu_is_asked_where_one_is_used(monkeypatch: pytest.MonkeyPatch, has: bool, accelerator: str):
    """What the processor has is the opposite."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: has and not including_emulation)
    monkeypatch.setattr(precision, "processor_has_bf16", lambda: not has)
    usable, note = usable_precision("bf16-mixed", accelerator)
    good = has if accelerator != "cpu" else not has
    assert usable == ("bf16-mixed" if good else "32-true")
    assert ("GPU" in note, "processor" in note) == (
        not good and accelerator != "cpu",
        not good and accelerator == "cpu",
    )
