"""Memory that the program and a worker share, without a name that could outlive them.

On Linux it is an anonymous memory file, elsewhere a temporary file that is unlinked while it is opened; the other side
gets the open file itself. So nothing is left behind, whoever is killed.
"""

from __future__ import annotations

import mmap
import os
import tempfile

_PAGE = mmap.PAGESIZE


class Segment:
    """A block of shared memory, mapped here.

    Attributes
    ----------
    size : bytes.
    mapping : the memory.
    number : what program and worker call it.
    files : the open file to send along, empty once it was closed here.
    """

    def __init__(self, size: int, file: int, number: int) -> None:
        self.size = size
        self.number = number
        self.mapping = mmap.mmap(file, size)
        self.files: tuple[int, ...] = (file,)

    def close_file(self) -> None:
        """Close the file; the mapping, and arrays on it, stay good."""
        for file in self.files:
            os.close(file)
        self.files = ()

    def close(self) -> None:
        """Give the memory back (as soon as no array uses it)."""
        self.close_file()
        try:
            self.mapping.close()
        except BufferError:
            # An array still looks at it: the mapping then goes with that array.
            return


def create_segment(size: int, number: int) -> Segment:
    """Make a block of shared memory of `size` bytes (whole pages, at least one), zeroed."""
    size = max(_PAGE, -(-size // _PAGE) * _PAGE)
    file = anonymous_file("fijibridge")
    os.ftruncate(file, size)
    return Segment(size, file, number)


def anonymous_file(name: str) -> int:
    """Open a file that has no place in any folder and vanishes with its last user; give its descriptor."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create(name, os.MFD_CLOEXEC)
    with tempfile.TemporaryFile(prefix=name) as file:
        return os.dup(file.fileno())
