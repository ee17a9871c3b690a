"""What a study leaves on disk: `results.json`, `results.csv`, `report.html`, and on request label volumes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from .._report.page import Picture, describe_steps, embed, load_template
from .._report.versions import package_versions
from ..fiji import current
from ..io import make_folder, write_text, write_volume
from . import study_figures as draw
from .against import findings
from .matrix import PAPER_METHODS, forest_words
from .people import make_person
from .run import Study
from .summary import Group, kind_of, mean_where, plus_minus, summarise, true_fraction, without_other_automatic

Progress = Callable[[float], None]


def write_study(
    study: Study, folder: Path, *, command: str, labels: bool = False, progress: Progress | None = None
) -> Path:
    """Write a study's tables and report, and give the report's path.

    Parameters
    ----------
    study : what `run_study` gave.
    folder : gets ``results.json``, ``results.csv`` and ``report.html``; such files are replaced.
    command : the command line that repeats the run.
    labels : also write each segmentation as ``labels/DATASET-METHOD-INPUT-USER.tif``.
    progress : called with the share done, 0 to 1.

    Raises
    ------
    WriteError : the folder cannot be written.
    """
    groups = summarise(study, progress=progress)
    versions = package_versions(imagej=current().version if study.config.engine == "fiji" else "")
    document = {
        "rows": list(records(study)),
        "groups": [_group_record(group) for group in groups],
        "plus_minus": list(_plus_minus(study, groups)),
        "findings": [finding._asdict() for finding in findings(groups)],
        "left_out": study.left_out,
        "study": study.config.model_dump(mode="json"),
        "versions": versions,
        "command": command,
    }
    write_text(folder / "results.json", json.dumps(document, indent=2, allow_nan=False))
    write_text(folder / "results.csv", _table(study).to_csv(index=False))
    if labels:
        _write_labels(study, folder / "labels")
    report = folder / "report.html"
    write_text(report, render_study(study, groups, command=command, versions=versions))
    return report


def records(study: Study) -> Iterator[dict[str, Any]]:
    """Give each segmentation in plain JSON terms, under the names that `compare` uses too."""
    for cell in study.cells:
        numbers = {name: value for name, value in cell.numbers.items() if name != "settings"}
        yield {
            "dataset": cell.dataset, "method": cell.method, "engine": cell.engine, "user": cell.user,
            "filtered": cell.filtered, "simulated": cell.simulated, "key": cell.key, **numbers,
        }  # fmt: skip


def render_study(study: Study, groups: Sequence[Group], *, command: str, versions: dict[str, str]) -> str:
    """Write the report: HTML text that needs no other file and no network."""
    template = load_template("fijibridge.study", "study.html.j2", percent=_percent, number=_number)
    simulated = any(user.simulated for user in study.config.user)
    shown = without_other_automatic(groups)
    return template.render(
        name=study.config.name,
        groups=[(name, [g for g in shown if g.dataset == name]) for name in study.datasets],
        automatic=_automatic(study, groups),
        based=_based(study, shown),
        based_on=[place for place in _places(study) if study.datasets[place[0]].base],
        people=[(user.name, asdict(make_person(user.simulated, dict(user.parameters))))
                for user in study.config.user if user.simulated],
        forest=forest_words(study.config.training_voxels),
        users=[user.name for user in study.config.user],
        about=[(name, _about(study, name)) for name in study.datasets],
        uncertainties=list(_plus_minus(study, groups)),
        against=findings(groups),
        simulated=simulated,
        inputs=study.config.inputs,
        findings=_head(study, groups, simulated),
        left_out=study.left_out,
        pictures=list(_pictures(study, groups)),
        settings=[
            (f"{cell.dataset}, {cell.method}, {'filtered' if cell.filtered else 'raw'}, user {cell.user}",
             describe_steps(cell.numbers.get("settings", [])))
            for cell in study.cells
        ],
        command=command,
        versions=versions,
    )  # fmt: skip


def _about(study: Study, name: str) -> str:
    dataset = study.datasets[name]
    said = [dataset.grid]
    if dataset.simulated:
        said.append("simulated, exact truth")
    said += [f"signal-to-noise {value.ratio:.2f} {kind}" for kind, value in dataset.noise.items()]
    said.append(f"sampling error of the fraction {100 * dataset.sampling:.2f} pp")
    base = true_fraction(study, name)
    said += [] if base is None else [f"true AM fraction {100 * base:.2f} %"]
    better = dataset.base
    return " · ".join(
        [*said, *([] if better is None else [f"base truth {100 * better.fraction:.2f} % ({better.words})"])]
    )


def _head(study: Study, groups: Sequence[Group], simulated: bool) -> list[str]:
    """Say what matters in a few sentences."""
    said = [f"{len(study.cells)} segmentations of {len(study.datasets)} volumes by {len(study.config.user)} users."]
    if simulated:
        said.append(
            "Users marked simulated are seeded parameter sets, not people: their spread is calibrated, not found."
        )
    for kind in ("simple", "watershed", "forest"):
        stds = [100 * g.std for g in groups if kind_of(g.method) == kind and g.std is not None]
        if stds:
            said.append(
                f"Standard deviation of the AM fraction over users, {kind}: {min(stds):.1f} to {max(stds):.1f} pp."
            )
    said += [sentence for name in study.datasets if (sentence := _nearest(groups, name))]
    verdicts = [finding.holds for finding in findings(groups) if finding.holds is not None]
    if verdicts:
        said.append(f"Of the {len(verdicts)} findings of the paper that can be told, {sum(verdicts)} hold here.")
    return said


def _nearest(groups: Sequence[Group], dataset: str) -> str:
    """Say which method comes nearest to the true fraction, which stays farthest, and how the kinds compare."""
    mine = [g for g in without_other_automatic(groups) if g.dataset == dataset]
    known = sorted((g.distance, place) for place, g in enumerate(mine) if g.distance is not None)
    if len(known) < 2:
        return ""
    (nearest, first), (farthest, last) = known[0], known[-1]
    best, worst = mine[first], mine[last]
    kinds = {
        kind: mean_where(groups, lambda g, k=kind: g.dataset == dataset and kind_of(g.method) == k, "distance")  # type: ignore[misc]
        for kind in ("forest", "watershed", "simple", "automatic")
    }
    means = ", ".join(f"{kind} {100 * value:.1f}" for kind, value in kinds.items() if value is not None)
    return (
        f"{dataset}: nearest to the true fraction comes {best.method} {best.input} ({100 * nearest:.2f} pp off), "
        f"farthest from it {worst.method} {worst.input} ({100 * farthest:.2f}); means by kind: {means} pp."
    )


def _places(study: Study) -> list[tuple[str, str]]:
    """Give every volume with every input: the columns of wide tables."""
    return [(name, kind) for name in study.datasets for kind in study.config.inputs]


def _automatic(study: Study, groups: Sequence[Group]) -> list[tuple[str, list[float | None]]]:
    """Tabulate the AM fraction by automatic threshold, a column for each volume and input."""
    places = _places(study)
    found = {(g.method, g.dataset, g.input): g.mean for g in groups if kind_of(g.method) == "automatic"}
    names = dict.fromkeys(method for method, _, _ in found)
    return [(name, [found.get((name, *place)) for place in places]) for name in names]


def _based(study: Study, groups: Sequence[Group]) -> list[tuple[str, list[Group | None]]]:
    """Give the groups of the volumes that have a base truth, by method, a place for each volume and input."""
    places = [place for place in _places(study) if study.datasets[place[0]].base]
    found = {(g.method, g.dataset, g.input): g for g in groups if g.base_distance is not None}
    names = dict.fromkeys(method for method, _, _ in found)
    return [(name, [found.get((name, *place)) for place in places]) for name in names]


def _plus_minus(study: Study, groups: Sequence[Group]) -> Iterator[dict[str, Any]]:
    """Give the plus-minus of each volume: all methods, and each kind of method by itself."""
    present = list(dict.fromkeys(group.method for group in groups))
    sets = {"all methods of the paper": [m for m in present if m in PAPER_METHODS]}
    sets |= {kind: [m for m in present if kind_of(m) == kind] for kind in ("simple", "watershed", "forest")}
    for dataset in study.datasets:
        for name, methods in sets.items():
            found = plus_minus(study, groups, dataset, methods)
            if found is not None:
                parts = found._asdict()
                between = parts.pop("methods")
                yield {
                    "dataset": dataset,
                    "methods": name,
                    **parts,
                    "between_methods": between,
                    "bootstrap": study.datasets[dataset].bootstrap,
                    "truth": true_fraction(study, dataset),
                }


def _group_record(group: Group) -> dict[str, Any]:
    return {
        "dataset": group.dataset, "method": group.method, "filtered": group.filtered, "fractions": group.fractions,
        "mean": group.mean, "std": group.std, "disagreement": group.disagreement, "distance": group.distance,
        "base_distance": group.base_distance,
        "pairs": [{"a": a, "b": b, "share": share} for (a, b), share in group.pairs.items()],
    }  # fmt: skip


def _table(study: Study) -> pd.DataFrame:
    """Flatten the rows for a spreadsheet."""
    flat = []
    for entry in records(study):
        line: dict[str, Any] = {}
        for name, value in entry.items():
            if name == "fractions":
                line |= {f"fraction_{label}": share for label, share in value.items()}
            elif not isinstance(value, list):
                line[name] = value
        flat.append(line)
    return pd.DataFrame(flat)


def _write_labels(study: Study, folder: Path) -> None:
    make_folder(folder)
    for cell in study.cells:
        kind = "filtered" if cell.filtered else "raw"
        user = "auto" if cell.user == "-" else cell.user
        write_volume(study.labels(cell), folder / f"{cell.dataset}-{cell.method}-{kind}-{user}.tif")


def _pictures(study: Study, groups: Sequence[Group]) -> Iterator[Picture]:
    for title, caption, figure in _drawn(study, groups):
        if figure is not None:
            yield Picture(title, caption, embed(figure, title))


def _drawn(study: Study, groups: Sequence[Group]) -> Iterator[tuple[str, str, Figure | None]]:
    yield "Workflow", "What was run.", draw.workflow(study)
    for name in study.datasets:
        yield f"{name}: orthoslices", _about(study, name) + ".", draw.orthoslices(study, name)
        yield (
            f"{name}: histogram",
            "Lines: each user's S2 (dotted: Otsu). Bars above: the windows that gWS (upper) and cWS (lower) leave "
            "without a seed.",
            draw.histograms(study, groups, name),
        )
        shown = without_other_automatic(groups)
        yield f"{name}: AM fraction", "Each user by method.", draw.fractions(study, shown, name)
        yield (
            f"{name}: standard deviation over users",
            "Sample standard deviation (n - 1) of the AM fraction.",
            draw.spreads(groups, name, value="std", words="std of AM fraction (pp)"),
        )
        yield (
            f"{name}: image subtraction",
            "Share of voxels to which two users give different labels, mean over the pairs.",
            draw.spreads(groups, name, value="disagreement", words="voxels that differ (%)"),
        )
        for kind in study.config.inputs:
            yield (
                f"{name}: where users differ, {kind}",
                "Middle slice: orange where only the first of the two sees active material, blue where only the other.",
                draw.differences(study, groups, name, filtered=kind == "filtered"),
            )
    for same in dict.fromkeys(d.same_as for d in study.config.dataset if d.same_as):
        names = [d.name for d in study.config.dataset if d.same_as == same]
        shown = without_other_automatic(groups)
        yield f"{same}: scans of one geometry", "Mean over users.", draw.one_geometry(study, shown, names)
    yield from _against_base(study, groups)


def _against_base(study: Study, groups: Sequence[Group]) -> Iterator[tuple[str, str, Figure | None]]:
    names = [name for name, dataset in study.datasets.items() if dataset.base is not None]
    if not names:
        return
    yield (
        "Base truth and images",
        "Middle planes of each image beside the base truth's labels (white: active material), each on its own grid.",
        draw.base_truth(study, names),
    )
    yield (
        "Distance to the base truth and to the exact truth",
        "Mean over users of the distance of the AM fraction, by method. Only a simulation has the exact truth.",
        draw.distances(without_other_automatic(groups), names),
    )


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.2f}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
