"""Prepare a stack by a recipe: run it, leave the volume, the full recipe, and a report of what was done."""

from __future__ import annotations

from .output import Prepared, prepare, step_records, steps_folder

__all__ = ["Prepared", "prepare", "step_records", "steps_folder"]
