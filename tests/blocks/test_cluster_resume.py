"""A run on two processes whose main program is killed half-way: nothing is left behind, and it goes on where it was."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import numpy as np

import fijibridge as fb
from fijibridge.blocks import apply_blocks

_PARAMETERS = {"sigma": 1.5, "memory": 2 * 52_000_000}
_RUN = """
import os, signal, sys
from fijibridge.blocks import apply_blocks

def die_half_way(share):
    if share > 0.5:
        os.kill(os.getpid(), signal.SIGKILL)

if __name__ == "__main__":
    source, out, memory, sigma = sys.argv[1:]
    apply_blocks("smooth", source, out, memory=int(memory), sigma=float(sigma), scheduler="processes", workers=2,
                 progress=die_half_way)
"""


def test_a_run_whose_program_is_killed_goes_on_at_the_missing_chunks(tmp_path, left_over, chunks_in):
    """What days of work have written must neither be lost nor be done again."""
    rng = np.random.default_rng(8)
    grey = fb.make_volume(rng.integers(0, 255, (120, 48, 48), np.uint8), spacing=(9, 9, 9), units="nm")
    source, out, script = tmp_path / "stack.tif", tmp_path / "smooth.zarr", tmp_path / "run.py"
    fb.write_volume(grey, source)
    script.write_text(_RUN, encoding="utf-8")
    given = [str(source), str(out), str(_PARAMETERS["memory"]), str(_PARAMETERS["sigma"])]
    ended = subprocess.run([sys.executable, str(script), *given], capture_output=True, check=False,
                           env={**os.environ, "FIJIBRIDGE_TEST_RUN": str(script)})  # fmt: skip
    assert ended.returncode == -signal.SIGKILL
    assert not out.exists()
    assert not left_over(script)

    site = next(tmp_path.glob(".smooth.zarr.*.blocks"))
    receipts = (site / "ledger.jsonl").read_text(encoding="utf-8").splitlines()
    before = chunks_in(site / "result.zarr" / "0" / "c")
    assert 0 < len(receipts) < 4
    made = apply_blocks("smooth", source, out, scheduler="processes", workers=2, **_PARAMETERS)
    after = chunks_in(out / "0" / "c")
    assert np.asarray(made.data).tobytes() == fb.smooth(grey, sigma=1.5).data.tobytes()
    assert sum(after[name] == written for name, written in before.items()) >= len(receipts)
    assert len(after) == 4
    assert not list(tmp_path.glob(".smooth.zarr.*"))
