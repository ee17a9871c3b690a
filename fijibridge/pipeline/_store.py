"""The folder of step outputs: files that are there whole or not at all, however many runs write and die in it.

Each run writes into a scratch folder of its own and moves what is whole to its place. A run that was killed leaves its
scratch folder; the next one on the same machine sees that its process is gone and takes it away.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import re
import secrets
import shutil
from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import psutil

from ..blocks import file_key, mask_of, source_of
from ..errors import WriteError
from ..io import read_volume, write_text, write_volume
from ..volume import Volume, voxel_size, with_data

#: TIFF stores a mask as 0 and 255; the name says that it is one.
_GREY, _MASK = ".tif", ".mask.tif"


@dataclass(frozen=True)
class StepFile:
    """A finished step's output: the file, what is in it, and how long it took to make.

    Attributes
    ----------
    file : name of the file in its folder.
    bytes, sha256 : size and hash of the file; one that was changed since does not count as finished.
    seconds : time that the operation took.
    shape, spacing, units, dtype : of the volume.
    """

    file: str
    bytes: int
    sha256: str
    seconds: float
    shape: tuple[int, ...]
    spacing: tuple[float, ...]
    units: str
    dtype: str


class Store:
    """Step outputs by name in a folder, which need not be there before something is written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(self, name: str) -> StepFile | None:
        """Give the output of that name, or None where it is not there, not whole, or was changed since."""
        found = self._note(name)
        if found is None:
            return None
        path = self.folder / found.file
        try:
            intact = path.stat().st_size == found.bytes and file_key(path) == found.sha256
        except OSError:
            return None
        return found if intact else None

    def note(self, name: str) -> StepFile | None:
        """Give what is known of an output that was made once, whether or not the file is still there."""
        return self._note(name)

    def read(self, found: StepFile, *, mapped: bool = False) -> Volume:
        """Read an output, grey levels mapped from their file; `mapped` leaves masks there as well."""
        if mapped:
            return (mask_of if found.file.endswith(_MASK) else source_of)(self.folder / found.file).open()
        volume = read_volume(self.folder / found.file, mmap=True)
        return with_data(volume, np.asarray(volume.data) > 0) if found.file.endswith(_MASK) else volume

    def write(self, name: str, volume: Volume, seconds: float, progress: Callable[[float], None]) -> StepFile:
        """Write an output whole or not at all; another run that writes the same at the same time does no harm."""
        file = name + (_MASK if volume.dtype.kind == "b" else _GREY)
        with self._scratch() as scratch:
            write_volume(volume, scratch / file, progress=progress)
            size = voxel_size(volume)
            made = StepFile(
                file, (scratch / file).stat().st_size, file_key(scratch / file), round(seconds, 3),
                volume.shape, tuple(size[:3]), size.units, str(volume.dtype),
            )  # fmt: skip
            there = self.find(name)
            # The note goes first: an output without one does not count, a note without an output neither.
            # It is moved here as the output is: what is half written when a run is killed goes with the scratch folder.
            write_text(scratch / "note", json.dumps(asdict(made), indent=2))
            (scratch / "note").replace(self._note_path(name))
            if there is None or there.sha256 != made.sha256:
                (scratch / file).replace(self.folder / file)
        return made

    def sweep(self) -> None:
        """Take away what runs on this machine left behind when they were killed."""
        for scratch in self.folder.glob(f".{_host()}-*"):
            found = re.fullmatch(r"(\d+)-[0-9a-f]+", scratch.name.removeprefix(f".{_host()}-"))
            if found and not psutil.pid_exists(int(found[1])):
                shutil.rmtree(scratch, ignore_errors=True)

    def clean(self, keep: Collection[str]) -> int:
        """Remove all outputs but those whose names to `keep`; give the number of bytes set free."""
        freed = 0
        for path in self.folder.glob("[0-9]*"):
            if path.name.split(".")[0] not in keep and path.name.endswith(_GREY):
                freed += path.stat().st_size
                path.unlink(missing_ok=True)
        return freed

    @contextlib.contextmanager
    def _scratch(self) -> Iterator[Path]:
        scratch = self.folder / f".{_host()}-{os.getpid()}-{secrets.token_hex(4)}"
        try:
            scratch.mkdir(parents=True)
            yield scratch
        except OSError as error:
            raise WriteError(
                f"cannot write into {self.folder}: {error.strerror or error}; choose another folder with -o"
            ) from error
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def _note_path(self, name: str) -> Path:
        return self.folder / f"{name}.json"

    def _note(self, name: str) -> StepFile | None:
        try:
            content = json.loads(self._note_path(name).read_text(encoding="utf-8"))
            shape, spacing = tuple(content.pop("shape")), tuple(content.pop("spacing"))
            return StepFile(shape=shape, spacing=spacing, **content)
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None


def _host() -> str:
    return re.sub(r"[^A-Za-z0-9]", "_", platform.node() or "here")
