"""A full disk and a folder that takes nothing: one sentence, and nothing that was there is lost."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from service_process import running, until
from test_service_jobs import labels_for_large

#: Root writes into a closed folder all the same, unless this is taken from it.
AS_OTHERS = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits of other processes are set on Linux alone")


def let_write(pid: int, most: int) -> None:
    """Let a process make no file larger than so many bytes: what a full disk is to it."""
    psutil.Process(pid).rlimit(psutil.RLIMIT_FSIZE, (most, psutil.RLIM_INFINITY))


def workers(service) -> list[int]:
    return service.ask("GET", "/api/status")[1]["workers"]


def test_a_full_disk_costs_the_job_alone_and_leaves_the_earlier_result(service):
    """The file that stands at the output's name stays as it was, and nothing half written lies beside it."""
    out = service.data / "kept.tif"
    assert service.ended(service.submit("smooth", output=str(out)))["state"] == "done"
    before = out.read_bytes()
    for pid in workers(service):
        let_write(pid, 20_000)
    job = service.ended(service.submit("smooth", output=str(out), sigma=3.0))
    assert (job["state"], "kept.tif" in job["error"], "\n" in job["error"]) == ("failed", True, False)
    assert out.read_bytes() == before
    assert not list(service.data.glob(".kept.tif*"))
    for pid in workers(service):
        let_write(pid, psutil.RLIM_INFINITY)
    assert service.ended(service.submit("smooth", output=str(out), sigma=3.0))["state"] == "done"
    assert out.read_bytes() != before


def test_while_the_list_of_jobs_cannot_be_written_requests_are_refused_and_no_result_is_lost(service):
    """A job that ends meanwhile waits with its result until there is room, and is done then."""
    asked = service.submit("train", "large.tif", inputs={"labels": labels_for_large(service)}, trees=10)
    until(lambda: service.running(asked)["message"] == "train")
    for pid in workers(service):
        psutil.Process(pid).suspend()
    let_write(service.process.pid, 0)
    try:
        kept = {folder.name for folder in service.state.jobs.iterdir()}
        status, answer = service.ask(
            "POST", "/api/jobs", {"operation": "smooth", "inputs": {"volume": f"{service.data}/grey.tif"}}
        )
        assert (status, "list of jobs" in answer["error"]) == (500, True)
        assert {folder.name for folder in service.state.jobs.iterdir()} == kept
        for pid in workers(service):
            psutil.Process(pid).resume()
        until(lambda: "make room" in service.job(asked)["message"])
        assert service.job(asked)["state"] == "running"
    finally:
        let_write(service.process.pid, psutil.RLIM_INFINITY)
    job = service.ended(asked)
    assert (job["state"], Path(job["result"]["files"][0]).exists()) == ("done", True)
    assert service.ended(service.submit("smooth"))["state"] == "done"


@pytest.mark.skipif(bool(AS_OTHERS) and shutil.which("setpriv") is None, reason="root without setpriv writes anywhere")
def test_a_folder_that_takes_nothing_is_named_in_one_sentence(tmp_path, data):
    """At once, not at the end of a job that took hours; a job whose result goes elsewhere is done."""
    folder = tmp_path / "read only"
    folder.mkdir()
    for name in ("grey.tif", "labels.tif"):
        shutil.copy(data / name, folder / name)
    folder.chmod(0o555)
    with running(tmp_path / "state", folder, AS_OTHERS) as service:
        for operation, name, more in (
            ("smooth", "out.tif", {}),
            ("compare", "out", {"labels": f"{folder}/labels.tif"}),
        ):
            inputs = {"volume": f"{folder}/grey.tif", **more}
            body = {"operation": operation, "inputs": inputs, "output": str(folder / name)}
            status, answer = service.ask("POST", "/api/jobs", body)
            wanted = f"cannot write {folder / name}: its folder takes no files; name another output"
            assert (status, answer["error"]) == (403, wanted)
        assert sorted(path.name for path in folder.iterdir()) == ["grey.tif", "labels.tif"]
        assert service.ended(service.submit("smooth"))["state"] == "done"
    folder.chmod(0o755)


def test_a_start_without_room_says_so(tmp_path, data):
    """One sentence with the folder's name at the terminal, and no trace of Python's."""
    command = ["bash", "-c", 'trap "" XFSZ; ulimit -f 0; exec "$@"', "bash", sys.executable, "-m", "fijibridge.service"]
    named = {"FIJIBRIDGE_STATE": str(tmp_path / "state"), "FIJIBRIDGE_FOLDERS": str(data)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env={**os.environ, **named})
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert str(tmp_path / "state") in done.stderr
