"""The public names are a promise: adding one is a decision, losing one breaks somebody's script."""

from __future__ import annotations

import ast
from pathlib import Path

import fijibridge as fb

PUBLIC = [
    "Client", "Comparison", "Defects", "Fiji", "FijibridgeError", "Forest", "MacroResult", "Shifts", "Volume",
    "VoxelSize", "__version__",
    "align", "apply_shifts", "automatic_threshold", "compare", "crop", "decurtain", "estimate_shifts",
    "even_out", "fill_pores", "find_curtains", "load_forest", "load_recipe", "make_electrode", "make_fibsem",
    "make_volume", "operations", "read_shifts", "read_volume", "register", "resample", "run_recipe", "same_grid",
    "save_forest", "shear", "smooth", "threshold", "train", "voxel_size", "watershed", "with_data", "write_shifts",
    "write_volume",
]  # fmt: skip


def test_public_names_are_these_and_all_load():
    """Each name is there and comes from where the table says."""
    assert sorted(fb.__all__) == PUBLIC
    assert all(getattr(fb, name) is not None for name in PUBLIC)


def test_type_checkers_see_the_same_names():
    """The lazy table and the imports for type checkers are two lists of one thing."""
    tree = ast.parse(Path(fb.__file__).read_text(encoding="utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    typed = {
        f"{node.module}.{alias.name}" for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert typed == {f"{home}.{name}" for home, names in fb._HOMES.items() for name in names}


def test_every_operation_of_the_table_is_public():
    """A recipe step must also be a function that a script can call."""
    missing = [name for name, operation in fb.operations().items() if getattr(fb, name, None) is not operation]
    assert not missing
