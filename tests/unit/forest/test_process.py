"""What only a process of its own can show: peak memory, and what an import brings along."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fijibridge.forest import save_forest

_PREDICT = """
import re, sys
from pathlib import Path
import numpy as np
from fijibridge.forest import load_forest
from fijibridge.volume import make_volume

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024

folder, shape = sys.argv[1], (100, 260, 260)
forest = load_forest(folder + "/f.fbforest")
forest.predict(make_volume(np.zeros((8, 8, 8), np.uint8), spacing=(10, 10, 10)))
start = peak()
grey = np.memmap(folder + "/grey", np.uint8, "r", shape=shape)
out = np.memmap(folder + "/out", np.uint8, "w+", shape=shape)
forest.predict(make_volume(grey, spacing=(10, 10, 10)), out=out, threads=2)
print(peak() - start)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
def test_predicting_a_large_file_takes_no_more_than_300_mb(forest, tmp_path):
    """All 61 features of this volume would be 1.6 GB; input and output stay in their files."""
    save_forest(forest, tmp_path / "f.fbforest")
    np.random.default_rng(0).integers(0, 256, 100 * 260 * 260, np.uint8).tofile(tmp_path / "grey")
    run = subprocess.run(
        [sys.executable, "-c", _PREDICT, str(tmp_path)], capture_output=True, text=True, check=True, timeout=300
    )
    assert float(run.stdout) < 300
    assert len(np.unique(np.fromfile(tmp_path / "out", np.uint8))) == 2


def test_a_program_that_only_predicts_does_not_load_scikit_learn():
    """Its import takes longer than predicting a small volume."""
    code = (
        "import sys, fijibridge.forest; print('sklearn' in sys.modules, 'h5py' in sys.modules, 'onnx' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", "False", "False"]
