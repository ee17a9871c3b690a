"""What lies in a folder that the service may use, for those who choose a file on the page."""

from __future__ import annotations

from itertools import islice
from typing import Any

from fastapi import APIRouter, Request

from ..errors import ServiceError
from ._service import service_of

folders = APIRouter(prefix="/api")
#: Entries that are looked at and given; a folder of a scan's slices may hold thousands.
_MOST = 2000


@folders.get("/folders")
def folder(request: Request, path: str) -> dict[str, Any]:
    """List what lies in a folder: folders first, hidden files and what leads out of the allowed folders left out."""
    places = service_of(request).places
    here = places.to_list(path)
    try:
        found = list(islice(here.iterdir(), 10 * _MOST))
    except OSError as error:
        raise ServiceError(f"{path[:200]} cannot be looked into: {error.strerror or error}", status=403) from error
    allowed = sorted(
        (each for each in found if places.may_use(each)), key=lambda each: (not each.is_dir(), each.name.lower())
    )
    entries = [{"name": each.name, "path": str(each), "folder": each.is_dir()} for each in allowed[:_MOST]]
    parent = str(here.parent) if places.may_use(here.parent) else None
    return {"path": str(here), "parent": parent, "entries": entries, "left_out": max(0, len(allowed) - _MOST)}
