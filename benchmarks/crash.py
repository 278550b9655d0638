"""Curation disturbed at random moments: does the folder still read, and does the same command end the work?

    python -m benchmarks.crash --clips FOLDER_OF_VIDEOS --moments 20

Short pieces of real clips are curated once undisturbed. Then, for each seeded moment, into a new folder: the run is
killed (-9), or one of its workers is, or the disk is full: a tmpfs that is too small where one may be mounted, else a
limit on the size of files, which gives the same kind of error. Half of the runs are `--retry failed` on a data set that
was made while two of the files were broken. After each, every part that counts is read to its end; then the command is
given again, and the files must be those of the undisturbed run. Prints one JSON object; exit
code 1 if any moment fails.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from benchmarks.fuzz import short_pieces
from s2d.curation.staging import LOCK
from s2d.errors import S2DError
from s2d.shards.reader import finished_shards, open_dataset
from s2d.shards.writer import part_path

KINDS = ("parent", "worker", "disk")
VIDEOS_PER_SHARD = 2  # so that a few clips make several shards
FRAMES = 40
ROOT = Path(__file__).parents[1]


def curate_command(inputs: Path, out: Path) -> list[str]:
    """A process that curates with the real pipeline, two workers, small shards, and tries failed videos again."""
    return [sys.executable, "-m", "benchmarks.crash", "--curate", str(inputs), str(out)]


def _curate(inputs: str, out: str) -> None:
    from s2d.curation import pipeline
    from s2d.curation.executors import LocalExecutor

    pipeline.VIDEOS_PER_SHARD = VIDEOS_PER_SHARD
    pipeline.curate([inputs], out, executor=LocalExecutor(2), retry_failed=True)


Command = Callable[[Path, Path], list[str]]


@dataclass
class Trial:
    """Runs of one command on one folder of inputs, against the files of the undisturbed run."""

    command: Command
    inputs: Path
    before: Path | None
    """A data set that each run begins with, or None for an empty folder."""
    expected: dict[str, bytes]
    seconds: float
    """How long the undisturbed run takes."""

    def run(self, kind: str, out: Path, rng: random.Random, mount: bool) -> dict[str, Any]:
        """Disturb a run into `out`, look at what is there, give the command again, and compare."""
        out.mkdir()
        disturb = self._fill_tmpfs if kind == "disk" and mount else self._limit_files if kind == "disk" else self._kill
        told = {"kind": kind, "retry": self.before is not None} | disturb(kind, out, rng)
        same = contents(out) == self.expected
        if mount and kind == "disk":
            subprocess.run(["umount", str(out)], check=True)
        return told | {"identical": same}

    def _kill(self, kind: str, out: Path, rng: random.Random) -> dict[str, Any]:
        self._lay_out(out)
        moment = rng.uniform(0.05, 1.0) * self.seconds
        run = subprocess.Popen(self.command(self.inputs, out), stderr=subprocess.DEVNULL, cwd=ROOT)
        with suppress(subprocess.TimeoutExpired):
            run.wait(moment)
        victim = run.pid if kind == "parent" else _a_worker(run.pid, rng)
        hit = victim is not None and run.poll() is None
        if victim is not None and hit:
            os.kill(victim, signal.SIGKILL)
        told = {"at_s": round(moment, 2), "hit": hit, "exit": run.wait()} | _state(out)
        return told | self._again(out, times=2 if kind == "worker" else 1)  # a dead worker's video is tried again

    def _fill_tmpfs(self, kind: str, out: Path, rng: random.Random) -> dict[str, Any]:
        used = sum(path.stat().st_size for path in self.before.rglob("*.parquet")) if self.before else 0
        room = used + int(rng.uniform(0.05, 1.2) * sum(map(len, self.expected.values())))
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={room}", "tmpfs", str(out)], check=True)
        self._lay_out(out)
        run = subprocess.run(self.command(self.inputs, out), capture_output=True, text=True, check=False, cwd=ROOT)
        told = {"tmpfs_bytes": room} | _refused(run) | _state(out)
        subprocess.run(["mount", "-o", "remount,size=1g", str(out)], check=True)
        return told | self._again(out)

    def _limit_files(self, kind: str, out: Path, rng: random.Random) -> dict[str, Any]:
        self._lay_out(out)
        room = int(rng.uniform(0.05, 1.0) * max(map(len, self.expected.values())))
        command = ["prlimit", f"--fsize={room}", *self.command(self.inputs, out)]
        run = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
        return {"file_bytes": room} | _refused(run) | _state(out) | self._again(out)

    def _lay_out(self, out: Path) -> None:
        if self.before:
            shutil.copytree(self.before, out, dirs_exist_ok=True)

    def _again(self, out: Path, times: int = 1) -> dict[str, Any]:
        for _ in range(times):
            run = subprocess.run(self.command(self.inputs, out), capture_output=True, text=True, check=False, cwd=ROOT)
        return {} if run.returncode == 0 else {"again_says": run.stderr.strip().splitlines()[-1:]}


def _refused(run: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    return {"hit": run.returncode != 0, "exit": run.returncode, "says": run.stderr.strip().splitlines()[-1:]}


def _state(out: Path) -> dict[str, Any]:
    """What a reader finds now."""
    try:
        return {"shards": _read_all(out), "reads": True}
    except (S2DError, OSError, ValueError) as error:
        return {"shards": None, "reads": False, "error": str(error)}


def _read_all(out: Path) -> int:
    """Read every part that counts, to its last frame; returns the number of shards."""
    shards = finished_shards(out)
    if not shards:
        return 0
    dataset = open_dataset(out)
    for track in dataset.tracks().itertuples():
        if len(dataset.frames(track.track_id).frame) != track.frames:
            raise ValueError(f"{track.track_id} has not all of its frames")
    for shard in shards:
        tracks, frames = (pq.ParquetFile(part_path(out, table, shard)) for table in ("tracks", "frames"))
        if tracks.metadata.num_rows != frames.metadata.num_row_groups or frames.read() is None:
            raise ValueError(f"the parts of {shard} do not belong together")
    if sum(dataset.videos().tracks) != len(dataset):
        raise ValueError("videos and tracks do not agree")
    return len(shards)


def _a_worker(parent: int, rng: random.Random) -> int | None:
    """One of the processes that a run has spawned."""
    children = Path(f"/proc/{parent}/task/{parent}/children")
    pids = children.read_text().split() if children.exists() else []
    workers = [int(pid) for pid in pids if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    return rng.choice(workers) if workers else None


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder with its bytes, but for the lock, which is empty."""
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != LOCK)
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def trials(folder: Path, command: Command, inputs: Path, broken: Sequence[Path]) -> list[Trial]:
    """The undisturbed runs: all of `inputs` into an empty folder; and after `broken` of them had failed before."""
    whole = {path: path.read_bytes() for path in broken}
    for path in broken:
        path.write_text(f"failed to arrive: {path.name}")
    subprocess.run(command(inputs, folder / "before"), check=True, cwd=ROOT)
    for path, content in whole.items():
        path.write_bytes(content)
    made = []
    for name, before in (("fresh", None), ("retried", folder / "before")):
        if before:
            shutil.copytree(before, folder / name)
        started = time.monotonic()
        subprocess.run(command(inputs, folder / name), check=True, cwd=ROOT)
        made.append(Trial(command, inputs, before, contents(folder / name), time.monotonic() - started))
    if made[0].expected != made[1].expected:
        raise ValueError("a data set that was tried again is not the one that a fresh run makes")
    return made


