"""Examples for the description of the interface: a request for each kind of job, an answer of each route."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from .. import __version__
from ._catalogue import Entry, catalogue, check
from ._jobs import Job

_ID = "5f0c2a91b7d34e68"
_STATE = "/home/me/.local/state/fijibridge/service"
_RESULT = f"{_STATE}/jobs/{_ID}/result.tif"
_FILES = {
    "volume": "/data/stack.tif",
    "labels": "/data/RoiSet.zip",
    "mask": "/data/mask.tif",
    "model": "/data/model.fbforest",
    "recipe": "/data/recipe.toml",
    "reference": "/data/before.tif",
    "study": "/data/study.toml",
    "truth": "/data/truth.tif",
}
#: Parameters that say what an operation is for; those left out have defaults.
_PARAMETERS: dict[str, dict[str, Any]] = {
    "align": {"model": "rigid", "trend": "keep"},
    "crop": {"box": [0, 40, 100, 900, 100, 900]},
    "resample": {"size": [20.0, 20.0, 20.0], "units": "nm"},
    "smooth": {"sigma": 1.5},
    "threshold": {"method": "otsu"},
    "train": {"trees": 60},
    "watershed": {"low": 90, "high": 140},
}
_REFUSED = {"error": "there is no file /data/stack.tif; check its name"}
_GRID = {"dtype": "uint8", "shape": [64, 1024, 1024], "spacing": [20.0, 5.0, 5.0], "units": "nm"}


def with_examples(description: dict[str, Any]) -> dict[str, Any]:
    """Put the examples into an OpenAPI description."""
    requests = description["paths"]["/api/jobs"]["post"]["requestBody"]["content"]["application/json"]
    requests["examples"] = {entry.name: {"summary": entry.summary, "value": request(entry)} for entry in _entries()}
    for (method, path), (kind, example) in answers().items():
        responses = description["paths"][path][method]["responses"]
        good = responses[next(code for code in responses if code.startswith("2"))]
        good["content"] = {kind: {**good.get("content", {}).get(kind, {}), "example": example}}
        # What is wrong is told in one sentence, and not in the form that FastAPI has for it.
        responses.pop("422", None)
        responses["4XX"] = {"description": "Refused", "content": {"application/json": {"example": _REFUSED}}}
    for name in ("HTTPValidationError", "ValidationError"):
        description["components"]["schemas"].pop(name, None)
    return description


def request(entry: Entry) -> dict[str, Any]:
    """Give a request for a job that would be taken as it stands."""
    inputs = {name: _FILES.get(name, f"/data/{name}.tif") for name in (*entry.needs, *entry.takes)}
    return {"operation": entry.name, "parameters": _PARAMETERS.get(entry.name, {}), "inputs": inputs}


def answers() -> dict[tuple[str, str], tuple[str, Any]]:
    """Give type and example of each route's answer, by method and path."""
    job = "/api/jobs/{number}"
    session = "/api/sessions/{number}"
    json = {
        ("get", "/api/status"): _status(),
        ("get", "/api/operations"): [catalogue()["smooth"].as_dict()],
        ("post", "/api/jobs"): _shown(_job()),
        ("get", "/api/jobs"): [_shown(_done())],
        ("get", job): _shown(_done()),
        ("delete", job): _shown(replace(_job(), state="cancelled", ended=1767225603.5)),
        ("get", f"{job}/view"): {"input": _look("grey"), "result": _look("grey")},
        ("get", f"{job}/histogram"): {"edges": [0.0, 127.5, 255.0], "counts": {"input": [812, 433]}, "labels": {}},
        ("get", f"{job}/table"): {"columns": ["feature", "importance"], "rows": [_row("Gaussian 80 nm", 0.2141)]},
        ("get", "/api/folders"): {"path": "/data", "parent": None, "entries": [_file("stack.tif")], "left_out": 0},
        ("post", "/api/sessions"): {"id": _ID, "shape": _GRID["shape"], "kept_voxels": 0},
        ("post", f"{session}/preview"): _preview(),
        ("post", f"{session}/model"): {"model": _FILES["model"], "classes": [1, 2]},
        ("delete", session): {"id": _ID},
        ("post", "/api/stop"): {"stopping": True},
    }
    other = {
        ("get", f"{job}/events"): ("text/event-stream", 'data: {"id": "5f0c2a91b7d34e68", "state": "done", ...}\n\n'),
        ("get", f"{job}/result"): ("application/octet-stream", "the bytes of the file"),
        ("get", f"{job}/report"): ("text/html", "<!doctype html>..."),
        ("get", f"{job}/slice"): ("image/png", "the bytes of a PNG"),
    }
    return {key: ("application/json", example) for key, example in json.items()} | other


def _entries() -> list[Entry]:
    return list(catalogue().values())


def _job() -> Job:
    parameters = check("smooth", "native", _PARAMETERS["smooth"], {"volume": _FILES["volume"]})
    return Job("smooth", parameters=parameters, inputs={"volume": _FILES["volume"]}, id=_ID, created=1767225600.0)


def _done() -> Job:
    result = {"kind": "volume", "files": [_RESULT], "voxels_in": 67108864, "shows": "grey", **_GRID}
    return replace(_job(), state="done", progress=1.0, started=1767225600.1, ended=1767225603.5, result=result)


def _shown(job: Job) -> dict[str, Any]:
    return {**job.as_dict(), "progress_file": f"{_STATE}/jobs/{_ID}/progress.txt"}


def _status() -> dict[str, Any]:
    return {
        "version": __version__,
        "pid": 4242,
        "folders": ["/data"],
        "inbox": f"{_STATE}/inbox",
        "imagej": "embedded",
        "idle_s": 0.3,
        "jobs": {"queued": 0, "running": 1, "done": 12, "failed": 1, "cancelled": 0},
        "workers": [4250, 4251],
        "sessions": [],
        "viewers": [],
    }


def _look(shows: str) -> dict[str, Any]:
    return {"shows": shows, **_GRID, "range": [31.0, 224.0]}


def _row(feature: str, importance: float) -> dict[str, Any]:
    return {"feature": feature, "importance": importance}


def _file(name: str) -> dict[str, Any]:
    return {"name": name, "path": f"/data/{name}", "folder": False}


def _preview() -> dict[str, Any]:
    return {
        "labels": f"{_STATE}/inbox/preview-{_ID}-25.tif",
        "seconds": 0.65,
        "classes": [1, 2],
        "labelled": {"1": 12500, "2": 31185},
        "trained": {"1": 3000, "2": 3000},
    }
