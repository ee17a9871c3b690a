"""Zeiss Xradia files with any bytes wrong: the right voxels' shape or one sentence, in bounded time and memory."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from fijibridge.io import read_volume

SMALL = (np.arange(3 * 40 * 60) * 37 % 60000).astype(np.uint16).reshape(3, 40, 60)
_FREE, _END, _FAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD


def _entry(
    name: str, kind: int, *, left: int = _FREE, right: int = _FREE, child: int = _FREE, start: int = 0, size: int = 0
):
    text = name.encode("utf-16-le") + b"\0\0"
    links = struct.pack("<HBB3I", len(text), kind, 1, left, right, child)
    return text.ljust(64, b"\0") + links + bytes(36) + struct.pack("<IQ", start, size)


def _ole(folders: dict[str, dict[str, bytes]]) -> bytes:
    """Pack streams as a compound file does (version 3, sectors of 512 bytes), with streams of 4096 bytes or more."""
    entries, body, fat = [b""], [], []

    def put(data: bytes) -> int:
        count = -(-len(data) // 512)
        start = len(fat)
        fat.extend([*range(start + 1, start + count), _END])
        body.append(data.ljust(count * 512, b"\0"))
        return start

    homes = []
    for folder, streams in folders.items():
        homes.append(len(entries))
        first = len(entries) + 1
        entries.append(_entry(folder, 1, child=first, right=_FREE))
        for n, (name, data) in enumerate(streams.items()):
            right = first + n + 1 if n + 1 < len(streams) else _FREE
            entries.append(_entry(name, 2, right=right, start=put(data), size=len(data)))
    for here, after in pairwise(homes):
        changed = bytearray(entries[here])
        changed[72:76] = struct.pack("<I", after)
        entries[here] = bytes(changed)
    entries[0] = _entry("Root Entry", 5, child=homes[0], start=_END)
    directory = put(b"".join(entries))
    table = len(fat)
    fat.append(_FAT)
    assert len(fat) <= 128
    body.append(struct.pack(f"<{len(fat)}I", *fat).ljust(512, b"\xff"))
    head = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<5H6x", 0x3E, 3, 0xFFFE, 9, 6)
    head += struct.pack("<9I", 0, 1, directory, 0, 4096, _END, 0, _END, 0) + struct.pack("<I", table)
    return head.ljust(512, b"\xff") + b"".join(body)


def _synthetic() -> bytes:
    """A reconstructed volume of three slices."""
    numbers = {"ImageWidth": 60, "ImageHeight": 40, "NoOfImages": 3, "DataType": 5}
    about = {name: struct.pack("<i", value).ljust(4096, b"\0") for name, value in numbers.items()}
    about["PixelSize"] = struct.pack("<f", 0.5).ljust(4096, b"\0")
    images = {f"Image{n + 1}": plane.tobytes() for n, plane in enumerate(SMALL)}
    return _ole({"ImageData1": images, "ImageInfo": about})


def test_a_volume_packed_by_the_books_is_read(tmp_path: Path) -> None:
    """Else the damage below would show nothing."""
    (tmp_path / "v.txm").write_bytes(_synthetic())
    volume = read_volume(tmp_path / "v.txm")
    np.testing.assert_array_equal(volume.data, SMALL)
    np.testing.assert_array_equal(np.asarray(read_volume(tmp_path / "v.txm", mmap=True).data), SMALL)


@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured on Linux")
def test_numbers_that_promise_more_than_there_is_are_refused(tmp_path: Path) -> None:
    """2^31 slices of 2^31 x 2^31 voxels in 40 kB; and none, and fewer than none."""
    promised = ((2**31 - 1,) * 3, (0, 40, 3), (60, -40, 3), (60, 40, 2**31 - 1), (60, 40, 4), (61, 40, 3))
    files = [tmp_path / f"{number}.txm" for number in range(len(promised))]
    for file, numbers in zip(files, promised, strict=True):
        _spoilt(file, numbers)
    said = _run(files)
    assert said["outcomes"] == ["ReadError"] * len(files)
    assert said["grew"] < 64e6


def _spoilt(path: Path, numbers: tuple[int, ...]) -> None:
    content = _synthetic()
    for old, new in zip((60, 40, 3), numbers, strict=True):
        at = content.index(struct.pack("<i", old).ljust(4096, b"\0"))
        content = content[:at] + struct.pack("<i", new) + content[at + 4 :]
    path.write_bytes(content)


#: Reads files in a process that may have half a gigabyte more and a minute; prints what came of each.
_CHILD = """
import json, resource, sys, time
import numpy as np, psutil
from fijibridge.errors import FijibridgeError
from fijibridge.io import read_volume
try: read_volume(sys.argv[1], spacing=(1, 1, 1), units="um")
except FijibridgeError: pass
before = psutil.Process().memory_info()
resource.setrlimit(resource.RLIMIT_AS, (before.vms + (512 << 20),) * 2)
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
outcomes, longest = [], 0
for name in sys.argv[1:]:
    began = time.process_time()
    try:
        for mmap in (False, True):
            volume = read_volume(name, spacing=(1, 1, 1), units="um", mmap=mmap)
            assert np.asarray(volume.data).ndim == 3
        outcomes.append("read")
    except FijibridgeError as error:
        assert "\\n" not in str(error), error
        outcomes.append(type(error).__name__)
    longest = max(longest, time.process_time() - began)
# Not ru_maxrss, which begins at what the parent had.
peak = int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) * 1024
grew = peak - before.rss
print(json.dumps({"outcomes": outcomes, "longest": longest, "grew": grew}))
"""


def _run(files: list[Path]) -> dict:
    run = [sys.executable, "-c", _CHILD, *map(str, files)]
    done = subprocess.run(run, check=False, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@st.composite
def damage(draw: st.DrawFn, length: int) -> tuple[list[tuple[int, int]], int]:
    """Bytes to overwrite, most of them where the structure is, and where to cut."""
    structure = st.one_of(
        st.integers(0, 80), st.integers(max(0, length - 3000), length - 1), st.integers(0, length - 1)
    )
    flips = draw(st.lists(st.tuples(structure, st.integers(0, 255)), max_size=6))
    return flips, draw(st.one_of(st.just(length), st.integers(0, length)))


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory are Linux's")
@settings(
    max_examples=2, suppress_health_check=list(HealthCheck), deadline=None, phases=[Phase.explicit, Phase.generate]
)
@given(data=st.data())
def test_any_damage_is_an_error_of_ours_or_a_volume(tmp_path: Path, shared_data, data: st.DataObject) -> None:
    """Forty files at a time, of the microscope's own and of a synthetic one: no traceback, no gigabyte, no minute."""
    real = (shared_data("formats") / "xradia_txrm" / "txrm_test_chip_tomo.txrm").read_bytes()
    files = []
    for number in range(40):
        whole = real if number % 4 == 0 else _synthetic()
        flips, cut = data.draw(damage(len(whole)))
        content = bytearray(whole)
        for place, value in flips:
            content[place] = value
        files.append(tmp_path / f"v{number}.{'txrm' if number % 4 == 0 else 'txm'}")
        files[-1].write_bytes(content[:cut])
    said = _run(files)
    assert len(said["outcomes"]) == len(files)
    assert said["longest"] < 20
    assert said["grew"] < 100e6
