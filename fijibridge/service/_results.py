"""Routes for what a job left: files, the report, slices, histogram, table."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, Response

from ..errors import ServiceError
from ._jobs import Job
from ._service import Service, service_of

results = APIRouter(prefix="/api/jobs/{number}")
#: A report is a page that others may have written: it may show what it holds, and nothing else.
_REPORT_POLICY = "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'; frame-ancestors 'self'"
Of = Literal["input", "result"]


@results.get("/result")
def result(request: Request, number: str, file: int = 0) -> FileResponse:
    """Download one of the job's files, the main one first."""
    service = service_of(request)
    files = _result(service, number).get("files", [])
    if not 0 <= file < len(files):
        raise ServiceError(f"the job has files 0 to {len(files) - 1}, got {file}", status=404)
    path = service.places.to_read(files[file])
    if path.is_dir():
        raise ServiceError(f"{path} is a folder, which browsers cannot save; open it where it lies", status=409)
    return FileResponse(path, media_type="application/octet-stream", filename=path.name)


@results.get("/report")
def report(request: Request, number: str) -> FileResponse:
    """Give the report of a job as a page that can load and run nothing."""
    service = service_of(request)
    found = _result(service, number)
    if "report" not in found:
        raise ServiceError("this job left no report; prepare, compare and study do", status=404)
    headers = {"content-security-policy": _REPORT_POLICY}
    return FileResponse(service.places.to_read(found["report"]), media_type="text/html", headers=headers)


@results.get("/view")
def view(request: Request, number: str) -> dict[str, Any]:
    """Say which volumes of the job can be looked at: shape, voxel size, dtype, display range, grey or labels."""
    service = service_of(request)
    volumes = _volumes(service, service.queue.get(number))
    return {name: service.viewer.look({"kind": "about", **each}) for name, each in volumes.items()}


@results.get("/slice", response_class=Response, responses={200: {"content": {"image/png": {}}}})
def picture(
    request: Request, number: str, of: Of = "input", axis: Literal["z", "y", "x"] = "z", index: int = 0
) -> Response:
    """Give one slice as PNG; grey results are shown with the range of the input, labels as colours on nothing."""
    service = service_of(request)
    volumes = _volumes(service, service.queue.get(number))
    if of not in volumes:
        raise ServiceError(f"the job has no {of} that can be shown (yet)", status=404)
    like = next((each for each in volumes.values() if each["shows"] == "grey"), volumes[of])
    order = {"kind": "picture", **volumes[of], "axis": axis, "index": index, "like": like}
    return Response(base64.b64decode(service.viewer.look(order)["png"]), media_type="image/png")


@results.get("/histogram")
def histogram(request: Request, number: str) -> dict[str, Any]:
    """Count the grey values of input and result over one set of bins; of labels, each label's voxels."""
    service = service_of(request)
    return service.viewer.look({"kind": "histogram", "volumes": _volumes(service, service.queue.get(number))})


@results.get("/table")
def table(request: Request, number: str) -> dict[str, Any]:
    """Give the job's table: rows of a comparison or study, a forest's features by importance."""
    rows = _result(service_of(request), number).get("table")
    if not rows:
        raise ServiceError("this job left no table; train, compare and study do", status=404)
    return {"columns": list(dict.fromkeys(name for row in rows for name in row)), "rows": rows}


def _result(service: Service, number: str) -> dict[str, Any]:
    job = service.queue.get(number)
    if job.result is None:
        raise ServiceError(f"the job is {job.state} and has no result", status=409)
    return dict(job.result)


def _volumes(service: Service, job: Job) -> dict[str, dict[str, Any]]:
    """Give orders to look at the job's input and result, those that are volumes."""
    found: dict[str, dict[str, Any]] = {}
    if "volume" in job.inputs:
        size = {"spacing": job.spacing, "units": job.units}
        found["input"] = {"path": str(service.places.to_read(job.inputs["volume"])), "shows": "grey", **size}
    made = job.result or {}
    volumes = [path for path in made.get("files", []) if "shows" in made and _is_volume(path)]
    if volumes:
        found["result"] = {"path": str(service.places.to_read(volumes[0])), "shows": made["shows"]}
    return found


def _is_volume(path: str) -> bool:
    return Path(path).suffix.lower() in (".tif", ".tiff", ".nrrd", ".h5", ".mrc", ".zarr")
