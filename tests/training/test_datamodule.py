"""Batches straight from Parquet: right pixels, right points, the same again, and clear errors early."""

from __future__ import annotations

import threading
import time
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch

from s2d.errors import S2DError
from s2d.geometry import Crop, Image, to_pixels
from s2d.images import decode_jpeg, encode_jpeg
from s2d.shards.reader import open_dataset
from s2d.training.augment import Augmentation
from s2d.training.datamodule import FaceDataModule
from s2d.training.pairs import Clip, ClipStore, Sample, decode_into, finished
from s2d.training.split import Span
from tests.training.conftest import CROP, DatasetMaker, face, picture

UNCHANGED = Augmentation(flip=0, brightness=0, contrast=0, saturation=0, noise=0)


@pytest.fixture(scope="module")
def data(make_dataset: DatasetMaker) -> Path:
    return make_dataset(lost=(3,))


def ready(path: Path, **options: object) -> FaceDataModule:
    module = FaceDataModule(str(path), **options)  # type: ignore[arg-type]
    module.setup()
    return module


def decoded(data: bytes, size: int) -> Image:
    image = np.empty((size, size, 3), np.uint8)
    decode_into(image, data, CROP)
    return image


def batches(module: FaceDataModule, count: int = 1) -> list[Sample]:
    return [finished(batch) for batch in islice(module.train_dataloader(), count)]


@pytest.mark.parametrize("size", [128, 64, 32, 48])
def test_decoding_at_a_smaller_size_is_area_averaging(size: int):
    data = encode_jpeg(picture(face((60, 70), 30), 0))
    expected = cv2.resize(decode_jpeg(data), (size, size), interpolation=cv2.INTER_AREA)
    difference = decoded(data, size).astype(float) - expected
    assert np.abs(difference).mean() < 1.5  # of 255
    assert abs(difference.mean()) < 0.3


def test_decoding_keeps_the_grid_centred():
    """The centre of mass of a blob must be where pixel areas put it, or landmarks would be off by a fraction."""
    x, y = np.meshgrid(np.arange(CROP), np.arange(CROP))
    blob = 255 * np.exp(-((x - 50.0) ** 2 + (y - 80.0) ** 2) / 200)
    small = decoded(encode_jpeg(np.repeat(blob[..., None], 3, 2).astype(np.uint8)), 32)[..., 0].astype(float)
    row, column = (np.average(np.arange(32), weights=small.sum(axis)) for axis in (1, 0))
    expected = Crop(0, 0, CROP).points(np.array([[50.0, 80.0]]), 32)[0]
    np.testing.assert_allclose([column, row], expected, atol=0.03)


def test_no_jpeg_is_an_error():
    with pytest.raises(ValueError, match="no JPEG"):
        decoded(b"nothing", 32)


def test_a_batch_shows_the_stored_frames(data: Path):
    module = ready(data, augmentation=UNCHANGED, batch_size=8)
    (batch,) = batches(module)
    assert batch["source"].shape == (8, 3, 64, 64)
    assert batch["source"].dtype == torch.float32
    frames = open_dataset(data).frames(module.split.train[module.training_pairs.order.track(0)[1]].track_id)
    stored = Crop(0, 0, CROP).points(frames.aligned, 64)
    for side in ("source", "driving"):
        points = to_pixels(batch[f"{side}_points"][0].numpy(), 64, 64)
        position = int(np.abs(stored - points).sum((1, 2)).argmin())
        np.testing.assert_allclose(stored[position], points, atol=1e-4)
        shown = decode_jpeg(frames.jpeg[position])
        expected = cv2.resize(shown, (64, 64), interpolation=cv2.INTER_AREA).transpose(2, 0, 1) / 255
        assert np.abs(batch[side][0].numpy() - expected).mean() < 0.006


def test_raw_landmarks_are_the_raw_ones(data: Path):
    aligned, raw = (
        batches(ready(data, augmentation=UNCHANGED, landmarks=kind))[0]["driving_points"] for kind in ("aligned", "raw")
    )
    np.testing.assert_allclose((raw - aligned).numpy(), 0.5 * 2 / 63, atol=1e-5)  # 1 px of 128 is half a px of 64


def test_frames_without_a_face_are_not_used(data: Path):
    module = ready(data)
    assert 3 not in module.training_pairs.store.clip(Span("bob-1", 0, 12)).usable
    points = torch.cat([batch["points"] for batch in islice(module.train_dataloader(), 10)])
    assert torch.isfinite(points).all()


