"""ImageJ's results table in plain terms."""

from __future__ import annotations

import math
from typing import Any


def read_table(table: Any) -> dict[str, list[Any]]:
    """Give the columns by name, each a list of numbers or of texts."""
    if table is None or int(table.size()) == 0:
        return {}
    columns: dict[str, list[Any]] = {}
    for heading in table.getHeadings():
        columns[str(heading)] = _column(table, heading)
    return columns


def _column(table: Any, heading: Any) -> list[Any]:
    index = int(table.getColumnIndex(heading))
    numbers = list(table.getColumnAsDoubles(index)) if index >= 0 else None
    if numbers is not None and not any(math.isnan(number) for number in numbers):
        return [float(number) for number in numbers]
    texts = [str(text) for text in table.getColumnAsStrings(heading)]
    if numbers is None or any(_is_text(text) for text in texts):
        return texts
    return [float(number) for number in numbers]


def _is_text(text: str) -> bool:
    try:
        float(text or "nan")
    except ValueError:
        return True
    return False
