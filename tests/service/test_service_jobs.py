"""What the service does with jobs: the same as the library, with progress, in order, until cancelled."""

from __future__ import annotations

import json
import time
import tomllib
from pathlib import Path

import numpy as np
import pytest
from service_process import until

import fijibridge as fb


def test_an_operation_gives_what_the_library_gives(service, data):
    """A job is the library's function on files: same voxels, same grid, same history."""
    job = service.ended(service.submit("smooth", sigma=1.5))
    made = fb.read_volume(job["result"]["files"][0])
    wanted = fb.smooth(fb.read_volume(data / "grey.tif"), sigma=1.5)
    assert fb.same_grid(made, wanted)
    assert np.array_equal(made.data, wanted.data)
    assert made.attrs["history"] == wanted.attrs["history"]


def test_every_operation_of_the_table_can_be_asked_for(service):
    """The list is made from the table, so that a new operation is a job at once."""
    _, listed = service.ask("GET", "/api/operations")
    assert {entry["name"] for entry in listed} == {*fb.operations(), "train", "predict", "prepare", "compare", "study"}
    assert all(entry["parameters"]["type"] == "object" and entry["summary"].endswith(".") for entry in listed)


def test_the_fiji_engine_runs_inside_a_job(service):
    """ImageJ's own code is one word away."""
    job = service.ended(service.submit("threshold", engine="fiji", method="otsu"))
    assert job["state"] == "done", job["error"]
    assert "ImageJ" in fb.read_volume(job["result"]["files"][0]).attrs["history"][-1]["version"]
