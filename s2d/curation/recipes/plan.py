"""From a recipe and a folder to the videos to curate: who is in them, in which split, what is missing or unknown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from s2d.curation.clip import Clip
from s2d.curation.plan import Found, Source, files_below, source_of
from s2d.curation.recipes.manifest import Manifest
from s2d.curation.recipes.pattern import Pattern
from s2d.curation.recipes.recipe import Recipe
from s2d.errors import S2DError
from s2d.shards.splits import check_apart
from s2d.storage import VIDEO_EXTENSIONS, Location, location, reaching

MISSING = "missing"

Row = tuple[str, Mapping[str, str], "Clip | None"]


@dataclass(frozen=True)
class Plan:
    """What a recipe finds below a folder."""

    recipe: Recipe
    sources: list[Source]
    """A source per video or clip of the data set, sorted by name; those without a file are settled as MISSING."""
    unknown: list[str]
    """Paths below the root of video files that the recipe has no place for."""

    @property
    def found(self) -> dict[str, float]:
        """Videos and identities that have a file; comparable with `Recipe.expected`."""
        there = [source for source in self.sources if not source.settled]
        return {"videos": len(there), "identities": len({source.identity for source in there})}

    @property
    def missing(self) -> list[str]:
        """Names of the videos that are listed but have no file."""
        return [source.video for source in self.sources if source.settled and source.settled[1] == MISSING]


def plan_recipe(recipe: Recipe, root: str | Path, out: str | Path) -> Plan:
    """Look through `root`, a path or a URL, for the videos of a recipe; `out`, should it lie inside, is left out.

    Raises S2DError when there is no such folder, it is the tree of another data set, a manifest is missing or broken,
    or somebody, or something, would be in two splits.
    """
    tree = _Tree(recipe, location(root), location(out))
    rows = list(tree.rows())
    side = recipe.split.reader(tree.lines)
    sources: dict[str, Source] = {}
    for path, fields, clip in rows:
        source = tree.source(path, fields, clip, side)
        other = sources.setdefault(source.video, source)  # manifests repeat themselves
        if other.split != source.split:
            why = f"{source.video} is listed in {other.split or 'no split'} and in {source.split or 'no split'}"
            raise S2DError(tree.asked, why, "keep each video and clip in one split")
    known = {path for path, _, _ in rows}
    unknown = [path for path in tree.videos if path not in known and not _matches(recipe.ignore, path)]
    if not known & set(tree.videos):
        example = f"not as {tree.videos[0]}" if tree.videos else "and there is no video at all"
        raise S2DError(tree.asked, f"{recipe.layout}, {example}", "give the folder above these as --root")
    check_apart(((source.identity, source.split) for source in sources.values()), tree.asked)
    return Plan(recipe, [sources[name] for name in sorted(sources)], unknown)


class _Tree:
    """The files below the root."""

    def __init__(self, recipe: Recipe, root: Location, out: Location) -> None:
        self.recipe, self.root = recipe, root
        self.asked = f"cannot use the recipe {recipe.name} on {root}"
        with reaching(root):
            if not root.is_dir():
                raise S2DError(self.asked, "no such folder", f"give the data set's as --root: {recipe.layout}")
            self.files: dict[str, Path | Found] = files_below(root, out)
        self.videos = sorted(path for path in self.files if Path(path).suffix.lower() in VIDEO_EXTENSIONS)

    def rows(self) -> Iterator[Row]:
        """(path, fields, clip) of every video that the data set has, there or not."""
        if self.recipe.manifest:
            yield from self._listed(self.recipe.manifest)
            return
        for path in self.videos:
            if not _matches(self.recipe.ignore, path):
                matches = (pattern.match(path) for pattern in self.recipe.videos)
                fields = next((match for match in matches if match is not None), None)
                if fields is not None:
                    yield path, fields, None

    def _listed(self, manifest: Manifest) -> Iterator[Row]:
        lists = {path: fields for path in sorted(self.files) if (fields := manifest.files.match(path)) is not None}
        if not lists:
            remedy = f"put it there. {self.recipe.source}".rstrip(". ")
            raise S2DError(self.asked, f"its manifest {manifest.files.text} is missing", remedy)
        for path, of_file in lists.items():
            yield from self._rows_of(manifest, path, of_file)

    def _rows_of(self, manifest: Manifest, path: str, of_file: Mapping[str, str]) -> Iterator[Row]:
        try:
            for row in manifest.rows(self._text(path)):
                fields = {**of_file, **row}
                yield self.recipe.videos[0].fill(fields), fields, manifest.clip(fields)
        except KeyError as error:
            raise self._broken(path, f"a row has no field {error}") from error
        except ValueError as error:
            raise self._broken(path, str(error)) from error

    def _text(self, path: str) -> str:
        try:
            with reaching(self.root), (self.root / path).open("rb") as file:
                return file.read().decode("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise S2DError(self.asked, f"{path}: {error}", "fetch it again") from error

    def _broken(self, path: str, why: str) -> S2DError:
        return S2DError(self.asked, f"its manifest {path} is not as published: {why}", "fetch it again")

    def lines(self, path: str) -> list[str]:
        """The lines of a list file, without empty ones."""
        return [line.strip() for line in self._text(path).splitlines() if line.strip()]

    def source(
        self, path: str, fields: Mapping[str, str], clip: Clip | None, side: Callable[[Mapping[str, str]], str | None]
    ) -> Source:
        """The video as a source, with identity and split."""
        identity = self._identity(path, fields)
        try:
            split = side({**fields, "identity": identity})
        except KeyError as error:
            raise S2DError(self.asked, f"{path}: its split is called {error}", "add that to split.names") from error
        name = f"{self.recipe.name}/{path}" + (f"#{clip.label}" if clip else "")
        if path in self.files:
            source = source_of(self.files[path], name, identity)
        else:
            settled = ("failed", MISSING, f"the recipe {self.recipe.name} lists it, but there is no such file")
            source = Source(name, str(self.root / path), identity, 0, 0, settled=settled)
        return replace(source, split=split, clip=clip)

    def _identity(self, path: str, fields: Mapping[str, str]) -> str:
        try:
            return self.recipe.identity.value(fields)
        except KeyError as error:
            raise S2DError(
                self.asked, f"{path}: nothing gives its field {error}", "see identity in the recipe"
            ) from error
        except ValueError as error:
            raise S2DError(self.asked, f"{path}: {error}", "give another identity.match in the recipe") from error


def _matches(patterns: tuple[Pattern, ...], path: str) -> bool:
    return any(pattern.match(path) is not None for pattern in patterns)
