"""What a comparison leaves on disk: label volumes, `results.csv`, `results.json` and `report.html`."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..io import make_folder, write_text, write_volume
from ..volume import history
from .compare import Comparison, Row
from .report import render_report
from .versions import versions


def write_comparison(comparison: Comparison, folder: Path, *, command: str) -> Path:
    """Write every output of a comparison into `folder` (made where it is missing) and give the report's path.

    Parameters
    ----------
    comparison : what `compare` found.
    folder : gets ``labels/*.tif``, ``results.csv``, ``results.json`` and ``report.html``; such files are
        replaced.
    command : the command line that repeats this run, for the report.

    Raises
    ------
    WriteError : the folder cannot be made or written.
    """
    make_folder(folder / "labels")
    for key, found in comparison.segmentations.items():
        write_volume(found.labels, folder / "labels" / f"{key}.tif")
    used = versions()
    document = {
        "rows": list(records(comparison)),
        "disagreements": [{"a": a, "b": b, "share": share} for (a, b), share in comparison.disagreements().items()],
        "settings": {key: list(history(found.labels)) for key, found in comparison.segmentations.items()},
        "versions": used,
        "command": command,
    }
    write_text(folder / "results.json", json.dumps(document, indent=2, allow_nan=False))
    write_text(folder / "results.csv", _table(comparison).to_csv(index=False))
    report = folder / "report.html"
    write_text(report, render_report(comparison, command=command, versions=used))
    return report


def records(comparison: Comparison) -> Iterator[dict[str, Any]]:
    """Give each row in plain JSON terms.

    `dice` and `iou` are those of label 1 (the active material), or of the lowest label where there is no 1; every
    class stands in `dice_by_class` and `iou_by_class`. Without a truth they are None.
    """
    for row in comparison.rows:
        found = comparison.segmentations[row.key]
        yield {
            "dataset": row.dataset,
            "method": row.method,
            "engine": row.engine,
            "user": row.user,
            "filtered": row.filtered,
            "fractions": {str(value): share for value, share in row.fractions.items()},
            **_scores(row),
            "thresholds": list(found.thresholds),
            "windows": [list(window) for window in found.windows],
            "labels": f"labels/{row.key}.tif",
            "seconds": round(row.seconds, 3),
        }


def _scores(row: Row) -> dict[str, Any]:
    score, errors = row.agreement, row.fraction_errors
    if score is None or errors is None:
        return dict.fromkeys(("dice", "iou", "accuracy"))
    first = min(score.classes)
    return {
        "dice": _number(score.dice[first]),
        "iou": _number(score.iou[first]),
        "accuracy": score.accuracy,
        "mean_iou": _number(float(np.nanmean(list(score.iou.values())))),
        "dice_by_class": {str(value): _number(share) for value, share in score.dice.items()},
        "iou_by_class": {str(value): _number(share) for value, share in score.iou.items()},
        "fraction_errors": {str(value): error for value, error in errors.items()},
        "confusion": score.confusion.tolist(),
        "scored_voxels": score.voxels,
    }


def _number(value: float) -> float | None:
    """JSON has no nan: a class that nothing holds has no overlap."""
    return None if math.isnan(value) else value


def _table(comparison: Comparison) -> pd.DataFrame:
    """Flatten the rows for a spreadsheet: one column for each class, no lists."""
    flat = []
    for entry in records(comparison):
        line: dict[str, Any] = {}
        for name, value in entry.items():
            if isinstance(value, dict):
                stem = {"fractions": "fraction", "fraction_errors": "fraction_error"}.get(name, name.split("_")[0])
                line |= {f"{stem}_{label}": share for label, share in value.items()}
            elif name in ("thresholds", "windows"):
                line[name] = " ".join(f"{number:.6g}" for number in np.ravel(value))
            elif name != "confusion":
                line[name] = value
        flat.append(line)
    return pd.DataFrame(flat)
