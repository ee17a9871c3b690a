"""The same macro on the same voxels gives the same bytes, whatever ran before it in the same worker."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from fijibridge.errors import EngineFailedError
from fijibridge.fiji import Fiji
from fijibridge.volume import make_volume

#: Depends on about everything that ImageJ keeps between commands.
CAREFUL = """
run("Set Measurements...", "area mean min redirect=None decimal=3");
run("Gaussian Blur 3D...", "y=1 z=1");
run("Add Noise", "slice");
newImage("made", "8-bit ramp", 40, 30, 2);
run("Add Specified Noise...", "slice");
setColor(200);
fillRect(3, 3, 5, 5);
makeRectangle(10, 10, 9, 9);
run("Fill", "slice");
run("Draw", "slice");
run("Measure");
run("Select None");
run("Duplicate...", "title=mask");
run("Convert to Mask");
run("Fill Holes");
run("Erode");
print(random() + " " + random("gaussian"));
print(nImages + " " + nResults + " " + roiManager("count") + " " + getDirectory("current"));
print(getValue("color.foreground") + " " + getValue("color.background") + " " + is("binary"));
print(call("java.lang.System.getProperty", "left.behind") + " " + d2s(1.5, 3) + " " + getValue("font.size"));
setJustification("left"); setLineWidth(1);
"""

#: Each leaves something behind on purpose.
DIRTY = {
    "preferences": 'run("Options...", "iterations=7 count=3 pad edm=32-bit"); setOption("BlackBackground", false);',
    "colours": 'run("Colors...", "foreground=red background=blue selection=green"); setForegroundColor(1, 2, 3);',
    "measurements": 'run("Set Measurements...", "area integrated median skewness limit display decimal=9");',
    "images": 'newImage("made", "RGB black", 9, 9, 5); newImage("mask", "32-bit", 9, 9, 2); makeOval(1, 1, 5, 5);',
    "results": 'setResult("Other", 0, 1); updateResults(); newImage("x", "8-bit ramp", 9, 9, 1); run("Measure");',
    "rois": 'newImage("x", "8-bit ramp", 9, 9, 1); makeLine(1, 1, 5, 5); roiManager("add"); roiManager("add");',
    "overlay": 'makeRectangle(1, 1, 2, 2); run("Add Selection..."); run("Set Scale...", "distance=2 known=1 global");',
    "dialogs": 'run("Gaussian Blur 3D...", "x=9 y=9 z=9"); run("Add Specified Noise...", "slice standard=99");',
    "seed": 'random("seed", 77); x = random(); run("Add Noise", "stack");',
    "tools": 'setTool("oval"); run("Line Width...", "line=9"); setFont("Serif", 40); setJustification("right");',
    "properties": 'call("java.lang.System.setProperty", "left.behind", "yes"); call("ij.Prefs.set", "a.b", "c");',
    "folder": 'File.setDefaultDir("/"); call("ij.io.OpenDialog.setDefaultDirectory", "/usr/");',
    "options": 'setOption("ExpandableArrays", true); setOption("InvertY", true); setOption("DebugMode", false);',
    "failure": 'newImage("made", "8-bit ramp", 9, 9, 1); run("No Such Command");',
    "thresholds": 'setAutoThreshold("Otsu dark"); run("Threshold...");  // fails',
    "keys": 'setKeyDown("shift alt");',
}


def fingerprint(fiji: Fiji) -> str:
    """All that the careful macro gives, as one hash."""
    ramp = (np.arange(4 * 30 * 40, dtype=np.uint16) * 13).reshape(4, 30, 40)
    result = fiji.run_macro(CAREFUL, make_volume(ramp))
    digest = hashlib.sha256()
    for title, image in result.images.items():
        digest.update(title.encode())
        digest.update(np.ascontiguousarray(image.data).tobytes())
        digest.update(str(image.attrs["imagej"]).encode())
    digest.update(result.log.encode())
    digest.update(result.table.to_csv().encode())
    return digest.hexdigest()


def soil(fiji: Fiji, name: str) -> None:
    """Run a macro that leaves something behind; whether it fails does not matter."""
    volume = make_volume(np.arange(200, dtype=np.uint8).reshape(2, 10, 10))
    try:
        fiji.run_macro(DIRTY[name], volume)
    except EngineFailedError:
        return


@pytest.fixture(scope="module")
def first(fiji) -> str:
    """The hash from a worker that has done nothing else."""
    with Fiji("embedded", workers=1, heap="256m") as fresh:
        return fingerprint(fresh)


@pytest.mark.parametrize("name", sorted(DIRTY))
def test_nothing_is_left_of_a_macro_that_leaves_things_behind(fiji, first, name):
    """A result that depends on what ran before cannot be repeated."""
    soil(fiji, name)
    assert fingerprint(fiji) == first


def test_a_hundred_runs_after_all_of_them_in_turn_give_the_same_bytes(fiji, first):
    """Small leftovers would add up."""
    names = sorted(DIRTY)
    for number in range(100):
        soil(fiji, names[number % len(names)])
        assert fingerprint(fiji) == first, f"run {number}, after {names[number % len(names)]}"


def test_a_plugin_keeps_nothing_from_one_job_to_the_next(reckless):
    """Plugins are loaded anew for each job, so their static fields are too."""
    counts = {reckless.run("Count Runs").log.strip() for _ in range(3)}
    assert counts == {"1"}


def test_voxels_of_one_job_never_show_up_in_another(fiji):
    """Java arrays are used again; every voxel must be written."""
    fiji.run_macro("", make_volume(np.full((3, 256, 256), 255, np.uint8)))
    assert fiji.run_macro('newImage("n", "8-bit black", 256, 256, 3);').image.data.max() == 0
    assert fiji.run_macro("", make_volume(np.zeros((3, 256, 256), np.uint8))).image.data.max() == 0
