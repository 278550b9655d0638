"""What `s2d curate --recipe` adds: its options, and what it says of the data set beside the outcomes."""

from __future__ import annotations

import argparse
import shlex
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

    from s2d.curation.pipeline import Summary
    from s2d.curation.recipes import Plan
    from s2d.errors import UsageError

NAMED = 5  # missing and unknown files that are named


def add_recipe_arguments(parser: argparse.ArgumentParser) -> None:
    """`--recipe` and `--root`."""
    group = parser.add_argument_group("public data sets", "identities, splits and clips as they were published")
    group.add_argument("--recipe", metavar="NAME|FILE", help="built-in recipe, or a .yaml file of your own")
    group.add_argument("--root", metavar="DIR", help="folder of that data set, laid out as the recipe says")
    group.add_argument("--list-recipes", nargs=0, action=_ListRecipes, help="list the built-in recipes, and exit")


class _ListRecipes(argparse.Action):
    """Like --help: prints, and ends the program."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from s2d.cli.output import emit, table
        from s2d.curation.recipes import built_in, load_recipe

        recipes = [load_recipe(path) for path in built_in().values()]
        rows = [(recipe.name, recipe.about["title"], recipe.source) for recipe in recipes]
        emit({}, [table("Recipes", ("name", "data set", "how to get it"), rows)], as_json=False)
        parser.exit()


def check_inputs(args: argparse.Namespace) -> None:
    """Either inputs, or a recipe and its root; raises UsageError."""
    from s2d.errors import UsageError

    if args.recipe is not None and (args.root is None or args.inputs):
        raise _without_root(args)
    if args.root is not None and args.recipe is None:
        raise UsageError("cannot use --root", "it is the folder of a recipe", "add --recipe, see --list-recipes")
    if not args.recipe and not args.inputs:
        why, remedy = "no video or folder is given", f"s2d curate FOLDER --out {args.out}"
        raise UsageError("cannot tell what to curate", why, f"{remedy}, or --recipe for a public data set")


def _without_root(args: argparse.Namespace) -> UsageError:
    """What the recipe's folder must look like, where it comes from, and how to give it."""
    from s2d.curation.recipes import load_recipe
    from s2d.errors import UsageError

    recipe = load_recipe(args.recipe)
    folder = args.root or (args.inputs[0] if len(args.inputs) == 1 else "FOLDER")
    command = f"s2d curate --recipe {args.recipe} --root {shlex.quote(folder)} --out {shlex.quote(args.out)}"
    why = "it needs its folder as --root, and no other inputs" if args.inputs else "it needs its folder as --root"
    how = f". To get them: {recipe.source}" if recipe.source else ""
    return UsageError(f"cannot use the recipe {recipe.name}", f"{why}, where {recipe.layout}{how}", f"then: {command}")


def described(plan: Plan, summary: Summary) -> dict[str, Any]:
    """Counts of the data set as plain values: expected and found, missing, unknown, by split."""
    videos = summary.videos
    there = videos[videos.reason != "missing"]
    found = {**plan.found, "hours": float(there.seconds.fillna(0).sum() / 3600)}
    splits = videos.assign(split=videos.split.astype(object).where(videos.split.notna(), None))
    return {
        "name": plan.recipe.name,
        "licence": plan.recipe.about["licence"],
        "expected": {**plan.recipe.expected, "source": plan.recipe.about["source"]},
        "found": found,
        "missing": plan.missing,
        "unknown": plan.unknown,
        "splits": [
            {"split": name, "videos": len(rows), "identities": int(rows.identity.nunique())}
            for name, rows in splits.groupby("split", dropna=False)
        ],
    }


def recipe_tables(said: dict[str, Any]) -> list[Table | str]:
    """The same for people."""
    from s2d.cli.output import table

    expected, found = said["expected"], said["found"]
    rows = [(name, expected.get(name, "not published"), value) for name, value in found.items()]
    splits = [(row["split"] or "none", row["videos"], row["identities"]) for row in said["splits"]]
    shown: list[Table | str] = [
        table(said["name"], ("", "expected", "found"), rows),
        table("Splits", ("split", "videos", "identities"), splits),
    ]
    if said["missing"]:
        shown.append(f"{len(said['missing'])} are listed but have no file: {_first(said['missing'])}")
    if said["unknown"]:
        shown.append(f"{len(said['unknown'])} video files are unknown to the recipe: {_first(said['unknown'])}")
    return shown


def _first(names: list[str]) -> str:
    return ", ".join(names[:NAMED]) + (", ..." if len(names) > NAMED else "")
