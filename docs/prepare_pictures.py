"""Make the pictures of the guide *Prepare a FIB-SEM stack* from a real run: ``python docs/prepare_pictures.py``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

import fijibridge as fb
from fijibridge.prepare import figures, prepare
from fijibridge.volume import history

IMAGES = Path(__file__).parent / "images"
RECIPE = """input = "stack.tif"
[[step]]
operation = "align"
trend = "remove"
[[step]]
operation = "crop"
[[step]]
operation = "decurtain"
[[step]]
operation = "even_out"
"""


def main() -> None:
    """Simulate a stack, prepare it, and draw what the report draws of it; print how well the shifts were found."""
    made = fb.make_fibsem((96, 288, 288), diameter_um=2.4, seed=6)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fb.write_volume(made.volume, folder / "stack.tif")
        (folder / "recipe.toml").write_text(RECIPE, encoding="utf-8")
        out = Path(sys.argv[1]) if len(sys.argv) > 1 else folder / "out"
        found = prepare(fb.load_recipe(folder / "recipe.toml"), out, command="python docs/prepare_pictures.py")
        shifts = fb.read_shifts(found.transforms[0])
        planes = figures.orthoslices(found.run.before, found.run.after)
        planes.savefig(IMAGES / "prepare_planes.png", dpi=60, pil_kwargs={"optimize": True})
        step = history(found.run.after)[1]["operation"]
        figures.shifts([(f"Step 1 ({step})", shifts.shifts)]).savefig(IMAGES / "prepare_shifts.png", dpi=80)
    good = ~made.outliers & ~shifts.outliers
    steps = np.diff(shifts.shifts - made.shifts, axis=0)[good[1:] & good[:-1]]
    error, flagged = np.sqrt(np.mean(steps**2)), int(shifts.outliers.sum())
    sys.stdout.write(f"slice-to-slice error {error:.3f} px, {flagged} slices flagged\n")


if __name__ == "__main__":
    main()