@pytest.mark.parametrize("workers", [0, 2])
def test_the_same_stream_whoever_loads_it(data: Path, workers: int):
    first = list(islice(ready(data, batch_size=4).train_dataloader(), 3))
    again = list(islice(ready(data, batch_size=4, workers=workers).train_dataloader(), 3))
    for one, other in zip(first, again, strict=True):
        for name in one:
            torch.testing.assert_close(one[name], other[name], rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_damaged_picture_is_one_line_whoever_loads_it(data: Path, workers: int):
    module = ready(data, batch_size=4, workers=workers)
    clips = [module.training_pairs.store.clip(span) for span in module.split.train]
    for clip in clips:
        clip.jpeg[:] = [b"damaged"] * len(clip.jpeg)
    with pytest.raises(S2DError) as caught:
        next(iter(module.train_dataloader()))
    words = "cannot read a stored crop: these bytes are no JPEG picture; curate the videos again"
    assert str(caught.value) == words


def test_batches_differ_and_numbers_run_on(data: Path):
    made = batches(ready(data, batch_size=4), 3)
    assert torch.cat([batch["number"] for batch in made]).tolist() == list(range(12))
    assert not torch.equal(made[0]["source"], made[1]["source"])


def test_consecutive_frames(data: Path):
    module = ready(data, augmentation=UNCHANGED, consecutive=True)
    (batch,) = batches(module)
    frames = Crop(0, 0, CROP).points(open_dataset(data).frames("bob-1").aligned, 64)
    for now, after in zip(batch["driving_points"].numpy(), batch["next_points"].numpy(), strict=True):
        here, there = (int(np.abs(frames - to_pixels(p, 64, 64)).sum((1, 2)).argmin()) for p in (now, after))
        assert there == here + 1 or (there == here and here + 1 in (3, 12))


def test_validation_is_fixed_and_starts_at_the_first_frame(data: Path):
    module = ready(data, val_pairs=5)
    one, two = (finished(next(iter(module.val_dataloader()))) for _ in range(2))
    assert torch.equal(one["driving"], two["driving"])
    assert torch.equal(one["source"][0], one["source"][4])
    assert not torch.equal(one["source_points"][0], one["driving_points"][0])
    assert len({tuple(points.flatten().tolist()) for points in one["driving_points"]}) == 5


def test_a_single_identity_is_validated_on_what_training_never_sees(make_dataset: DatasetMaker):
    module = ready(make_dataset(people=("ann",), frames=20), augmentation=UNCHANGED, val_share=0.25)
    assert module.split is not None
    assert "one identity" in module.split.note
    seen = {tuple(p.flatten().tolist()) for b in batches(module, 20) for p in b["driving_points"]}
    held = {tuple(p.flatten().tolist()) for b in map(finished, module.val_dataloader()) for p in b["driving_points"]}
    assert len(seen) == 15
    assert not seen & held


def test_a_part_of_a_track_without_a_face_teaches_nothing(make_dataset: DatasetMaker):
    """Neither its own frames nor those behind it are taken in its place: the next track is."""
    module = ready(make_dataset(frames=20, lost=tuple(range(8))), augmentation=UNCHANGED, size=32)
    pairs = module.training_pairs
    (spans,) = pairs.spans
    pairs.spans = [[Span(spans[0].track_id, 0, 8), spans[1]]]
    usable = np.empty((12, 32, 32, 3), np.uint8)
    pairs.store.pictures(usable, pairs.store.clip(spans[1]), range(8, 20))
    drawn = pairs.batch(range(pairs.order.round))["frames"].flatten(0, 1).numpy()
    assert {picture.tobytes() for picture in drawn} == {picture.tobytes() for picture in usable}
    pairs.spans = [[Span(span.track_id, 0, 8) for span in spans]]
    with pytest.raises(S2DError, match=r"cannot train: no track has a detected face in its part to train on; raise"):
        pairs.batch([0])


def test_an_end_without_a_face_validates_nothing(make_dataset: DatasetMaker):
    """The frames before it are trained on."""
    lost, whole = make_dataset(people=("ann",), frames=20, lost=(18, 19)), make_dataset(people=("ann",), frames=20)
    module = FaceDataModule([str(lost), str(whole)], size=32, val_share=0.1)
    module.setup()
    assert {span.data for span, *_ in module.validation_pairs.plan} == {1}
    assert all(module.validation_pairs.positions(n)[1] >= 18 for n in range(len(module.validation_pairs)))
    with pytest.raises(
        S2DError, match=r"cannot validate: no held-out frame shows a detected face; raise data.val_share"
    ):
        ready(lost, size=32, val_share=0.1)


@pytest.mark.parametrize("people", [("ann", "bob", "cleo"), ("ann",)])
def test_the_ends_of_tracks_are_left_out(make_dataset: DatasetMaker, people: tuple[str, ...]):
    """Of one person, of what is not held out; those who validate are whole."""
    data = make_dataset(people=people, frames=20)
    whole, begun = (ready(data, val_share=0.25, until=share) for share in (1.0, 0.8))
    ends = [[span.stop for part in module.training_pairs.spans for span in part] for module in (whole, begun)]
    assert ends == ([[20, 20], [16, 16]] if len(people) > 1 else [[15], [12]])
    assert whole.split.validation == begun.split.validation
    assert whole.identity()["tracks"] != begun.identity()["tracks"]


def test_the_cache_is_bounded(data: Path):
    shards = open_dataset(data)
    store = ClipStore([shards], "aligned", 64, limit=1)
    for track in shards.tracks()["track_id"]:
        store.clip(Span(track, 0, 12))
    assert len(store._clips) == 1
    assert store._held == store.clip(Span(track, 0, 12)).bytes


def test_tracks_that_do_not_fit_into_the_cache_together_are_read_once_a_visit(
    make_dataset: DatasetMaker, monkeypatch: pytest.MonkeyPatch
):
    """Five tracks, of which the cache holds fewer: going round all of them would read one for every sample."""
    read: list[Span] = []
    original = ClipStore._read
    monkeypatch.setattr(ClipStore, "_read", lambda store, span: read.append(span) or original(store, span))
    monkeypatch.setattr("s2d.training.datamodule.MIB", 150_000)
    module = ready(make_dataset(people=tuple("abcdef")), visit=6, cache_mb=1)
    (order,), store = module.training_pairs.order.orders, module.training_pairs.store
    sizes = [store.clip(span).bytes for span in module.split.train]
    assert max(sizes) < store.limit < sum(sizes)
    read.clear()
    store._clips.clear()
    store._held = 0
    for number in range(order.round):
        module.training_pairs[number]
    assert sorted(span.track_id for span in read) == sorted(span.track_id for span in module.split.train)
    assert 1 < order.window < len(sizes)


def test_an_epoch_is_whole_rounds_split_among_processes(data: Path):
    module = ready(data, batch_size=16)
    assert len(module.train_dataloader()) == 4096 // 16


@pytest.mark.parametrize(
    ("make", "options", "why"),
    [
        ({"jpeg": False}, {}, "without pictures; curate without --no-jpeg into another --out"),
        ({"people": ()}, {}, "no video in it has a usable face"),
        ({}, {"size": 256}, "crops of 128 px, smaller than data.size 256"),
        ({"frames": 5}, {}, "no track of 8 frames"),
    ],
)
def test_data_that_cannot_be_trained_on(make_dataset: DatasetMaker, make: dict, options: dict, why: str):
    with pytest.raises(S2DError, match=why):
        ready(make_dataset(**make), **options)


def test_no_data_set(tmp_path: Path):
    with pytest.raises(S2DError, match="nothing of one is in it"):
        ready(tmp_path)


def test_a_lone_part_is_refused(data: Path):
    with pytest.raises(S2DError, match="single frames part"):
        ready(next((data / "frames").iterdir()))


def test_resuming_on_other_data_is_refused(data: Path, make_dataset: DatasetMaker):
    state = ready(make_dataset(detector="other")).state_dict()
    with pytest.raises(S2DError, match="detector is made, but other in the checkpoint"):
        ready(data).load_state_dict(state)


@pytest.mark.parametrize("option", ["seed", "visit", "window"])
def test_resuming_with_another_order_is_refused(data: Path, option: str):
    state = ready(data, **{option: 1}).state_dict()
    with pytest.raises(S2DError, match=f"{option} is .*, but 1 in the checkpoint"):
        ready(data).load_state_dict(state)


def test_resuming_on_other_tracks_is_refused(make_dataset: DatasetMaker):
    """Another order of the data sets, one that grew, or other people held out: samples would be of other tracks."""
    one, other = make_dataset(), make_dataset(people=("dora", "emil", "fay"))
    grown = make_dataset(people=("dora", "emil", "fay", "gil"))

    def begun(*paths: Path, held: str = "ann") -> FaceDataModule:
        module = FaceDataModule([str(path) for path in paths], weights=[1.0, 1.0], val_identities=[held])
        module.setup()
        return module

    state = begun(one, other).state_dict()
    begun(one, other).load_state_dict(state)
    for changed in (begun(other, one), begun(one, grown), begun(one, other, held="bob")):
        with pytest.raises(S2DError, match=r"cannot resume on .*: the tracks it trains on differ; resume with"):
            changed.load_state_dict(state)


def test_several_data_sets_are_drawn_by_their_weights(data: Path, make_dataset: DatasetMaker):
    other = make_dataset(people=("dora", "emil", "fay"), lost=(3,))
    module = FaceDataModule([str(data), str(other)], weights=[3.0, 1.0], size=32, batch_size=8, val_identities=["ann"])
    module.setup()
    drawn = [module.training_pairs.order.track(number) for number in range(64)]
    assert [sum(which == number for which, _ in drawn) for number in (0, 1)] == [48, 16]
    shown = {module.identity_of(module.training_pairs.spans[which][track]) for which, track in drawn}
    assert shown == {"bob", "cleo", "dora", "emil", "fay"}
    assert {module.identity_of(span) for span, *_ in module.validation_pairs.plan} == {"ann"}


def test_tracks_of_one_name_in_two_data_sets_are_kept_apart(data: Path, make_dataset: DatasetMaker):
    moved = make_dataset(frames=20)
    module = FaceDataModule([str(data), str(moved)], size=32)
    module.setup()
    lengths = [len(module.training_pairs.store.clip(Span("bob-1", 0, 12, number)).times) for number in (0, 1)]
    assert lengths == [12, 20]


@pytest.mark.parametrize(
    ("make", "why"), [({"detector": "other"}, "detector is other, but made in"), ({"crop": 96}, "crop_size is 96")]
)
def test_data_sets_that_were_not_made_alike_do_not_mix(data: Path, make_dataset: DatasetMaker, make: dict, why: str):
    module = FaceDataModule([str(data), str(make_dataset(**make))], size=32)
    with pytest.raises(S2DError, match=why):
        module.setup()


@pytest.mark.parametrize(
    ("paths", "weights", "why"),
    [
        ([], None, "names no data set"),
        (["a", "a"], None, "a is named twice"),
        (["a", "b"], [1.0], "1 weights for 2 data sets"),
        (["a", "b"], [1.0, 0.0], "weight 0.0 is not above 0"),
    ],
)
def test_lists_that_cannot_be_meant(paths: list[str], weights: list[float] | None, why: str):
    with pytest.raises(S2DError, match=why):
        FaceDataModule(paths, weights=weights)


def test_a_data_set_of_held_out_people_only_is_not_drawn_from(data: Path, make_dataset: DatasetMaker):
    held = make_dataset(people=("dora", "emil"), split="val")
    module = FaceDataModule([str(data), str(held)], weights=[1.0, 9.0], size=32)
    module.setup()
    assert {module.training_pairs.order.track(number)[0] for number in range(32)} == {0}
    assert {module.identity_of(span) for span, *_ in module.validation_pairs.plan} == {"dora", "emil"}


def test_a_hash_follows_the_content(data: Path, make_dataset: DatasetMaker):
    (one,), (other,) = (ready(path).content_hashes().values() for path in (data, make_dataset(people=("zoe", "yan"))))
    assert one == ready(data).content_hashes()[str(data)]
    assert one != other


def test_a_resumed_loader_with_workers_goes_on_with_the_next_batch(data: Path):
    """The position is told by the trainer; here by what a checkpoint says, before there is one."""
    numbers = [batch["number"].tolist() for batch in islice(ready(data, batch_size=4).train_dataloader(), 5)]
    resumed = ready(data, batch_size=4, workers=2)
    resumed.load_state_dict({**resumed.state_dict(), "samples": 12, "batches": 3})
    resumed._batches = lambda: 3  # type: ignore[method-assign]
    resumed.trainer = SimpleNamespace(world_size=1, global_rank=0)  # type: ignore[assignment]
    again = [batch["number"].tolist() for batch in islice(resumed.train_dataloader(), 2)]
    assert again == numbers[3:]


def test_threads_read_each_track_once(data: Path, monkeypatch: pytest.MonkeyPatch):
    module = ready(data, batch_size=2, workers=4)
    module.training_pairs.store._clips.clear()
    read: list[str] = []
    original = ClipStore._read

    def slowly(store: ClipStore, span: Span) -> Clip:
        read.append(span.track_id)
        time.sleep(0.05)
        return original(store, span)

    monkeypatch.setattr(ClipStore, "_read", slowly)
    assert len(list(islice(module.train_dataloader(), 8))) == 8
    assert sorted(read) == ["bob-1", "cleo-2"]


def test_a_loader_that_is_left_leaves_no_threads(data: Path):
    batches = iter(ready(data, batch_size=2, workers=2).train_dataloader())
    next(batches)
    assert [thread for thread in threading.enumerate() if thread.name.startswith("s2d-loader")]
    batches.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("s2d-loader")]


def test_an_epoch_ends_with_its_last_batch(data: Path):
    loader = ready(data, batch_size=2, workers=2).train_dataloader()
    loader.sampler.length = 10
    assert [batch["number"].tolist() for batch in loader] == [[n, n + 1] for n in range(0, 10, 2)]
    assert len(loader) == 5