def may_mount(folder: Path) -> bool:
    """Whether a tmpfs can be mounted on `folder`."""
    if not shutil.which("mount"):
        return False
    done = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(folder)], capture_output=True, check=False)
    return done.returncode == 0 and subprocess.run(["umount", str(folder)], check=False).returncode == 0


def disturb(folder: Path, runs: Sequence[Trial], moments: int, seed: int, mount: bool) -> list[dict[str, Any]]:
    """`moments` disturbed runs, in turn killed, robbed of a worker and out of space, into empty and older folders.

    A run that ends before its moment does not count as one: it is told of, and another moment is drawn.
    """
    rng, found, hits = random.Random(seed), [], 0
    while hits < moments and len(found) < 3 * moments:
        out = folder / f"out{len(found)}"
        found.append(runs[hits // len(KINDS) % len(runs)].run(KINDS[hits % len(KINDS)], out, rng, mount))
        hits += found[-1]["hit"]
        shutil.rmtree(out)
    return found


def main() -> int:
    """Print what was done and found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=Path, help="folder of real clips; the five smallest are used")
    parser.add_argument("--moments", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--curate", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.curate:
        _curate(*args.curate)
        return 0
    with tempfile.TemporaryDirectory() as name:
        folder, inputs = Path(name), Path(name) / "videos"
        inputs.mkdir()
        clips = sorted((path for path in args.clips.iterdir()), key=lambda path: path.stat().st_size)[:5]
        pieces = short_pieces(clips, inputs, FRAMES)
        mount = may_mount(folder)
        runs = trials(folder, curate_command, inputs, pieces[1:4:2])
        found = disturb(folder, runs, args.moments, args.seed, mount)
    good = sum(moment["reads"] and moment["identical"] for moment in found)
    undisturbed = {"seconds": [round(trial.seconds, 1) for trial in runs], "files": len(runs[0].expected)}
    full = "tmpfs" if mount else "limit on the size of files"
    kinds = {kind: sum(moment["hit"] for moment in found if moment["kind"] == kind) for kind in KINDS}
    told = {"runs": len(found), "good": good, "disturbed": kinds, "full_disk": full}
    print(json.dumps(told | {"seed": args.seed, "undisturbed": undisturbed, "each": found}, indent=2))
    return 0 if good == len(found) and sum(kinds.values()) == args.moments else 1


if __name__ == "__main__":
    sys.exit(main())
