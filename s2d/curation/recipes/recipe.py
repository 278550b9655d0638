"""The keys of a recipe, and where recipes are found.

    name, title, paper, homepage, licence, how_to_get, notes    for people
    expected    videos (rows of the videos table), identities, hours: what is published; source: where
    videos      pattern, or list of patterns, of the video files below the root
    ignore      patterns of video files that are something else
    manifest    how the data set lists its videos, or clips of them, see `manifest.py`
    identity    the field that names the person, or {of: FIELD, match: REGULAR EXPRESSION with one group}
    split       see `split.py`
    filters     limits such as min_face_px, which options of the command override

Fields come from the pattern of the video or of the manifest, and from the manifest's columns.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from s2d.curation.recipes.keys import Keys
from s2d.curation.recipes.manifest import Manifest, read_manifest
from s2d.curation.recipes.pattern import Pattern
from s2d.curation.recipes.split import SplitRule, read_split
from s2d.errors import S2DError, UsageError

KEYS = (
    "name", "title", "paper", "homepage", "licence", "how_to_get", "notes", "expected", "videos", "ignore", "manifest",
    "identity", "split", "filters",
)  # fmt: skip
COUNTS = ("videos", "identities", "hours")


@dataclass(frozen=True)
class Derived:
    """The identity: a field, or what the one group of `match` finds at its beginning."""

    of: str
    match: str = "(.+)"

    def value(self, fields: Mapping[str, str]) -> str:
        """The identity; raises KeyError without the field, ValueError where `match` does not fit."""
        found = re.match(self.match, fields[self.of])
        if not found or not found[1]:
            raise ValueError(f"{self.of} is {fields[self.of]!r}, which {self.match} does not fit")
        return found[1]


@dataclass(frozen=True)
class Recipe:
    """A public data set, as its recipe describes it."""

    name: str
    about: Mapping[str, str]
    """title, paper, homepage, licence, how_to_get, notes and the source of `expected`; empty where not given."""
    expected: Mapping[str, float]
    """Published numbers of COUNTS; only those that are known."""
    videos: tuple[Pattern, ...]
    ignore: tuple[Pattern, ...]
    manifest: Manifest | None
    identity: Derived
    split: SplitRule
    filters: Mapping[str, Any]

    @property
    def layout(self) -> str:
        """Where its files are below the root, in a few words."""
        videos = " or ".join(pattern.text for pattern in self.videos)
        return f"its videos are at {videos}" + (f", listed in {self.manifest.files.text}" if self.manifest else "")

    @property
    def source(self) -> str:
        """Where its files come from, without a full stop at the end; empty where the recipe does not say."""
        homepage = f" (homepage: {self.about['homepage']})" if self.about["homepage"] else ""
        return self.about["how_to_get"].rstrip(".") + homepage


def built_in() -> dict[str, Path]:
    """The recipes that come with s2d, by name: from the package, or from the checkout it runs from."""
    package = Path(__file__).parents[2]
    folders = (package / "datasets", package.parent / "datasets")
    return {path.stem: path for folder in folders for path in sorted(folder.glob("*.yaml"))}


def load_recipe(given: str | Path) -> Recipe:
    """A recipe by the name of a built-in one, or by the path of its file.

    Raises S2DError naming the key that is wrong, UsageError for a name that is neither.
    """
    path = Path(given) if Path(given).suffix in (".yaml", ".yml") else built_in().get(str(given))
    if path is None:
        known = ", ".join(sorted(built_in())) or "none"
        raise UsageError(
            f"cannot use the recipe {given}", "it is not built in", f"give a .yaml file, or one of {known}"
        )
    return read_recipe(_load_yaml(path), str(given))


def _load_yaml(path: Path) -> object:
    asked = f"cannot use the recipe {path}"
    try:
        return yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise S2DError(asked, error.strerror or str(error), "check the path") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise S2DError(asked, f"it is no YAML: {error}", "mend that line") from error


def read_recipe(values: object, file: str) -> Recipe:
    """A recipe from what its YAML holds; `file` names it in errors. Raises S2DError naming the wrong key."""
    if not isinstance(values, Mapping):
        raise S2DError(f"cannot use the recipe {file}", "it is no mapping of keys", f"start with {', '.join(KEYS[:3])}")
    keys = Keys(values, file)
    keys.only(*KEYS)
    expected = keys.below("expected")
    if expected:
        expected.only(*COUNTS, "source")
    about = {key: keys.text(key, "") for key in KEYS[1:7]} | {"source": expected.text("source") if expected else ""}
    manifest, split = read_manifest(keys.below("manifest")), read_split(keys.below("split"))
    filters = keys.below("filters")
    recipe = Recipe(
        name=keys.text("name"),
        about=about,
        expected={key: number for key in COUNTS if (number := expected.number(key)) is not None} if expected else {},
        videos=tuple(map(Pattern, keys.texts("videos"))),
        ignore=tuple(map(Pattern, keys.texts("ignore", []))),
        manifest=manifest,
        identity=_derived(keys),
        split=split,
        filters=filters.values if filters else {},
    )
    _check(recipe, keys)
    return recipe


def _derived(keys: Keys) -> Derived:
    if not isinstance(keys.values.get("identity"), Mapping):
        return Derived(keys.text("identity"))
    below = keys.below("identity") or keys
    below.only("of", "match")
    match = below.text("match")
    try:
        groups = re.compile(match).groups
    except re.error as error:
        raise below.wrong("match", f"no regular expression: {error}", "mend it") from error
    if groups != 1:
        raise below.wrong("match", f"{match!r} has {groups} groups", "put the identity, and only it, in ( )")
    return Derived(below.text("of"), match)


def _check(recipe: Recipe, keys: Keys) -> None:
    """What is wrong between keys: a field that nothing gives, a pattern that a manifest cannot fill."""
    manifest = recipe.manifest
    if manifest and (len(recipe.videos) != 1 or "*" in recipe.videos[0].text):
        raise keys.wrong("videos", "a manifest needs one pattern without *", "name the fields of the manifest in it")
    if manifest and manifest.format != "text":
        return  # its columns are known when it is read
    rows = [*manifest.files.fields, *(name.rstrip("*") for name in manifest.columns)] if manifest else None
    for pattern in recipe.videos:
        given = pattern.fields if rows is None else rows
        wanted = {"identity": recipe.identity.of} | ({"split.of": recipe.split.of} if recipe.split.names else {})
        wanted |= {f"videos {name}": name for name in pattern.fields} if rows is not None else {}
        for key, name in wanted.items():
            if name not in given:
                raise keys.wrong(key, f"there is no field {name!r}", f"the fields are {', '.join(given) or 'none'}")
