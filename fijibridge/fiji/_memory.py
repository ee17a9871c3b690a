"""Memory that the program and a worker share, without a name that could outlive them.

On Linux it is an anonymous memory file; on other POSIX systems a temporary file that is unlinked while it is opened; on
Windows a named mapping, which the system drops with its last handle. So nothing is left behind, whoever is killed.
"""

from __future__ import annotations

import mmap
import os
import sys
import tempfile
import uuid

_PAGE = mmap.PAGESIZE


class Segment:
    """A block of shared memory, mapped here; `files` and `handle` let the other side attach to it."""

    def __init__(self, size: int, handle: str, file: int | None, mapping: mmap.mmap) -> None:
        self.size = size
        self.handle = handle
        self.mapping = mapping
        self.number = 0
        self._file = file

    @property
    def files(self) -> tuple[int, ...]:
        """Descriptors to send along with `handle`."""
        return () if self._file is None else (self._file,)

    def close_file(self) -> None:
        """Close the descriptor; the mapping, and arrays on it, stay good."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def close(self) -> None:
        """Give the memory back (as soon as no array uses it)."""
        self.close_file()
        try:
            self.mapping.close()
        except BufferError:
            # An array still looks at it: the mapping then goes with that array.
            return


def create_segment(size: int) -> Segment:
    """Make a block of shared memory of `size` bytes (whole pages, at least one), zeroed."""
    size = max(_PAGE, -(-size // _PAGE) * _PAGE)
    if sys.platform == "win32":
        name = f"fijibridge-{uuid.uuid4().hex}"
        return Segment(size, name, None, mmap.mmap(-1, size, tagname=name))
    file = anonymous_file("fijibridge")
    os.ftruncate(file, size)
    return Segment(size, "", file, mmap.mmap(file, size))


def attach_segment(size: int, handle: str, files: tuple[int, ...]) -> Segment:
    """Map a block that the other side made; takes over the descriptor."""
    if sys.platform == "win32":
        return Segment(size, handle, None, mmap.mmap(-1, size, tagname=handle))
    return Segment(size, handle, files[0], mmap.mmap(files[0], size))


def anonymous_file(name: str) -> int:
    """Open a file that has no place in any folder and vanishes with its last user; give its descriptor."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create(name, os.MFD_CLOEXEC)
    with tempfile.TemporaryFile(prefix=name) as file:
        return os.dup(file.fileno())
