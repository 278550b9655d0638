"""`s2d evaluate` from Python: a checkpoint and the baselines on a data set, by one of three protocols."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from torch import Tensor

from s2d import progress
from s2d.errors import S2DError
from s2d.evaluation import PROTOCOLS, cross_identity, same_identity, temporal
from s2d.evaluation.footage import Clip, Landmarks, Part, identities, read_clip, tracks_of
from s2d.evaluation.identity import FaceEmbedder
from s2d.evaluation.interval import summarise
from s2d.evaluation.keypoints import Witness
from s2d.evaluation.methods import BASELINES, Method, animator_method
from s2d.evaluation.perception import Distribution, Lpips
from s2d.evaluation.same_identity import Instruments
from s2d.evaluation.sheet import write_sheet
from s2d.landmarks.retarget import MODES
from s2d.models.animator import Animator
from s2d.models.checkpoint import People, load_with_origin
from s2d.shards.reader import Dataset, open_dataset
from s2d.wording import first_few

SIZE = 64  # without a checkpoint
PERHAPS_SEEN = (
    "the figures of the animator include people that it may have been trained on; give --identities of others, or a "
    "data set with a published split"
)
GROUPS = ("held out", "known", "new")  # of identities, by what a checkpoint says of its training; new: it had none such
Rows = dict[str, list[tuple[str, Mapping[str, float]]]]
Made = TypeVar("Made")


@dataclass(frozen=True)
class Options:
    """What is evaluated on."""

    frames: int = 60
    """Driving frames per track, at most."""
    looks: int = 6
    """Of these, frames that detectors look at in protocol `same`; 0 for no detectors."""
    people: Sequence[str] | None = None
    """Identities; everyone when None, or the published test or validation split where there is one."""
    start: float = 0.0
    """Share of each track that is left out at its beginning: what training saw of known people."""
    most: int = 20
    """Tracks, evenly spread, and pairs of source and driver, at most; no track is a source twice before all were."""
    landmarks: Landmarks = "aligned"
    """Of the stored ones, those that drive."""
    sheets: Path | None = None
    """Folder for contact sheets of protocol `same`."""


def evaluate(
    data: str | Path, checkpoint: str | Path | None = None, protocol: str = "same", options: Options | None = None
) -> dict[str, Any]:
    """Figures of the animator in `checkpoint` (without one: of the baselines alone) and of all baselines.

    Returns the `methods` (for `cross`, the `modes` of retargeting and in them the methods) with figures as
    s2d.evaluation.interval.Estimate; what they were taken of; and `notes`: why a figure is
    missing, by its name, and under `checkpoint` what the animator's figures may not mean. Where `options` name neither
    people nor a start, and the checkpoint says whom it was trained on, `same` gives `groups` besides if there are
    several, of GROUPS: in each its `identities` and `methods`, kid and fid among them then instead of over all.
    Raises S2DError when the data set or the checkpoint cannot be used.
    """
    options = options or Options()
    if protocol not in PROTOCOLS:
        raise S2DError(f"cannot evaluate by {protocol!r}", "no such protocol", f"choose one of {', '.join(PROTOCOLS)}")
    model, origin = load_with_origin(checkpoint) if checkpoint is not None else (None, None)
    dataset = open_dataset(data)
    people = origin.people if origin else None
    apart = people if protocol == "same" and not options.people and not options.start else None
    chosen = choose(dataset, options, apart)
    size = model.config.size if model else SIZE
    part = Part(options.start, options.frames, consecutive=protocol == "temporal")
    session = _Session(dataset, chosen, size, part, options, model, apart)
    measured = {"same": _same, "cross": _cross, "temporal": _temporal}[protocol](session)
    who = identities(dataset)
    if people and "groups" not in measured:
        measured["notes"]["checkpoint"] = _known(people, {who[track] for track in chosen}, options)
    elif model and not people and not (options.people or options.start or _published(dataset)):
        measured["notes"]["checkpoint"] = PERHAPS_SEEN
    about = {"protocol": protocol, "data": str(data), "checkpoint": None if checkpoint is None else str(checkpoint)}
    counted = {"size": size, "tracks": len(chosen), "identities": sorted({who[track] for track in chosen})}
    return {**about, **counted, "frames": options.frames, **measured}


def choose(dataset: Dataset, options: Options, people: People | None = None) -> list[str]:
    """Ids of the tracks to evaluate on, `options.most` at most.

    Where `people` are given, whom training had, they are shared out evenly to the GROUPS; what a small group has no
    tracks for goes to the others.

    Raises S2DError for an unknown identity or an empty data set.
    """
    tracks = tracks_of(dataset, options.people)
    if options.people is None:
        tracks = _published(dataset) or tracks
    who = identities(dataset)
    parts = [[track for track in tracks if group_of(who[track], people) == group] for group in GROUPS]
    counts = _shared_out(options.most, [len(part) for part in parts])
    return [track for part, count in zip(parts, counts, strict=True) for track in _spread(part, count)]


def _shared_out(budget: int, sizes: Sequence[int]) -> list[int]:
    """How many of each size to take, `budget` at most: as many of each, and more of the large where others have less.

    >>> _shared_out(6, [4, 1, 4]), _shared_out(2, [9, 9, 9])
    ([3, 1, 2], [1, 1, 0])
    """
    counts = [0] * len(sizes)
    ascending = sorted(range(len(sizes)), key=lambda index: sizes[index])
    for waiting, index in zip(range(len(sizes), 0, -1), ascending, strict=True):
        counts[index] = min(sizes[index], math.ceil((budget - sum(counts)) / waiting))
    return counts


def _spread(tracks: Sequence[str], most: int) -> list[str]:
    picked = np.linspace(0, len(tracks) - 1, min(most, len(tracks))).round().astype(int)
    return [tracks[index] for index in picked]


def group_of(identity: str, people: People | None) -> str:
    """Which of GROUPS somebody is in; "new" where nothing is known."""
    if people is None:
        return "new"
    return "known" if identity in people.trained else "held out" if identity in people.held_out else "new"


def _known(people: People, shown: Collection[str], options: Options) -> str:
    """What is to be said of figures over all the people shown, some of whom an animator may have been trained on."""
    known = sorted(people.trained.intersection(shown))
    if not known:
        return f"the animator was trained on none of these {len(shown)} identities"
    others = sorted(set(shown).difference(known))
    remedy = "give others' data"
    if others:
        remedy = f"give --identities of the others: {first_few(others)}"
    elif len(people.trained) == 1 and not people.held_out:  # otherwise no frames of theirs were held out
        earlier = "what is left out by --start may be less than it saw" if options.start else ""
        remedy = earlier or f"{remedy}, or --start for later frames than it saw"
    return f"the animator was trained on {len(known)} of these {len(shown)} identities; {remedy}"


def _published(dataset: Dataset) -> list[str]:
    """Ids of the tracks of the published test split, else of the validation split; none where there is neither."""
    table = dataset.tracks()
    sides = ([str(track) for track in table.loc[table["split"] == side, "track_id"]] for side in ("test", "val"))
    return next(filter(None, sides), [])


def find_instruments(drove: str, looks: int) -> tuple[Instruments, dict[str, str]]:
    """What can be measured with on this machine, for landmarks made by the detector `drove`; and why not more."""
    notes: dict[str, str] = {}
    witness = _if_possible(lambda: Witness(drove), "akd", notes) if looks else None
    embedder = _if_possible(FaceEmbedder, "aed", notes) if witness else None
    return Instruments(looks, witness, embedder, _if_possible(Lpips, "lpips", notes)), notes


def _if_possible(make: Callable[[], Made], figure: str, notes: dict[str, str]) -> Made | None:
    try:
        return make()
    except S2DError as error:
        notes[figure] = str(error)
        return None


@dataclass(frozen=True)
class _Session:
    dataset: Dataset
    tracks: Sequence[str]
    size: int
    part: Part
    options: Options
    model: Animator | None
    people: People | None = None
    """Whom its training had, where figures shall be apart by it."""

    @property
    def methods(self) -> dict[str, Method]:
        return BASELINES | ({"animator": animator_method(self.model)} if self.model else {})

    @property
    def drove(self) -> str:
        return str(self.dataset.metadata["detector"])

    def clip(self, track: str) -> Clip:
        return read_clip(self.dataset, track, self.size, self.part, self.options.landmarks)


def _same(session: _Session) -> dict[str, Any]:
    instruments, notes = find_instruments(session.drove, session.options.looks)
    methods = session.methods
    parts: dict[str, tuple[Rows, dict[str, Distribution]]] = {}
    for track in progress.track(session.tracks, "reconstructing tracks", len(session.tracks)):
        clip = session.clip(track)
        group = group_of(clip.identity, session.people)
        if group not in parts:
            parts[group] = {}, {name: Distribution() for name in methods}
        rows, distributions = parts[group]
        made, figures = same_identity.measure_clip(methods, clip, instruments, distributions)
        add_rows(rows, clip.identity, figures)
        _draw(session, clip, made)
    detector = instruments.witness.name if instruments.witness else None
    return {**_apart(parts), "akd_detector": detector, "notes": notes}


def _apart(parts: Mapping[str, tuple[Rows, Mapping[str, Distribution]]]) -> dict[str, Any]:
    """The table of `methods` and, of several groups, one of each."""
    tables = {group: _with_distributions(*part) for group, part in parts.items()}
    if len(tables) == 1:
        return {"methods": next(iter(tables.values()))}
    every: Rows = {}
    for rows, _ in parts.values():
        for name, found in rows.items():
            every.setdefault(name, []).extend(found)
    groups = {
        group: {"identities": sorted({who for found in rows.values() for who, _ in found}), "methods": tables[group]}
        for group, (rows, _) in parts.items()
    }
    return {"methods": {name: summarise(found) for name, found in every.items()}, "groups": groups}


def _with_distributions(rows: Rows, distributions: Mapping[str, Distribution]) -> dict[str, dict[str, Any]]:
    table: dict[str, dict[str, Any]] = {name: dict(summarise(found)) for name, found in rows.items()}
    for name, distribution in distributions.items():
        table[name] |= distribution.compute()
    return table


def _temporal(session: _Session) -> dict[str, Any]:
    notes: dict[str, str] = {}
    witness = _if_possible(lambda: Witness("dlib"), "acceleration_ratio", notes)
    rows: Rows = {}
    for track in progress.track(session.tracks, "animating tracks", len(session.tracks)):
        clip = session.clip(track)
        add_rows(rows, clip.identity, temporal.measure_clip(session.methods, clip, witness))
    return {"methods": {name: summarise(found) for name, found in rows.items()}, "notes": notes}


def _cross(session: _Session) -> dict[str, Any]:
    instruments, notes = find_instruments("dlib", 1)
    if instruments.witness is None:
        raise S2DError("cannot evaluate across identities", notes["akd"], "the detector mesh is needed")
    notes = {"id_source": notes["aed"]} if "aed" in notes else {}
    clips = [session.clip(track) for track in session.tracks]
    pairs = cross_identity.pairings(clips, session.options.most)
    if not pairs:
        raise S2DError("cannot evaluate across identities", "only one identity is given", "name more, or none")
    modes: dict[str, Rows] = {mode: {} for mode in MODES}
    for source, driver in progress.track(pairs, "animating pairs", len(pairs)):
        for mode, rows in modes.items():
            pairing = cross_identity.Pairing(source, driver, mode)
            add_rows(rows, source.identity, cross_identity.measure_pair(session.methods, pairing, instruments))
    table = {mode: {name: summarise(found) for name, found in rows.items()} for mode, rows in modes.items()}
    return {"modes": table, "pairs": len(pairs), "notes": notes}


def add_rows(rows: Rows, identity: str, figures: Mapping[str, Mapping[str, float]]) -> None:
    """A track's figures by method, beside those of the tracks before."""
    for name, found in figures.items():
        rows.setdefault(name, []).append((identity, found))


def _draw(session: _Session, clip: Clip, made: Mapping[str, Tensor]) -> None:
    if session.options.sheets is not None:
        write_sheet(session.options.sheets / f"{clip.track_id}.png", clip, made, session.model)
