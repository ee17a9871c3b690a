"""Jobs beyond the table of operations: train, predict, prepare, compare, study."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from ..errors import WriteError
from ..forest import Trainer, cross_validate, load_forest, read_ilastik, save_forest
from ..io import make_folder, write_volume
from ..pipeline import find_step, load_recipe
from ..prepare import prepare as prepare_stack
from ..study.compare import compare as compare_methods
from ..study.config import paper_study, quick_study, read_study
from ..study.output import records, write_comparison
from ..study.run import run_study
from ..study.study_report import write_study
from ..study.users import read_labels
from ..volume import Volume
from ._places import Places
from ._tell import Tell
from ._volumes import describe, keep_volume, open_volume, output_file

Order: TypeAlias = Mapping[str, Any]


def train(order: Order, tell: Tell) -> dict[str, Any]:
    """Train a forest and save it."""
    volume = open_volume(order, tell)
    labels = _labels(order, "labels", volume)
    asked = dict(order["parameters"])
    validate = asked.pop("validate_blocks")
    path = Path(order["inputs"]["labels"])
    features = read_ilastik(path).features if path.suffix.lower() == ".ilp" else None
    trainer = Trainer(volume, features=features)
    share = 0.5 if validate else 1.0
    forest = trainer.fit(labels, **asked, progress=_part(tell, "train", 0.0, share))
    found: dict[str, Any] = {"accuracy": None}
    if validate:
        settings = {name: asked[name] for name in ("trees", "min_leaf", "seed")}
        checked = cross_validate(trainer, labels, **settings, progress=_part(tell, "validate block by block", share, 1))
        found["accuracy"] = checked.accuracy
    out = output_file(order, "model.fbforest")
    save_forest(forest, out)
    ranking = [{"feature": name, "importance": round(part, 4)} for name, part in forest.ranking()]
    return {"kind": "model", "files": [str(out)], "classes": list(forest.classes), "table": ranking, **found}


def predict(order: Order, tell: Tell) -> dict[str, Any]:
    """Label a volume with a trained forest; the labels are made in a file, so that they may be larger than memory."""
    volume = open_volume(order, tell)
    forest = load_forest(order["inputs"]["model"])
    z = order["parameters"]["slice"]
    shape = volume.shape if z is None else (1, *volume.shape[1:])
    progress = _part(tell, "predict", 0.0, 0.95)
    try:
        with tempfile.TemporaryFile(dir=order["folder"]) as file:
            room = np.memmap(file, np.uint8, "w+", shape=shape)
            labels = forest.predict(volume, z=z, out=room, progress=progress)
            found = keep_volume(order, labels, volume, shows="labels")
    except OSError as error:
        raise WriteError(f"cannot write into {order['folder']}: {error.strerror or error}; make room") from error
    if order["parameters"]["uncertainty"]:
        path = Path(found["files"][0])
        path = path.with_name(f"{path.stem}-uncertainty.tif")
        write_volume(forest.uncertainty(volume, z=z), path)
        found["files"].append(str(path))
    return {**found, "classes": list(forest.classes)}


def prepare(order: Order, tell: Tell) -> dict[str, Any]:
    """Run a recipe."""
    recipe = load_recipe(Path(order["inputs"]["recipe"]))
    _check_places(order, [recipe.source, *(Path(file) for step in recipe.steps for file in step.files.values())])
    asked = order["parameters"]
    start = find_step(recipe, asked["from_step"]) if asked["from_step"] else None
    out = make_folder(output_file(order, "output"))
    command = _command("prepare", order["inputs"]["recipe"], out)
    made = prepare_stack(recipe, out, command=command, start=start, clean=asked["clean"], progress=_told(tell))
    files = [str(made.volume), str(made.recipe), str(made.report)]
    return {"kind": "report", "files": files, "report": str(made.report), **describe(made.run.after, "grey")}


def compare(order: Order, tell: Tell) -> dict[str, Any]:
    """Compare threshold, watershed and forest on a stack, and report."""
    volume = open_volume(order, tell)
    truth = _labels(order, "truth", volume) if "truth" in order["inputs"] else None
    asked = dict(order["parameters"])
    asked["dataset"] = asked["dataset"] or Path(order["inputs"]["volume"]).stem
    labels = _labels(order, "labels", volume)
    out = make_folder(output_file(order, "output"))
    result = compare_methods(volume, labels, truth=truth, **asked, progress=_told(tell))
    report = write_comparison(result, out, command=_command("compare", order["inputs"]["volume"], out))
    return _reported(report, list(records(result)))


def study(order: Order, tell: Tell) -> dict[str, Any]:
    """Run a study, and report."""
    asked = order["parameters"]
    seed = asked["seed"]
    file = order["inputs"].get("study")
    config = read_study(Path(file)) if file else (paper_study if asked["phantoms"] else quick_study)(seed=seed)
    _check_places(order, [path for each in config.dataset for path in (each.path, each.truth, each.geometry)])
    _check_places(order, [user.labels for user in config.user])
    out = make_folder(output_file(order, "output"))
    result = run_study(config, out, progress=lambda text, share: tell(message=text, progress=0.95 * share))
    report = write_study(
        result,
        out,
        command=_command("study", file or ("--phantoms" if asked["phantoms"] else "--quick"), out),
        labels=asked["labels"],
        progress=_part(tell, "compare users", 0.95, 1.0),
    )
    return {
        **_reported(report, json.loads((out / "results.json").read_text("utf-8"))["rows"]),
        "left_out": result.left_out,
    }


def _check_places(order: Order, paths: Sequence[Path | None]) -> None:
    """Let a recipe or a study name no file that the service may not read."""
    folders, own = ([Path(folder) for folder in order[name]] for name in ("folders", "own"))
    places = Places(folders, own)
    for path in paths:
        if path is not None:
            places.to_read(str(path))


def _labels(order: Order, name: str, volume: Volume) -> Volume:
    return read_labels(Path(order["inputs"][name]), volume)


def _reported(report: Path, rows: list[dict[str, Any]]) -> dict[str, Any]:
    files = [report.with_name(name) for name in ("report.html", "results.csv", "results.json")]
    return {"kind": "report", "files": [str(file) for file in files], "report": str(report), "table": rows}


def _command(name: str, what: str, out: Path) -> str:
    return f"fijibridge {name} {what} -o {out}"


def _told(tell: Tell) -> Callable[[str, float], None]:
    return lambda text, share: tell(message=text, progress=share)


def _part(tell: Tell, text: str, start: float, end: float) -> Callable[[float], None]:
    """Give a progress callback that fills the share of the bar between `start` and `end`."""
    return lambda share: tell(message=text, progress=start + (end - start) * share)
