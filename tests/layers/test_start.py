"""A command loads what it needs and nothing else: the help comes at once, a conversion does not load the forest."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
import typer

from fijibridge.cli import app
from fijibridge.io import write_volume
from fijibridge.volume import make_volume

HEAVY = {
    "dask",
    "fastapi",
    "jpype",
    "matplotlib",
    "numba",
    "pandas",
    "scipy",
    "skimage",
    "sklearn",
    "uvicorn",
    "xarray",
}
#: Runs command lines one after the other in one program, and tells which modules it then holds.
CHILD = """
import json, sys
from fijibridge.cli import main
for words in json.loads(sys.argv[1]):
    sys.argv = ["fijibridge", *words]
    try:
        main()
    except SystemExit as stopped:
        assert not stopped.code, words
print("MODULES " + json.dumps(sorted(sys.modules)))
"""


def loaded(lines):
    """Give the heavy modules that a fresh program holds after these command lines, and what it printed."""
    order = [sys.executable, "-c", CHILD, json.dumps(lines)]
    done = subprocess.run(order, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    said, _, modules = done.stdout.rpartition("MODULES ")
    return HEAVY & set(json.loads(modules)), said


def commands(group, path=()):
    """Walk the words of every command."""
    for name, command in getattr(group, "commands", {}).items():
        yield [*path, name]
        yield from commands(command, (*path, name))


def test_the_help_of_every_command_comes_without_a_heavy_library():
    """Somebody who looks for an option does not wait for matplotlib and numba to load."""
    lines = [[*words, "--help"] for words in commands(typer.main.get_command(app))]
    assert ["macro", "run", "--help"] in lines
    heavy, said = loaded([["--help"], ["--version"], *lines])
    assert said.count("Usage:") == len(lines) + 1
    assert not heavy


@pytest.mark.parametrize(
    "words",
    [
        ["convert", "grey.tif", "copy.nrrd"],
        ["segment", "grey.tif", "-o", "labels.tif"],
        ["macro", "run", "smooth.ijm", "grey.tif", "sigma=1"],
    ],
    ids=["convert", "segment", "macro run"],
)
def test_a_command_loads_no_library_of_another(tmp_path, monkeypatch, words):
    """Neither a conversion nor a threshold nor a macro trains, serves or draws; Java runs in a process of its own."""
    monkeypatch.chdir(tmp_path)
    write_volume(make_volume(np.arange(4 * 8 * 8, dtype=np.uint8).reshape(4, 8, 8)), tmp_path / "grey.tif")
    heavy, _ = loaded([words])
    assert "xarray" in heavy
    assert not heavy & {"fastapi", "jpype", "matplotlib", "skimage", "sklearn", "uvicorn"}
