"""Recipes: operations in a row, written in TOML, recorded, resumable at any moment, and replayed from a history."""

from __future__ import annotations

from ..blocks import code_key
from ._foresee import foresee
from ._recipe import Recipe, RecipeStep, find_step, load_recipe, replay
from ._run import Finished, Planned, Run, plan, run_recipe
from ._store import StepFile, Store

__all__ = [
    "Finished",
    "Planned",
    "Recipe",
    "RecipeStep",
    "Run",
    "StepFile",
    "Store",
    "code_key",
    "find_step",
    "foresee",
    "load_recipe",
    "plan",
    "replay",
    "run_recipe",
]
