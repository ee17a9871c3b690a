"""The HTTP interface: parse, call, respond."""

from __future__ import annotations

import asyncio
import functools
import json
import mimetypes
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse, StreamingResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from .. import __version__
from ..errors import FijibridgeError, ServiceError
from ._folders import folders
from ._jobs import Job
from ._requests import JobRequest, ModelRequest, PreviewRequest, SessionRequest
from ._results import results
from ._service import Service, service_of

#: Seconds between two looks at a job that somebody watches.
_LOOK_S = 0.2
#: The page and what it loads.
_PAGE = Path(__file__).parent / "page"
api = APIRouter(prefix="/api")


def make_app(service: Service) -> FastAPI:
    """Make the application; the guard is put around it by whoever knows the port and the token."""
    app = FastAPI(
        title="fijibridge",
        version=__version__,
        description="Jobs on FIB-SEM and X-ray CT stacks, for programs on this machine. Everything under /api/ asks "
        "for `Authorization: Bearer TOKEN`; the token stands in service.json in the service's folder.",
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    app.state.service = service
    app.include_router(api)
    app.include_router(results)
    app.include_router(folders)
    # Windows may have another type for it in its registry, and browsers then refuse modules.
    mimetypes.add_type("text/javascript", ".js")
    app.mount("/", StaticFiles(directory=_PAGE, html=True))
    app.add_exception_handler(FijibridgeError, _our_error)
    app.add_exception_handler(RequestValidationError, _bad_request)
    app.add_exception_handler(HTTPException, _http_error)
    app.openapi = functools.cache(lambda: _described(app))  # type: ignore[method-assign]  # as FastAPI has it done
    return app


def _described(app: FastAPI) -> dict[str, Any]:
    from ._examples import with_examples  # it loads the operations

    return with_examples(
        get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    )


@api.get("/status")
def status(request: Request) -> dict[str, Any]:
    """Say that the service is there, what it may use, and what it is at."""
    service = service_of(request)
    return {
        "version": __version__,
        "pid": service.pid,
        "folders": [str(folder) for folder in service.places.folders],
        "inbox": str(service.state.inbox),
        "imagej": service.imagej,
        "idle_s": round(time.monotonic() - service.touched, 1),
        "jobs": service.queue.store.counts(),
        "workers": service.queue.pids(),
        "sessions": service.sessions.pids(),
        "viewers": service.viewer.pids(),
    }


@api.get("/operations")
def operations() -> list[dict[str, Any]]:
    """List everything that a job can do, each with its parameters as a JSON schema."""
    from ._catalogue import catalogue  # the operations take a second to load, which the start need not wait for

    return [entry.as_dict() for entry in catalogue().values()]


@api.post("/jobs", status_code=201)
def submit(request: Request, asked: JobRequest) -> dict[str, Any]:
    """Queue a job."""
    from ._catalogue import check, check_output

    service = service_of(request)
    parameters = check(asked.operation, asked.engine, asked.parameters, asked.inputs)
    if (asked.spacing is None) != (asked.units is None):
        raise ServiceError("spacing and units go together; give both or neither")
    check_output(asked.operation, asked.output)
    places = service.places
    job = Job(
        operation=asked.operation,
        engine=asked.engine,
        parameters=parameters,
        inputs={name: str(places.to_read(path)) for name, path in asked.inputs.items()},
        spacing=asked.spacing,
        units=asked.units,
        output=None if asked.output is None else str(places.to_write(asked.output)),
        lease=None if asked.lease is None else str(places.to_read(asked.lease)),
    )
    return shown(service, service.queue.add(job))


@api.get("/jobs")
def jobs(request: Request) -> list[dict[str, Any]]:
    """List the last 1000 jobs, newest first; their tables come one by one."""
    service = service_of(request)
    return [_short(shown(service, job)) for job in service.queue.newest()]


@api.get("/jobs/{number}")
def job_now(request: Request, number: str) -> dict[str, Any]:
    """Give one job as it is now."""
    service = service_of(request)
    return shown(service, service.queue.get(number))


@api.delete("/jobs/{number}")
def cancel(request: Request, number: str, forget: bool = False) -> dict[str, Any]:
    """Cancel a job, queued or running; with `forget`, remove one that is over, with its folder."""
    service = service_of(request)
    job = service.queue.get(number)
    if forget:
        service.queue.forget(number)
        return shown(service, job)
    return shown(service, service.queue.cancel(number))


@api.get("/jobs/{number}/events")
async def events(request: Request, number: str) -> StreamingResponse:
    """Stream the job's JSON as server-sent events, one for each change, until it is over."""
    service = service_of(request)
    service.queue.get(number)
    return StreamingResponse(_watch(request, service, number), media_type="text/event-stream")


async def _watch(request: Request, service: Service, number: str) -> AsyncIterator[str]:
    last = ""
    while not await request.is_disconnected():
        job = await asyncio.to_thread(service.queue.get, number)
        text = json.dumps(shown(service, job))
        if text != last:
            yield f"data: {text}\n\n"
            last = text
        service.touch()
        if job.over:
            return
        await asyncio.sleep(_LOOK_S)


@api.post("/sessions", status_code=201)
def open_session(request: Request, asked: SessionRequest) -> dict[str, Any]:
    """Open a volume to paint on; it is kept warm for previews."""
    service = service_of(request)
    volume = service.places.to_read(asked.volume)
    return service.sessions.open(volume, spacing=asked.spacing, units=asked.units)


@api.post("/sessions/{number}/preview")
def preview(request: Request, number: str, asked: PreviewRequest) -> dict[str, Any]:
    """Train on the labels as they are now and label one slice."""
    service = service_of(request)
    output = asked.output or str(service.state.inbox / f"preview-{number}-{asked.slice}.tif")
    order = {
        "labels": str(service.places.to_read(asked.labels)),
        "slice": asked.slice,
        "output": str(service.places.to_write(output)),
        "forest": {**asked.forest(), "most": asked.most},
    }
    return service.sessions.preview(number, order)


@api.post("/sessions/{number}/model")
def save_model(request: Request, number: str, asked: ModelRequest) -> dict[str, Any]:
    """Train on the labels as they are now and save the forest."""
    service = service_of(request)
    order = {
        "labels": str(service.places.to_read(asked.labels)),
        "output": str(service.places.to_write(asked.output)),
        "forest": asked.forest(),
    }
    return service.sessions.model(number, order)


@api.delete("/sessions/{number}")
def close_session(request: Request, number: str) -> dict[str, str]:
    """End a session."""
    service_of(request).sessions.close(number)
    return {"id": number}


@api.post("/stop")
def stop(request: Request) -> dict[str, bool]:
    """End the service; jobs that run are marked as failed, queued ones wait for its next start."""
    service_of(request).stop()
    return {"stopping": True}


def shown(service: Service, job: Job) -> dict[str, Any]:
    """Give a job as clients see it, with the file that a macro may poll."""
    return {**job.as_dict(), "progress_file": str(Path(service.queue.folder(job)) / "progress.txt")}


def _short(job: dict[str, Any]) -> dict[str, Any]:
    """Leave the table out of a list of jobs: a study's has hundreds of rows."""
    result = job["result"]
    return job if result is None else {**job, "result": {key: result[key] for key in result if key != "table"}}


def _our_error(_request: Request, error: Exception) -> JSONResponse:
    status = error.status if isinstance(error, ServiceError) else 400
    return JSONResponse({"error": str(error)}, status)


def _bad_request(_request: Request, error: Exception) -> JSONResponse:
    first = error.errors()[0] if isinstance(error, RequestValidationError) else {"loc": (), "msg": ""}
    place = ".".join(str(part) for part in first["loc"][1:]) or "the body"
    return JSONResponse({"error": f"{place}: {first['msg']}; /api/openapi.json has examples"}, 400)


def _http_error(_request: Request, error: Exception) -> JSONResponse:
    status = error.status_code if isinstance(error, HTTPException) else 500
    said = error.detail if isinstance(error, HTTPException) else "the service failed"
    return JSONResponse({"error": f"{said}; /api/openapi.json lists what can be asked for"}, status)
