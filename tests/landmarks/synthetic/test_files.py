"""The truth as a file: what is written is what is read, by us and by plain pandas."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import skimage.data

from s2d import __version__
from s2d.errors import S2DError
from s2d.geometry import Float32
from s2d.landmarks.synthetic import SyntheticClip, Variant, is_truth, make_clip, read_truth, truth_path, write_truth
from s2d.landmarks.synthetic.files import SCHEMA, variant_name


@pytest.fixture(scope="module")
def clip(astronaut_points: Float32) -> SyntheticClip:
    return make_clip(skimage.data.astronaut(), astronaut_points, frames=12, fps=10, size=64, seed=5, variant="missing")


@pytest.fixture
def path(clip: SyntheticClip, tmp_path: Path) -> Path:
    write_truth(clip, tmp_path / "new" / "missing-5.parquet", {"still": "astronaut"})
    return tmp_path / "new" / "missing-5.parquet"


def test_what_is_written_is_read(clip: SyntheticClip, path: Path) -> None:
    truth = read_truth(path)
    assert len(truth) == 12
    np.testing.assert_array_equal(truth.truth, clip.truth)
    np.testing.assert_array_equal(truth.visible, clip.visible)
    np.testing.assert_array_equal(truth.dropped, clip.dropped)
    assert truth.dropped.any()
    np.testing.assert_array_equal(truth.times, clip.times)
    states = clip.states
    np.testing.assert_allclose(truth.angles, np.stack([states.yaw, states.pitch, states.roll], axis=-1), atol=1e-5)
    expected = {"layout": "ibug70", "variant": "missing", "seed": "5", "version": __version__, "still": "astronaut"}
    assert expected.items() <= dict(truth.metadata).items()


def test_pandas_reads_it_too(clip: SyntheticClip, path: Path) -> None:
    table = pd.read_parquet(path)
    assert list(table.columns) == ["frame", "time", "points", "visible", "dropped", "yaw", "pitch", "roll"]
    assert table.frame.tolist() == list(range(12))
    np.testing.assert_array_equal(np.stack(table.points.to_list()).reshape(12, 70, 2), clip.truth)
    assert pq.read_schema(path).field("points").type == pa.list_(pa.field("element", pa.float32(), nullable=False), 140)
    assert pq.read_schema(path).field("visible").type.list_size == 70


def test_same_clip_same_bytes(clip: SyntheticClip, path: Path, tmp_path: Path) -> None:
    write_truth(clip, tmp_path / "again.parquet", {"still": "astronaut"})
    assert (tmp_path / "again.parquet").read_bytes() == path.read_bytes()


def test_names(clip: SyntheticClip) -> None:
    assert truth_path("a/calm-0.mp4") == Path("a/calm-0.parquet")
    assert variant_name(clip) == "missing"
    own = make_clip(skimage.data.astronaut(), np.array(clip.truth[0]), frames=1, size=32, variant=Variant(yaw=1.0))
    assert variant_name(own) == "custom"


def test_only_a_truth_is_one(path: Path, tmp_path: Path) -> None:
    assert is_truth(path)
    assert not is_truth(tmp_path / "none.parquet")
    assert not is_truth(tmp_path)
    (tmp_path / "text.parquet").write_text("no Parquet at all")
    assert not is_truth(tmp_path / "text.parquet")
    pq.write_table(pa.table({"points": [1]}), tmp_path / "other.parquet")
    assert not is_truth(tmp_path / "other.parquet")


def _damage(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def _replace(path: Path) -> None:
    pq.write_table(pa.table({"points": [1]}), path)


def _relabel(path: Path) -> None:
    table = pq.read_table(path)
    pq.write_table(table.replace_schema_metadata({"s2d.table": "truth", "s2d.layout": "other98"}), path)


@pytest.mark.parametrize(
    ("change", "says"),
    [(Path.unlink, "no such file"), (_damage, "cannot read the truth"), (_replace, "not the truth"), (_relabel, "98")],
)
def test_what_is_no_truth_says_so(path: Path, change: object, says: str) -> None:
    change(path)  # type: ignore[operator]
    with pytest.raises(S2DError, match=says) as error:
        read_truth(path)
    assert "\n" not in str(error.value)


def test_place_that_cannot_be_written(clip: SyntheticClip, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(S2DError, match="cannot write"):
        write_truth(clip, tmp_path / "file" / "truth.parquet")


def test_each_column_says_what_it_is() -> None:
    for field in SCHEMA:
        assert field.metadata[b"description"], field.name
