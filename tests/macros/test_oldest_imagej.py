"""Every command of the menu in ImageJ 1.53t, the oldest that the README promises."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from imagej_window import MENU, make_imagej

from fijibridge import Fiji, ops
from fijibridge.errors import EngineMissingError
from fijibridge.fiji._jars import Jar, _check, _fetch
from fijibridge.io import write_volume
from fijibridge.settings import load_settings
from fijibridge.volume import make_volume, voxel_size

OLDEST = Jar("net.imagej", "ij", "1.53t", "c04c94af9064e06d1c9bca7a331ebbac821fec24aa8bac5a8ec7cbb893b9e503")
PAINTED = """
for (k = 0; k < 2; k++) {
    makeRectangle(2 + 26 * k, 2, 10, 44);
    run("Paint labels", "action=class_" + (2 - k));
}
"""
#: What a command needs before it.
BEFORE = {"Compare two segmentations": 'run("Threshold S1-S3", "method=Otsu s1 s3");'}
#: What runs each command on a stack of two materials, and the images that it opens.
COMMANDS = {
    "Align FIB-SEM stack": ('"trend=remove"', ["a-aligned"]),
    "Compare two segmentations": ('"first=a-S1 second=a-S3"', ["a-S1", "a-S3", "a-S1-minus-a-S3"]),
    "Decurtain": ('"method=auto measured"', ["a-decurtained"]),
    "Paint labels": ('"action=coverage"', []),
    "Prepare from recipe...": ('"recipe=[FOLDER/my recipe #1.toml] output=[FOLDER/out]"', ["prepared.tif"]),
    "Run study...": ('"study=[FOLDER/my study #1.toml] output=[FOLDER/out]"', []),
    "Segment stack with forest": ('"model=painted trees=5"', ["a-segmented"]),
    "Threshold S1-S3": ('"method=Otsu s1 s2 s3"', ["a-S1", "a-S2", "a-S3"]),
    "Train forest and preview this slice": ('"trees=5 show=image"', ["fijibridge-preview"]),
    "Watershed (generous, conservative)": ('"seeds=generous"', ["a-gWS"]),
    "fijibridge status": ('"action=show"', []),
}


@pytest.fixture(scope="module")
def jar() -> Path:
    """Give the ij.jar of 1.53t, fetched once into the cache beside the embedded ImageJ."""
    folder = load_settings().cache / "imagej-1.53t"
    try:
        if not (folder / OLDEST.filename).is_file():
            _fetch([OLDEST], folder)
        _check(folder / OLDEST.filename, OLDEST, folder)
    except EngineMissingError as error:
        pytest.skip(f"ImageJ 1.53t is not on this machine: {error}")
    return folder / OLDEST.filename


@pytest.fixture(scope="module")
def place(place: Path) -> Path:
    """Give the folder with a recipe in it, and a place for results."""
    (place / "out").mkdir()
    (place / "my recipe #1.toml").write_text('input = "raw.tif"\n[[step]]\noperation = "smooth"\n', "utf-8")
    return place


@pytest.fixture(scope="module")
def oldest(place: Path, jar: Path) -> Iterator[Fiji]:
    """Give an ImageJ 1.53t with the menu."""
    with Fiji(make_imagej(place / "Image J", jar), workers=1, timeout_s=120) as fiji:
        assert fiji.version == "1.53t"
        yield fiji


@pytest.fixture(scope="module")
def stack(place: Path):
    """Two materials, dark and bright halves, no grey value in between."""
    grey = np.random.default_rng(0).integers(30, 50, (3, 48, 48), np.uint8)
    grey[:, :, 24:] += 150
    volume = make_volume(grey, spacing=(30, 10, 10))
    write_volume(volume, place / "raw.tif")
    return volume


def test_every_command_is_tried():
    """A command that is new is tried in the oldest ImageJ as well."""
    assert sorted([*COMMANDS, "Without Python"]) == MENU


@pytest.mark.parametrize("command", COMMANDS)
def test_command_runs_in_the_oldest_imagej(oldest, place, stack, command):
    """Its results are open, with the calibration of the stack, which is as it was."""
    options, titles = COMMANDS[command]
    options = options.replace("FOLDER", str(place))
    first = f'rename("a.tif"); id = getImageID(); {PAINTED} selectImage(id); {BEFORE.get(command, "")}'
    made = oldest.run_macro(f'{first} run("{command}", {options});', stack)
    assert sorted(made.images) == sorted(["a.tif", *titles])
    assert np.array_equal(made.images["a.tif"].data, stack.data)
    for title in titles:
        assert voxel_size(made.images[title]) == voxel_size(stack)


def test_otsu_parts_at_the_level_of_newer_versions(oldest, stack):
    """Any level between two peaks is as good; before 1.54g ImageJ gave the highest of them."""
    level = ops.automatic_threshold(stack, method="otsu")
    made = oldest.run_macro("threshold.ijm", stack, method="Otsu")
    assert float(made.returned) == level + 1
