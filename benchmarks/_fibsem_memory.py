"""Peak memory of aligning and decurtaining, ours and the peers', each method in a process of its own."""

from __future__ import annotations

import ctypes
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
from _fibsem_common import installed, report

METHODS = {
    "fijibridge align": "fijibridge",
    "scikit-image, plain, chained": "skimage",
    "pystackreg, chained": "pystackreg",
    "fijibridge decurtain": "fijibridge",
    "pyvsnr": "pyvsnr",
    "pystack3d wavelets": "pystack3d",
    "pystripe": "pystripe",
}


def bench_memory(shape: tuple[int, int, int]) -> None:
    """Start a process for each method; what it held before the stack was worked on is taken off."""
    size = "x".join(map(str, shape)) + " uint8, memory"
    print(f"\nPeak memory over the start, {size}")
    for name, module in METHODS.items():
        if installed(module):
            command = [sys.executable, __file__, name, *map(str, shape)]
            run = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parent)
            report(name, size, peak=(float(run.stdout.split()[-1]), "MB"))


def _work(name: str, stack: np.ndarray) -> None:
    # Imported here: each process holds the method that it measures, not all of them.
    import _fibsem_curtains as curtains
    import fibsem

    from fijibridge.ops import decurtain, estimate_shifts
    from fijibridge.volume import make_volume

    filters = {
        "pyvsnr": lambda image: curtains._pyvsnr(image, 2, ((1, 100),)),
        "pystack3d wavelets": lambda image: curtains._pystack3d(image, "db10", 3, 1),
        "pystripe": lambda image: curtains._pystripe(image, 16, 0),
    }
    if name == "fijibridge align":
        estimate_shifts(make_volume(stack), trend="remove")
    elif name == "fijibridge decurtain":
        decurtain(make_volume(stack))
    elif name in filters:
        np.stack([filters[name](image) for image in stack.astype(np.float32)])
    elif name.startswith("pystackreg"):
        fibsem.pystackreg_shifts(stack)
    else:
        fibsem.skimage_shifts(stack, None)


def _memory(line: str) -> float:
    # Not getrusage: that counts the parent process as well.
    return int(re.search(rf"{line}:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024


def main() -> None:
    from dataclasses import replace

    from _fibsem_curtains import STILL

    from fijibridge.phantom.fibsem import make_fibsem

    name, shape = sys.argv[1], tuple(map(int, sys.argv[2:5]))
    small = make_fibsem((4, 128, 128), seed=2, defects=replace(STILL, drift=1.0)).volume.data
    _work(name, small)  # compiles and imports
    streaky = make_fibsem((4, *shape[1:]), seed=2, defects=replace(STILL, drift=1.0)).volume.data
    stack = np.concatenate([streaky] * (shape[0] // 4))
    # What making the stack left in the heap is given back, and the peak so far forgotten.
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    start = _memory("VmRSS")
    _work(name, stack)
    print(_memory("VmHWM") - start)


if __name__ == "__main__":
    main()
