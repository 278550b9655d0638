"""Recipes: what a public data set looks like on disk, who is in it, and which split was published.

A recipe is a YAML file, see `recipe.py` for its keys and datasets/ for those that come with s2d. To add one: write
datasets/NAME.yaml, and in tests/curation/recipes/test_built_in.py the tree that it describes.
"""

from s2d.curation.recipes.plan import MISSING, Plan, plan_recipe
from s2d.curation.recipes.recipe import Recipe, built_in, load_recipe

__all__ = ["MISSING", "Plan", "Recipe", "built_in", "load_recipe", "plan_recipe"]
