"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def media() -> Path:
    """Folder of real clips; tests that need it skip by name where it is absent."""
    default = Path(__file__).parents[2] / "shared" / "media"
    folder = Path(os.environ.get("S2D_MEDIA", default))
    if not (folder / "clips").is_dir():
        pytest.skip(f"no folder of real clips at {folder}; set S2D_MEDIA to run this test")
    return folder
