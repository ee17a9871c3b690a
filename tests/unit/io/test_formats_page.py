"""The page of formats says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fijibridge.io import WRITABLE, _formats

PAGE = Path(__file__).parents[3] / "docs" / "guide" / "formats.md"


def _rows() -> list[list[str]]:
    if not PAGE.is_file():
        pytest.skip("the guide is not there (an installed package)")
    lines = re.findall(r"^\|(.+)\|$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return [[cell.strip() for cell in line.split("|")] for line in lines[2:]]


def _endings(cell: str) -> set[str]:
    return set(re.findall(r"`(\.[\w.]+)`", cell))


def test_the_table_names_every_ending_that_is_read() -> None:
    """A format that nobody can find is as good as none."""
    tiff = {".tif", ".tiff", ".ome.tif", ".ome.tiff"}
    known = set(_formats._READERS) | set(_formats._HDF5) | set(_formats.RAW) | tiff | {".zarr"}
    assert set().union(*(_endings(row[1]) for row in _rows())) == known


def test_the_table_names_every_ending_that_is_written() -> None:
    """*yes* stands for all endings of the row."""
    written: set[str] = set()
    for row in _rows():
        written |= _endings(row[1]) if row[3] == "yes" else _endings(row[3])
    assert written == {*WRITABLE, ".zarr"}
